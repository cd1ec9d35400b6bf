"""The compatibility gate: a bundle verified on every runtime it declares, each in an environment of its own.

For every library that an artefact names as its runtime, the oldest version it asks for and the newest there
is are installed into virtual environments, with what the runtime needs besides and nothing else, and there
the runtime verifies the bundle by itself. What could not be installed is said, not passed over.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import voxtoon
from voxtoon.agreement import Agreement, Tolerance
from voxtoon.bundle import open_bundle
from voxtoon.engines import ENGINES
from voxtoon.manifest import Manifest
from voxtoon.verification import Check

CONSTRAINTS: Final = {"tflite-runtime": ("numpy<2",)}
"""What a library needs of others and does not declare."""
ON_APPLE_ONLY: Final = ("iOS", "macOS", "coremltools")
"""What runs artefacts on Apple's systems and nowhere else."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Runtime:
    """A library at a version that a bundle must run on.

    Parameters
    ----------
    package
        Its name in the package index.
    format
        Of the artefacts it runs.
    version
        The first numbers of its version; None for the newest.
    """

    package: str
    format: str
    version: str | None = None

    @property
    def requirements(self) -> tuple[str, ...]:
        """What to install."""
        own = self.package if self.version is None else f"{self.package}=={self.version}.*"
        return (own, *CONSTRAINTS.get(self.package, ()))

    @property
    def label(self) -> str:
        """What it is called in messages."""
        return f"{self.package} {self.version or '(newest)'}"


@dataclass(frozen=True)
class Row:
    """A runtime and what the bundle did on it.

    Parameters
    ----------
    runtime
        What was to be installed.
    installed
        Version by package, of the runtime and of numpy; empty where it could not be installed.
    checks
        Of the artefacts of its format.
    problem
        Why there are none.
    """

    runtime: Runtime
    installed: dict[str, str]
    checks: tuple[Check, ...] = ()
    problem: str | None = None

    @property
    def failures(self) -> list[str]:
        """What failed, one line each, the version of the runtime first."""
        if self.problem is not None:
            return [f"{self.runtime.label}: {self.problem}"]
        version = self.installed[self.runtime.package]
        failed = [check.failure for check in self.checks if check.failure is not None]
        return [f"{self.runtime.package} {version}: {failure}" for failure in failed]


def declared_runtimes(manifest: Manifest) -> list[Runtime]:
    """Return oldest and newest version of every library that artefacts name, but for those of Apple."""
    oldest: dict[tuple[str, str], str] = {}
    for artefact in manifest.artefacts:
        for package, version in artefact.minimum_runtime.items():
            if package not in ON_APPLE_ONLY:
                key = (package, artefact.format)
                oldest[key] = max(oldest.get(key, version), version, key=_numbers)
    return [
        Runtime(package, file_format, version)
        for (package, file_format), least in sorted(oldest.items(), key=lambda item: item[0][::-1])
        for version in (least, None)
    ]


def verify_on(
    runtimes: Sequence[Runtime], bundle: Path, *, environments: Path, progress: Progress
) -> Iterator[Row]:
    """Verify a bundle on each runtime, one after the other.

    Parameters
    ----------
    runtimes
        Such as `declared_runtimes` gives.
    bundle
        A folder or a file.
    environments
        Folder for the virtual environments, which are kept and used again.
    progress
        Called with a few words before each step.

    Yields
    ------
    Row
        One per runtime; two that come to the same version are one.
    """
    seen = set()
    for runtime in runtimes:
        python = environments / _folder_name(runtime) / ("Scripts" if os.name == "nt" else "bin") / "python"
        progress(f"installing {runtime.label}")
        problem = _install(runtime, python)
        if problem is not None:
            yield Row(runtime, {}, problem=problem)
            continue
        installed = _versions(python, (runtime.package, "numpy"))
        version = (runtime.package, installed[runtime.package])
        if version in seen:
            continue
        seen.add(version)
        progress(f"verifying on {' '.join(version)}")
        yield _verified(runtime, python, bundle, installed)


def base_requirements() -> list[str]:
    """Return what voxtoon's runtime needs besides an inference engine."""
    engines = {engine.package for engine in ENGINES.values()}
    needed = [item for item in metadata.requires("voxtoon") or [] if "extra ==" not in item]
    return [item for item in needed if re.split(r"[^\w.-]", item)[0] not in engines]


def _install(runtime: Runtime, python: Path) -> str | None:
    """Make the environment of a runtime; returns why that cannot be done, None when it could."""
    folder = python.parents[1]
    if not python.exists():
        venv.create(folder, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade"]
    options = ["--only-binary=:all:", "--upgrade-strategy=only-if-needed"]
    done = _run([*pip, *options, *runtime.requirements, *base_requirements()])
    if done.returncode:
        here = f"Python {sys.version_info.major}.{sys.version_info.minor} on {sys.platform}"
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1].removeprefix("ERROR: ")
        return f"cannot be installed for {here}: {reason}"
    package = Path(voxtoon.__file__).parent
    link = Path(_output(python, "import sysconfig; print(sysconfig.get_path('purelib'))")) / package.name
    # The package alone: its parent on the path would bring everything that is installed there.
    link.unlink(missing_ok=True)
    link.symlink_to(package, target_is_directory=True)
    return None


def _verified(runtime: Runtime, python: Path, bundle: Path, installed: dict[str, str]) -> Row:
    done = _run([str(python), "-m", "voxtoon", "verify", str(bundle.absolute()), "--json"])
    try:
        checks = [_check(item) for item in json.loads(done.stdout)["checks"]]
    except (ValueError, KeyError, TypeError):
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return Row(runtime, installed, problem=f"the verification did not run: {reason}")
    with open_bundle(bundle) as opened:
        of_format = [item for item in opened.manifest.artefacts if item.format == runtime.format]
    others = {item.precision for item in of_format if runtime.package not in item.minimum_runtime}
    own = tuple(check for check in checks if check.format == runtime.format and check.precision not in others)
    return Row(runtime, installed, own, None if own else "it was given nothing to check")


def _check(value: dict[str, Any]) -> Check:
    tolerance, agreement = value["tolerance"], value["agreement"]
    return Check(
        value["part"],
        value["format"],
        value["precision"],
        value["output"],
        None if tolerance is None else Tolerance.from_json(tolerance),
        None if agreement is None else Agreement(**agreement),
        value["problem"],
    )


def _versions(python: Path, packages: Sequence[str]) -> dict[str, str]:
    program = f"import importlib.metadata as m; print(*[m.version(p) for p in {list(packages)!r}])"
    return dict(zip(packages, _output(python, program).split(), strict=True))


def _output(python: Path, program: str) -> str:
    return _run([str(python), "-c", program], check=True).stdout.strip()


def _run(command: Sequence[str], *, check: bool = False) -> subprocess.CompletedProcess[str]:
    unwanted = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    return subprocess.run(
        command,
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        text=True,
        capture_output=True,
        check=check,
    )


def _folder_name(runtime: Runtime) -> str:
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    return f"{runtime.package}-{runtime.version or 'newest'}-{python}"


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]

"""The base install is enough: a wheel in an environment that has nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "voice.flac"
FORBIDDEN = {
    "torch",
    "scipy",
    "librosa",
    "tensorflow",
    "PIL",
    "onnx",
    "jsonschema",
    "voxtoon_export",
    "voxtoon_quantize",
}


@pytest.fixture(scope="module")
def base_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel of this checkout and its base dependencies, and nothing else."""
    folder = tmp_path_factory.mktemp("base")
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = folder / "wheels"
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(wheels), str(ROOT)], check=True)
    subprocess.run([*pip, "install", "--no-compile", str(next(wheels.glob("*.whl")))], check=True)
    return python


def run(python: Path, *arguments: str, home: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(home / "cache")}
    return subprocess.run(
        [str(python), *arguments], env=environment, cwd=cwd, text=True, capture_output=True, check=False
    )


def test_every_module_of_the_runtime_imports_with_the_base_dependencies_only(
    base_python: Path, tmp_path: Path
) -> None:
    program = """
import importlib, json, pkgutil, sys
import voxtoon
for module in pkgutil.walk_packages(voxtoon.__path__, "voxtoon."):
    importlib.import_module(module.name)
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
    result = run(base_python, "-c", program, home=tmp_path, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert not FORBIDDEN & set(json.loads(result.stdout))


def test_the_embedded_model_draws_a_caller(base_python: Path, tmp_path: Path) -> None:
    command = ("-m", "voxtoon", "face", str(SAMPLE), "-o", "avatar.png", "--image", "face.png")
    result = run(base_python, *command, home=tmp_path, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "avatar.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "face.png").read_bytes().startswith(b"\x89PNG")


def test_a_command_of_an_extra_says_which_extra_is_missing(base_python: Path, tmp_path: Path) -> None:
    result = run(
        base_python,
        "-m",
        "voxtoon",
        "export",
        "--checkpoint",
        str(SAMPLE),
        "-o",
        "x",
        home=tmp_path,
        cwd=tmp_path,
    )
    assert result.returncode == 2
    assert "voxtoon[export]" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (apt-packages.txt)")
def test_a_run_opens_no_socket_and_leaves_no_file_behind(base_python: Path, tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    trace = tmp_path / "trace"
    # Five seconds of life after the avatar: onnxruntime's uploader wakes up late.
    program = (
        "import sys, time; from voxtoon.cli import main; "
        f"code = main(['face', {str(SAMPLE)!r}, '-o', 'avatar.svg']); time.sleep(5); sys.exit(code)"
    )
    calls_of_interest = "trace=socket,connect,openat,creat,mkdir,mkdirat"
    tracer = ["strace", "-f", "-qq", "-e", calls_of_interest, "-o", str(trace)]
    subprocess.run(
        [*tracer, str(base_python), "-c", program],
        env={"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=work,
        check=True,
        capture_output=True,
    )
    calls = trace.read_text()
    assert "openat(" in calls, "the tracer saw nothing"
    assert re.findall(r"(?:socket|connect)\(.*", calls) == []
    assert list(home.rglob("*")) == []
    assert [path.name for path in work.iterdir()] == ["avatar.svg"]
    written = re.findall(r'openat\([^"]*"([^"]+)"[^)]*O_(?:WRONLY|RDWR|CREAT)', calls)
    assert all(path.startswith((str(work), "/dev/", "avatar.svg", ".")) for path in written), written


def test_the_wheels_of_the_runtime_stay_small_for_arm64(tmp_path: Path) -> None:
    platforms = [f"manylinux_2_{minor}_aarch64" for minor in (17, 24, 26, 27, 28, 31, 34)] + [
        "manylinux2014_aarch64"
    ]
    names = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.M | re.S)
    assert names is not None
    requirements = re.findall(r'"([^"]+)"', names.group(1))
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "-d",
        str(tmp_path),
    ]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11"]
    subprocess.run([*command, *(f"--platform={name}" for name in platforms), *requirements], check=True)
    total_mb = sum(path.stat().st_size for path in tmp_path.iterdir()) / 1e6
    assert total_mb <= 60, f"{total_mb:.1f} MB of wheels"

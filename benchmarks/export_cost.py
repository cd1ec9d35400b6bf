"""What an export costs: the command as a user runs it, three formats, two precisions, every check.

``python -m benchmarks.export_cost [--of default full] [--steps N] [--write docs/export.md]``

``voxtoon export`` runs on a terminal of its own, whose line of progress tells when a step begins. Time of the
processor, on however many cores, does not depend on what else the machine does; time on the clock does.
The full size has the paper's widths and the weights that torch begins with, since nobody has published any.
Linux only: memory is what the process held, looked at twenty times a second.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.page import markdown, tell
from voxtoon_export.checkpoint import load_checkpoint, save_checkpoint

CHECKPOINT: Final = Path(__file__).resolve().parents[1] / "recipes/checkpoints/speech2face-mel-w4.safetensors"
FULL_SIZE: Final = "speech2face"
OPTIONS: Final = ("--to", "onnx", "litert", "coreml", "--precision", "fp32", "fp16")
START, END = "<!-- measured cost -->", "<!-- end of measured cost -->"
_TOLD: Final = re.compile(rb"\r\x1b\[K(.+?) \.\.\.")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_SAMPLED_EVERY_S: Final = 0.05


@dataclass(frozen=True)
class Subject:
    """What is exported, and what that may cost on two cores.

    Parameters
    ----------
    title
        For the table.
    checkpoint
        Puts one into a folder, or tells where it is.
    wall_s, memory_gb
        The budget.
    """

    title: str
    checkpoint: Callable[[Path], Path]
    wall_s: float
    memory_gb: float


@dataclass(frozen=True)
class Cost:
    """Of a step: on the clock, of the processor, and the most memory that was held."""

    words: str
    wall_s: float
    cpu_s: float
    memory_gb: float


def full_size(folder: Path) -> Path:
    """Write a checkpoint of the paper's widths: the default model's statistics, nobody's weights."""
    import torch

    from voxtoon_export.network import build
    from voxtoon_export.systems import variant

    torch.manual_seed(0)
    declared, default = variant(FULL_SIZE), load_checkpoint(CHECKPOINT)
    tensors = {name: build(part).state_dict() for name, part in declared.parts.items()}
    mean = torch.from_numpy(default.statistics["mean_landmarks"])
    tensors["decoder"]["landmarks_affine.offset"] = mean
    tensors["decoder"]["landmarks_affine.scale"] = torch.full_like(mean, 5.0)
    place = folder / "full_size.safetensors"
    save_checkpoint(
        place,
        variant=declared,
        tensors=tensors,
        statistics={"mean_landmarks": mean},
        avatar_statistics=default.avatar_statistics,
    )
    return place


SUBJECTS: Final = {
    "default": Subject("the default model", lambda folder: CHECKPOINT, wall_s=180, memory_gb=6),
    "full": Subject(f"`{FULL_SIZE}`, random weights", full_size, wall_s=720, memory_gb=16),
}


def export_costs(checkpoint: Path, output: Path) -> Iterator[Cost]:
    """Run the command and yield what each of its steps cost; RuntimeError where it fails."""
    command = [sys.executable, "-m", "voxtoon", "export", "--checkpoint", str(checkpoint)]
    process, terminal = _on_terminal([*command, *OPTIONS, "-o", str(output)])
    words, said, memory_gb, spent_s = "starting", b"", 0.0, 0.0
    began_s = time.perf_counter()
    while (chunk := _read(terminal)) is not None:
        memory_gb, cpu_s = max(memory_gb, _memory_gb(process)), _cpu_s(process)
        said += chunk
        for told in _TOLD.findall(said):
            now_s = time.perf_counter()
            yield Cost(words, now_s - began_s, cpu_s - spent_s, memory_gb)
            words, said, memory_gb, spent_s, began_s = told.decode(), b"", 0.0, cpu_s, now_s
    _, status, used = os.wait4(process, 0)
    yield Cost(words, time.perf_counter() - began_s, used.ru_utime + used.ru_stime - spent_s, memory_gb)
    if status:
        raise RuntimeError(f"the export failed: {said.decode(errors='replace').strip()}")


def _on_terminal(command: list[str]) -> tuple[int, int]:
    process, terminal = pty.fork()
    if process == 0:
        os.execv(command[0], command)
    return process, terminal


def _read(terminal: int) -> bytes | None:
    """What was written meanwhile, perhaps nothing; None when nobody writes to it any more."""
    if not select.select([terminal], [], [], _SAMPLED_EVERY_S)[0]:
        return b""
    try:
        return os.read(terminal, 4096) or None
    except OSError:  # how Linux tells it
        return None


def _cpu_s(process: int) -> float:
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS_PER_S


def _memory_gb(process: int) -> float:
    pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e9


def sections(names: list[str], *, steps: int) -> Iterator[str]:
    """A table of the whole, and one of the dearest steps, in Markdown."""
    rows = [("export of", "clock s", "processor s", "memory GB", "bytes", "may take")]
    dearest = []
    for name in names:
        subject = SUBJECTS[name]
        with tempfile.TemporaryDirectory() as folder:
            # A folder: a zip of more than 4 GB would not be one that every reader takes.
            output = Path(folder) / "bundle"
            costs = list(export_costs(subject.checkpoint(Path(folder)), output))
            size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
        rows.append(
            (
                subject.title,
                f"{sum(cost.wall_s for cost in costs):.0f}",
                f"{sum(cost.cpu_s for cost in costs):.0f}",
                f"{max(cost.memory_gb for cost in costs):.1f}",
                f"{size:,}",
                f"{subject.wall_s:.0f} s, {subject.memory_gb:.0f} GB",
            )
        )
        for cost in sorted(costs, key=lambda cost: -cost.cpu_s)[:steps]:
            figures = (f"{cost.wall_s:.0f}", f"{cost.cpu_s:.0f}", f"{cost.memory_gb:.1f}")
            dearest.append((subject.title, cost.words, *figures))
    yield f"`voxtoon export {' '.join(OPTIONS)}`, every check included, {os.cpu_count()} cores:"
    yield markdown(rows)
    if dearest:
        yield "Its dearest steps:"
        yield markdown([("export of", "step", "clock s", "processor s", "memory GB"), *dearest])


def main() -> None:
    """Measure and print, and put the tables into a page where there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--of", nargs="+", default=list(SUBJECTS), choices=list(SUBJECTS))
    parser.add_argument("--steps", type=int, default=6, metavar="N", help="how many of the dearest to tell")
    parser.add_argument("--write", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    tell(sections(arguments.of, steps=arguments.steps), arguments.write, start=START, end=END)


if __name__ == "__main__":
    main()

"""The front end against librosa, torch and scipy: microseconds per hop, for a whole clip and for chunks.

``python -m benchmarks.front_end [--wav W] [--rounds N] [--json F]``

All four compute the same frames, which is checked: re and im of a 512-point transform of 400 windowed
samples, each to the power 0.3, as float32 [frames, 257, 2]. librosa and torch are given the window with its
112 zeros and the signal with as many more, since they would centre a short window inside the transform. For
chunks they and scipy get the same carry of unfinished samples. The methods take turns, one thread each; the
least CPU time of all rounds counts.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxtoon.audio import read_audio
from voxtoon.front_end import COMPLEX_POWER, FrontEnd, tile_clip

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "voice.flac"
DURATION_S = 60
CHUNKS_MS = (10, 20, 100, 250)
WINDOW, HOP, FFT = 400, 160, 512  # of COMPLEX_POWER
EXPONENT = 0.3
TOLERANCE = 4e-6

Samples = NDArray[np.float32]
Frames = NDArray[np.float32]
Transform = Callable[[Samples], Frames]


@dataclass(frozen=True)
class Result:
    """Of one method: microseconds of CPU per hop by chunk, and errors against the float64 formula."""

    us_per_hop: dict[str, float]
    maximum_error: float
    rms_error: float


@dataclass(frozen=True)
class Method:
    """A transform of a whole signal, and what makes a stream that is pushed chunks."""

    transform: Transform
    stream: Callable[[], Transform]


def hann() -> NDArray[np.float64]:
    """The periodic window, written out for the peers."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW))


def power(parts: Frames) -> Frames:
    """What one writes in numpy for ``sgn(x) |x|**0.3``."""
    return np.asarray(np.sign(parts) * np.abs(parts) ** np.float32(EXPONENT))


def with_zeros(samples: Samples) -> Samples:
    """The signal and the zeros that the last frame's transform reaches into."""
    return np.concatenate([samples, np.zeros(FFT - WINDOW, np.float32)])


def voxtoon() -> Method:
    """The runtime's own: float64 transform, table."""

    def stream() -> Transform:
        return FrontEnd(COMPLEX_POWER).push

    return Method(FrontEnd(COMPLEX_POWER).frames, stream)


def librosa() -> Method:
    """librosa.stft and numpy's power."""
    from librosa import stft

    window = with_zeros(hann().astype(np.float32))

    def transform(samples: Samples) -> Frames:
        bins = stft(with_zeros(samples), n_fft=FFT, hop_length=HOP, window=window, center=False)
        return power(np.ascontiguousarray(bins.T).view(np.float32).reshape(-1, FFT // 2 + 1, 2))

    return Method(transform, lambda: carry(transform))


def torch() -> Method:
    """torch.stft and torch's power."""
    import torch

    torch.set_num_threads(1)
    window = torch.from_numpy(with_zeros(hann().astype(np.float32)))

    def transform(samples: Samples) -> Frames:
        signal = torch.from_numpy(with_zeros(samples))
        bins = torch.stft(signal, FFT, HOP, FFT, window, center=False, return_complex=True)
        parts = torch.view_as_real(bins.T)
        return np.asarray((parts.sign() * parts.abs().pow(EXPONENT)).numpy())

    return Method(transform, lambda: carry(transform))


def scipy() -> Method:
    """scipy.fft.rfft of strided frames and numpy's power."""
    from scipy.fft import rfft  # type: ignore[import-untyped]

    window = hann().astype(np.float32)

    def transform(samples: Samples) -> Frames:
        windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
        return power(rfft(windows * window, FFT).view(np.float32).reshape(-1, FFT // 2 + 1, 2))

    return Method(transform, lambda: carry(transform))


METHODS: dict[str, Callable[[], Method]] = {
    "voxtoon": voxtoon,
    "librosa": librosa,
    "torch": torch,
    "scipy": scipy,
}


def carry(transform: Transform) -> Transform:
    """The stream of a transform that has none: unfinished samples are kept for the next chunk."""
    kept = np.empty(0, np.float32)

    def push(chunk: Samples) -> Frames:
        nonlocal kept
        kept = np.concatenate([kept, chunk])
        count = COMPLEX_POWER.frame_count(len(kept))
        if count == 0:
            return np.empty((0, FFT // 2 + 1, 2), np.float32)
        frames = transform(kept[: (count - 1) * HOP + WINDOW])
        kept = kept[count * HOP :]
        return frames

    return push


def formula(samples: Samples) -> NDArray[np.float64]:
    """Re and im before the power, in float64."""
    windows = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), WINDOW)[::HOP]
    return np.fft.rfft(windows * hann(), FFT).view(np.float64).reshape(-1, FFT // 2 + 1, 2)


def errors(name: str, frames: Frames, exact: NDArray[np.float64]) -> tuple[float, float]:
    """The largest and the root-mean-square error after the power.

    Raises
    ------
    SystemExit
        The frames are not those of the formula: with the power undone, since its slope at zero is infinite,
        they differ by more than 1e-5 of the loudest bin.
    """
    linear = np.sign(frames) * np.abs(frames.astype(np.float64)) ** (1 / EXPONENT)
    if frames.shape != exact.shape or np.abs(linear - exact).max() > 1e-5 * np.abs(exact).max():
        raise SystemExit(f"{name} computes other frames")
    difference = frames - np.sign(exact) * np.abs(exact) ** EXPONENT
    return float(np.abs(difference).max()), float(np.sqrt(np.mean(difference**2)))


def us_per_hop(work: Callable[[], object], samples: Samples) -> float:
    """Microseconds of CPU that the work takes for each hop of the signal."""
    start = time.process_time()
    work()
    return 1e6 * (time.process_time() - start) / (len(samples) / HOP)


def push_all(push: Transform, chunks: list[Samples]) -> None:
    """Push every chunk and keep nothing, as a stream would."""
    for chunk in chunks:
        push(chunk)


def workloads(method: Method, samples: Samples) -> dict[str, Callable[[], object]]:
    """The whole signal at once, and its chunks pushed through a stream that goes on for ever."""
    work: dict[str, Callable[[], object]] = {"offline": partial(method.transform, samples)}
    for chunk_ms in CHUNKS_MS:
        work[f"{chunk_ms} ms"] = partial(push_all, method.stream(), split(samples, chunk_ms))
    return work


def split(samples: Samples, chunk_ms: int) -> list[Samples]:
    """The signal in chunks."""
    length = COMPLEX_POWER.sample_rate_hz * chunk_ms // 1000
    return [samples[at : at + length] for at in range(0, len(samples), length)]


def checked(name: str, method: Method, samples: Samples, exact: NDArray[np.float64]) -> tuple[float, float]:
    """The errors of the whole signal, after a look at those of each way to chunk it."""
    for chunk_ms in CHUNKS_MS:
        errors(name, np.concatenate([*map(method.stream(), split(samples, chunk_ms))]), exact)
    return errors(name, method.transform(samples), exact)


def measure(samples: Samples, *, rounds: int) -> dict[str, Result]:
    """Measure every method at every chunk length, taking turns."""
    exact = formula(samples)
    methods = {name: make() for name, make in METHODS.items()}
    error = {name: checked(name, method, samples, exact) for name, method in methods.items()}
    work = {name: workloads(method, samples) for name, method in methods.items()}
    least: dict[str, dict[str, float]] = {name: dict.fromkeys(work[name], float("inf")) for name in methods}
    for _ in range(rounds):
        for column in work["voxtoon"]:
            for name in methods:
                least[name][column] = min(least[name][column], us_per_hop(work[name][column], samples))
    return {name: Result(least[name], *error[name]) for name in methods}


def table(results: dict[str, Result]) -> str:
    """Microseconds per hop and, for each peer, how many times voxtoon's time it takes."""
    ours = results["voxtoon"].us_per_hop
    lines = [
        f"{'us/hop':<8}" + "".join(f"{column:>16}" for column in ours) + f"{'max err':>10}{'rms err':>10}"
    ]
    for name, result in results.items():
        cells = [f"{us:>8.2f} {us / ours[column]:>5.2f}x " for column, us in result.us_per_hop.items()]
        lines.append(f"{name:<8}{''.join(cells)}{result.maximum_error:>11.1e}{result.rms_error:>10.1e}")
    return "\n".join(lines)


def targets(results: dict[str, Result]) -> dict[str, bool]:
    """What the front end promises, and whether it held in this run."""
    ours, librosa, torch = (results[name].us_per_hop for name in ("voxtoon", "librosa", "torch"))
    return {
        "offline at least 1.1x faster than librosa": librosa["offline"] >= 1.1 * ours["offline"],
        "offline at most 1.1x torch's time": ours["offline"] <= 1.1 * torch["offline"],
        "250 ms at least 1.7x faster than librosa": librosa["250 ms"] >= 1.7 * ours["250 ms"],
        f"error at most {TOLERANCE:g}": results["voxtoon"].maximum_error <= TOLERANCE,
    }


def main() -> None:
    """Print the table and write it to ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--wav", type=Path, default=SAMPLE, help="16 kHz, repeated up to a minute")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    # Read by the peers when they are imported, which is later.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    audio = read_audio(arguments.wav)
    samples = tile_clip(audio.samples, clip_samples=DURATION_S * COMPLEX_POWER.sample_rate_hz)
    results = measure(samples, rounds=arguments.rounds)
    print(table(results))
    for target, met in targets(results).items():
        print(f"{'met   ' if met else 'MISSED'}  {target}")
    if arguments.json:
        arguments.json.write_text(json.dumps({name: asdict(r) for name, r in results.items()}, indent=1))


if __name__ == "__main__":
    main()

"""What passes for speech: tones, music and noise that must not, and voices that must.

``python -m benchmarks.speech_gate [--data FOLDER] [--bundle B] [--seeds N]``

Seconds of speech that a minute of each synthesised sound counts as, by the detector alone and by the gate, at
three levels; and of the voices in a data folder, how much of the detector's speech the gate loses.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.line_sounds import SOUNDS
from voxtoon import open_bundle
from voxtoon.audio import read_audio
from voxtoon.bundle import Bundle
from voxtoon.speech import SpeechDetector
from voxtoon.speech_gate import RUN_STRETCHES, SpeechGate

GAINS = (0.3, 1.0, 5.0)
SECONDS_S = 20.0
STRETCH_S = 0.032


def counted_s(bundle: Bundle, samples: NDArray[np.float32], *, run_stretches: int) -> float:
    """Seconds of speech."""
    detector = SpeechDetector(bundle.session("voice_activity", threads=1).run)
    gate = SpeechGate(detector, threshold=0.5, run_stretches=run_stretches)
    return float(gate.push(samples).sum()) * STRETCH_S


def sounds(*, seeds: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Every sound at every level."""
    for name, sound in SOUNDS.items():
        for seed in range(seeds):
            for gain in GAINS:
                made = sound(np.random.default_rng(seed), SECONDS_S)
                yield name, np.clip(gain * made, -1, 1).astype(np.float32)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--every", type=int, default=5, help="every how manieth voice is heard")
    arguments = parser.parse_args()
    with open_bundle(arguments.bundle) as bundle:

        def both(samples: NDArray[np.float32]) -> NDArray[np.float64]:
            return np.array([counted_s(bundle, samples, run_stretches=run) for run in (1, RUN_STRETCHES)])

        found: dict[str, list[NDArray[np.float64]]] = {}
        for name, samples in sounds(seeds=arguments.seeds):
            found.setdefault(name, []).append(both(samples) * 60 / SECONDS_S)
        print(f"{'speech, s per minute':22}{'detector':>10}{'gate':>8}")
        for name, seconds in found.items():
            detector_s, gate_s = np.mean(seconds, axis=0)
            print(f"{name:22}{detector_s:10.2f}{gate_s:8.2f}")
        if arguments.data is not None:
            paths = sorted((arguments.data / "audio").glob("*.flac"))[:: arguments.every]
            detector_s, gate_s = np.sum([both(read_audio(path).samples) for path in paths], axis=0)
            print(
                f"{len(paths)} voices: of {detector_s:.0f} s of speech {1 - gate_s / detector_s:.2%} are lost"
            )


if __name__ == "__main__":
    main()

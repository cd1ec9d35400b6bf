"""How often somebody else is noticed, and how often nobody was there.

``python -m benchmarks.second_voice --data FOLDER [--bundle B] [--most N]``

Two recordings of strangers follow each other in one call, brought to one level. Where the speakers are two,
the second is to be noticed; where they are one, as another recording of the same speaker, and within a
recording that is heard alone, noticing anybody is a false alarm. Recordings differ in more than the speaker,
so both figures are of calls that change microphones too.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxtoon import open_bundle
from voxtoon.bundle import Bundle
from voxtoon_export.evaluation.data import Clip, read_index, read_voice
from voxtoon_export.evaluation.split import is_held_out, is_validation

RATE_HZ = 16_000
LEAST_S = 5.9
LEVEL = 0.07

Floats = NDArray[np.float32]
Pair = tuple[Clip, Clip]


def pairs(clips: Sequence[Clip], *, seed: int = 1) -> tuple[list[Pair], list[Pair]]:
    """Of each recording one with another speaker's; and all with another of the same speaker's."""
    generator = np.random.default_rng(seed)
    others = [(one, clips[int(generator.integers(len(clips)))]) for one in clips]
    same = [(a, b) for a in clips for b in clips if a.speaker == b.speaker and a != b]
    return [(a, b) for a, b in others if a.speaker != b.speaker], same


def long_clips(folder: Path) -> Iterator[Clip]:
    """Whole recordings of speakers that training never saw, or only chose between models by."""
    for clip in read_index(folder):
        kept_out = is_held_out(clip.speaker) or is_validation(clip.speaker)
        if kept_out and len(read_voice(clip.voice)) >= LEAST_S * RATE_HZ:
            yield clip


def levelled(clip: Clip) -> Floats:
    """The voice at one loudness for all."""
    samples = read_voice(clip.voice)
    return np.asarray(samples * (LEVEL / np.sqrt(np.mean(samples**2))), np.float32)


def noticed(bundle: Bundle, samples: Floats) -> bool:
    """Whether a call of these samples notices another voice."""
    listener = bundle.pipeline(threads=1).call_listener()
    listener.push(samples)
    return listener.other_voices > 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--most", type=int, help="recordings to take (default: all)")
    arguments = parser.parse_args()
    clips = list(long_clips(arguments.data))[: arguments.most]
    different, same = pairs(clips)
    with open_bundle(arguments.bundle) as bundle:
        rows = {
            "two speakers, 6 s each": [noticed(bundle, joined(pair)) for pair in different],
            "one speaker, two recordings": [noticed(bundle, joined(pair)) for pair in same],
            "one recording": [noticed(bundle, levelled(clip)) for clip in clips],
        }
    for name, found in rows.items():
        print(f"{name:30} noticed in {np.mean(found):6.1%} of {len(found)} calls")


def joined(pair: Pair) -> Floats:
    """One after the other."""
    return np.concatenate([levelled(clip) for clip in pair])


if __name__ == "__main__":
    main()

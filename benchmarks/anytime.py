"""What a face is worth after so many seconds of speech, and when it has settled, on strangers' voices.

``python -m benchmarks.anytime --data FOLDER [--bundle B] [--most N] [--svg docs/images/anytime.svg]``

The voices are those of the speakers that training never saw. Each is pushed as a call: at every mark the face
so far is compared with the published one, its picture by the share of explained differences from the mean
face (R2), its feature by the angle. Beyond 6 s a call goes on with another recording of the same speaker.
The second table cuts every voice up, with pauses between, and compares weights of the encoder's outputs with
the recording as it was. The third tells what a threshold for settling is worth: how many calls settle, after
how much speech, and how far their feature still moves until the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.curve import Panel, draw_panels
from voxtoon import open_bundle
from voxtoon.atomic_file import write_atomically
from voxtoon.settling import Settling, angle_deg
from voxtoon.talk_listener import WEIGHT_POWER, TalkListener
from voxtoon_export.evaluation.data import SMALL_PX, Clip, read_face, read_index, read_voice, shrink
from voxtoon_export.evaluation.figures import angles_deg, r2
from voxtoon_export.evaluation.measure import training_components
from voxtoon_export.evaluation.split import is_held_out

if TYPE_CHECKING:
    from voxtoon.bundle import Bundle
    from voxtoon.pipeline import Pipeline

RATE_HZ = 16_000
MARKS_S = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
OWN_MARKS = 7  # within a recording of 6 s, in which 5 s are speech
STEP_S = 0.032
ANGLES_DEG = (4.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0)
POWERS = (0.0, 1.0, 2.0)
WEIGHED = 3  # every how manieth voice the weights are tried on

LEAST_CALLS = 10
LEAST_SPEECH_S = 4.5
"""Of a call whose settling can be told: 3 s, and some more to see whether it was right."""

Floats = NDArray[np.float32]
Way = list[tuple[float, Floats]]
"""Seconds of speech, and the feature after them."""


@dataclass
class Call:
    """What was made of one voice.

    Attributes
    ----------
    wanted_feature, wanted_face
        Of the published face, and that at 56 x 56.
    own_speech_s
        Seconds of speech in the first recording.
    way
        Every feature on the way, through the speaker's other recordings too.
    at
        Mark to feature and face.
    """

    wanted_feature: Floats
    wanted_face: Floats
    own_speech_s: float = 0.0
    way: Way = field(default_factory=list)
    at: dict[float, tuple[Floats, Floats]] = field(default_factory=dict)


@dataclass(frozen=True)
class Worth:
    """What the faces of the same calls are worth at one mark."""

    mark_s: float
    calls: int
    r2: float
    angle_deg: float


def worth(calls: Sequence[Call], *, marks_s: Sequence[float], mean_face: Floats) -> list[Worth]:
    """At each mark, of those calls that come as far as the last."""
    enough = [call for call in calls if marks_s[-1] in call.at]
    found = []
    for mark in marks_s if len(enough) >= LEAST_CALLS else ():
        wanted = np.stack([call.wanted_face for call in enough])
        faces = np.stack([call.at[mark][1] for call in enough])
        angles = angles_deg(
            np.stack([call.at[mark][0] for call in enough]),
            np.stack([call.wanted_feature for call in enough]),
        )
        explained = r2(faces, wanted, np.broadcast_to(mean_face, wanted.shape))
        found.append(Worth(mark, len(enough), explained, float(angles.mean())))
    return found


@dataclass(frozen=True)
class Voice:
    """A speaker's recording, another one of the same speaker's where there is any, and the published face."""

    clip: Clip
    samples: Floats
    longer: Floats


def voices(clips: Sequence[Clip], *, most: int | None) -> Iterator[Voice]:
    """Every recording of the speakers that training never saw."""
    held_out = [clip for clip in clips if is_held_out(clip.speaker)]
    for clip in held_out[:most]:
        samples = read_voice(clip.voice)
        others = [read_voice(o.voice) for o in held_out if o.speaker == clip.speaker and o != clip]
        yield Voice(clip, samples, np.concatenate([samples, *others]))


def features_on_the_way(pipeline: Pipeline, samples: Floats) -> Iterator[tuple[float, float, Floats]]:
    """Seconds heard, seconds of speech and the feature, at every half second of speech and every mark."""
    listener, told_s = pipeline.call_listener(), 0.0
    step = round(STEP_S * RATE_HZ)
    for start in range(0, len(samples), step):
        listener.push(samples[start : start + step])
        if listener.speech_s >= told_s + 0.5 or any(told_s < mark <= listener.speech_s for mark in MARKS_S):
            told_s = listener.speech_s
            if told_s >= MARKS_S[0]:
                yield listener.samples / RATE_HZ, told_s, listener.heard().feature


def measure(bundle: Bundle, found: Sequence[Voice]) -> Iterator[Call]:
    """Hear every voice as a call."""
    pipeline, encoder = bundle.pipeline(threads=1), bundle.session("face_encoder")
    for voice in found:
        published = shrink(read_face(voice.clip.face_s2f))
        call = Call(encoder.run({"image": published[np.newaxis]})["feature"][0], published)
        for heard_s, speech_s, feature in features_on_the_way(pipeline, voice.longer):
            call.way.append((speech_s, feature))
            if heard_s <= len(voice.samples) / RATE_HZ:
                call.own_speech_s = speech_s
            for mark in MARKS_S:
                if mark <= speech_s and mark not in call.at:
                    call.at[mark] = feature, shrink(pipeline.decode(feature).image)
        yield call


def settling(calls: Sequence[Call]) -> Iterator[tuple[float, ...]]:
    """For each threshold: share that settles, after how much speech, and how far it moves on (p50, p90)."""
    ways = [[item for item in call.way if item[0] <= call.own_speech_s] for call in calls]
    long_enough = [way for way in ways if way and way[-1][0] >= LEAST_SPEECH_S]
    for threshold in ANGLES_DEG:
        after, moves = [], []
        for way in long_enough:
            rule = Settling(most_deg=threshold)
            settled = [item for item in way if rule.settled(item[1], speech_s=item[0])]
            if settled:
                after.append(settled[0][0])
                moves.append(angle_deg(settled[0][1], way[-1][1]))
        if after:
            share = len(after) / len(long_enough)
            yield threshold, share, float(np.median(after)), *map(float, np.percentile(moves, (50, 90)))


def interrupted(samples: Floats, generator: np.random.Generator) -> Floats:
    """The recording in turns of 0.7 to 2.5 s, with pauses of 0.3 to 4 s between them."""
    pieces, at = [], 0
    while at < len(samples):
        length = round(generator.uniform(0.7, 2.5) * RATE_HZ)
        pause = generator.normal(0, 3e-4, round(generator.uniform(0.3, 4.0) * RATE_HZ))
        pieces += [samples[at : at + length], pause.astype(np.float32)]
        at += length
    return np.concatenate(pieces)


def weights(bundle: Bundle, found: Sequence[Voice]) -> Iterator[tuple[str, float]]:
    """Angle to the published face's feature of every voice, whole and interrupted, by kind of weight."""
    pipeline, encoder = bundle.pipeline(threads=1), bundle.session("face_encoder")
    listener = pipeline.call_listener()
    assert isinstance(listener, TalkListener)
    angles: dict[str, list[float]] = {}
    for voice in found:
        wanted = encoder.run({"image": shrink(read_face(voice.clip.face_s2f))[np.newaxis]})["feature"][0]
        calls: dict[str, tuple[Floats, float]] = {"whole": (voice.samples, WEIGHT_POWER)}
        cut = interrupted(voice.samples, np.random.default_rng(len(voice.samples)))
        calls |= {f"interrupted, power {power:g}": (cut, power) for power in POWERS}
        for name, (samples, power) in calls.items():
            listener.reset()
            listener.weight_power = power
            listener.push(samples)
            angles.setdefault(name, []).append(angle_deg(listener.heard().feature, wanted))
    for name, values in angles.items():
        yield name, float(np.mean(values))


def curves(tables: Mapping[str, Sequence[Worth]]) -> str:
    """The first tables, drawn."""
    panels = [
        Panel(
            "fidelity (R2)",
            0.3,
            0.7,
            0.1,
            {n: [(row.mark_s, row.r2) for row in t] for n, t in tables.items()},
        ),
        Panel(
            "angle to the published face, degrees",
            36,
            52,
            4,
            {name: [(row.mark_s, row.angle_deg) for row in table] for name, table in tables.items()},
        ),
    ]
    return draw_panels(
        panels,
        across="seconds of speech",
        last_s=MARKS_S[-1],
        description="Fidelity and angle of a face against the seconds of speech that were heard.",
    )


def main() -> None:
    """Measure, print, and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--most", type=int, help="recordings to take (default: all)")
    parser.add_argument("--svg", type=Path, help="where to draw the first tables")
    arguments = parser.parse_args()
    clips = read_index(arguments.data)
    found = list(voices(clips, most=arguments.most))
    training = training_components([clip for clip in clips if not is_held_out(clip.speaker)])
    mean_face = training.mean.reshape(SMALL_PX, SMALL_PX, 3).astype(np.float32)
    with open_bundle(arguments.bundle) as bundle:
        calls = list(measure(bundle, found))
        tables = {
            f"{marks_s[-1]:g} s of speech or more": worth(calls, marks_s=marks_s, mean_face=mean_face)
            for marks_s in (MARKS_S[:OWN_MARKS], MARKS_S)
        }
        tables = {f"{table[0].calls} calls, {name}": table for name, table in tables.items() if table}
        for name, table in tables.items():
            print(f"{name}\n{'speech s':>9}{'R2':>8}{'angle':>8}")
            for row in table:
                print(f"{row.mark_s:9.1f}{row.r2:8.3f}{row.angle_deg:8.1f}")
        print(f"\n{'settled within':>14}{'share':>8}{'after s':>9}{'moves on p50':>14}{'p90':>7}")
        for threshold, share, after_s, half, most in settling(calls):
            print(f"{threshold:14.0f}{share:8.2f}{after_s:9.1f}{half:14.1f}{most:7.1f}")
        if arguments.svg is not None:
            write_atomically({arguments.svg: curves(tables).encode()})
        print(f"\n{'outputs weighted, angle':32}")
        for name, degrees in weights(bundle, found[::WEIGHED]):
            print(f"{name:32}{degrees:8.1f}")


if __name__ == "__main__":
    main()

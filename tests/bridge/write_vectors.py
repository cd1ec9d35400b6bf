"""Golden vectors for runtimes in other languages: what the Python runtime makes of voices, step by step.

``python tests/bridge/write_vectors.py OUT [--data FOLDER] [--bundle FILE]`` writes ``OUT/index.json`` and
arrays beside it: float32 in C order (``.f32``) and int16 samples (``.s16``), both little-endian. ``FOLDER``
holds real voices (``audio/*.flac``); without it only the synthesised sample voice is used. What comes of real
voices stays in OUT.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from voxtoon.audio import read_audio
from voxtoon.avatar import AvatarParameters, draw, draw_avatar
from voxtoon.avatar.measurement import HAIR_MEASUREMENTS, MEASUREMENTS
from voxtoon.avatar.morph import Morph
from voxtoon.bundle import open_bundle
from voxtoon.front_end import COMPLEX_POWER, LOG_MEL, WAVEFORM, clip_front_end, tile_clip
from voxtoon.manifest import Head
from voxtoon.resample import resample
from voxtoon.speech import SpeechDetector, upper_band_db

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = REPOSITORY / "samples" / "voice.flac"
REAL_CLIPS = 24
RATES_HZ = (8_000, 11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000, 47_999)
HEAD = Head(left=0.2, right=0.8, brows=0.35, chin=0.9)
FRONT_ENDS = {
    "log_mel": LOG_MEL,
    "complex_power": COMPLEX_POWER,
    "complex_power_other_lengths": replace(
        COMPLEX_POWER, window_samples=300, hop_samples=100, fft_samples=360
    ),
    "waveform": WAVEFORM,
    "waveform_whole_numbers": replace(WAVEFORM, division="py2_floor"),
}


class Vectors:
    """The folder of vectors; arrays become files, and their names stay in the index."""

    def __init__(self, out):
        self.out = out
        out.mkdir(parents=True, exist_ok=True)

    def floats(self, name, array):
        """Write float32 values and return the file's name."""
        np.ascontiguousarray(array, "<f4").tofile(self.out / f"{name}.f32")
        return f"{name}.f32"

    def samples(self, name, array):
        """Write int16 samples and return the file's name."""
        np.asarray(array, "<i2").tofile(self.out / f"{name}.s16")
        return f"{name}.s16"


def int16(samples):
    """Samples as a telephone's decoder gives them."""
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)


def clip(vectors, pipeline, name, samples, rate_hz):
    """One voice, from its samples to its avatar."""
    pcm = int16(samples)
    heard = pipeline._hear([pcm.astype(np.float32) / np.float32(32768)], rate_hz)
    face = pipeline.face_of(heard)
    return {
        "name": name,
        "rate_hz": rate_hz,
        "samples": vectors.samples(name, pcm),
        "feature": vectors.floats(f"{name}.feature", heard.feature),
        "descriptor": vectors.floats(f"{name}.descriptor", heard.descriptor),
        "landmarks": vectors.floats(f"{name}.landmarks", face.landmarks),
        "speech_s": heard.speech_s,
        "sound_s": heard.sound_s,
        "narrowband": heard.narrowband,
        "confidence": face.confidence,
        "reason": face.reason,
        "parameters": draw_avatar(face).parameters.to_json(),
    }


def call(vectors, pipeline, name, samples, rate_hz, packets=()):
    """One call: every update of it; by packets (first sample, samples, microsecond) or in one piece."""
    pcm = int16(samples)
    heard = pcm.astype(np.float32) / np.float32(32768)
    stream = pipeline.stream(sample_rate=rate_hz)
    updates = [] if packets else stream.push(heard)
    for first, length, at_us in packets:
        updates += stream.push(heard[first : first + length], at_s=at_us / 1e6)
    updates.append(stream.flush())
    return {
        "name": name,
        "rate_hz": rate_hz,
        "samples": vectors.samples(f"call.{name}", pcm),
        "packets": packets,
        "updates": [
            {
                "state": update.state,
                "speech_s": update.face.speech_s,
                "heard_s": update.heard_s,
                "angle_deg": update.angle_deg,
                "second_voice": update.second_voice,
                "final": update.final,
                "narrowband": update.face.narrowband,
                "confidence": update.face.confidence,
                "feature": vectors.floats(f"call.{name}.{index}.feature", update.face.feature),
                "parameters": draw_avatar(update.face).parameters.to_json(),
            }
            for index, update in enumerate(updates)
        ],
    }


def conversation(voice):
    """Talks with pauses between, a line that hums, and somebody else: the same voice, lower and longer."""
    random = np.random.default_rng(11)
    lower = resample(voice, from_hz=16_000, to_hz=21_000)
    silence, hum = np.zeros(5 * 16_000), 0.02 * random.standard_normal(3 * 16_000)
    pieces = (
        voice[:20_000],
        hum,
        voice,
        silence,
        voice[30_000:50_000],
        silence[:16_000],
        voice,
        lower,
        lower,
        hum,
    )
    return np.concatenate([piece.astype(np.float32) for piece in pieces])


def lossy_line(count):
    """Packets of 20 ms, some lost, some twice, by a clock 300 ppm fast; twenty minutes are missing."""
    packets = []
    for number, first in enumerate(range(0, count - 319, 320)):
        at_us = round(first / 16_000 * 1_000_300) + (1_200_000_000 if 2 * first > count else 0)
        packets += [] if number % 11 == 5 else [(first, 320, at_us)] * (2 if number % 7 == 3 else 1)
    return packets


def parts(vectors, bundle, pipeline, samples):
    """The sample voice through single parts of the way."""
    one = tile_clip(samples, clip_samples=96_000)
    face = pipeline.reconstruct(samples, sample_rate=16_000)
    picture = replace(face, picture=face.image, landmarks=None, texture=None, head=HEAD)
    detector = SpeechDetector(bundle.session("voice_activity").run)
    return {
        "clip": vectors.floats("clip", one),
        "front_ends": {
            name: {
                "spec": spec.to_json(),
                "frames": vectors.floats(
                    f"frames.{name}", clip_front_end(spec).frames(one[: spec.clip_samples])
                ),
            }
            for name, spec in FRONT_ENDS.items()
        },
        "resampled": [
            {
                "rate_hz": rate,
                "input": vectors.floats(f"from.{rate}", given := resample(one, from_hz=16_000, to_hz=rate)),
                "output": vectors.floats(f"to16k.{rate}", resample(given, from_hz=rate)),
            }
            for rate in RATES_HZ
        ],
        "speech": vectors.floats("speech", detector.push(one)),
        "upper_band_db": upper_band_db(one),
        "upper_band_db_narrow": upper_band_db(
            resample(resample(one, from_hz=16_000, to_hz=8_000), from_hz=8_000)
        ),
        "decoded": {
            "landmarks": vectors.floats("decoded.landmarks", face.landmarks),
            "texture": vectors.floats("decoded.texture", face.texture),
            "image": vectors.floats("decoded.image", face.image),
            "parameters": {
                style: draw_avatar(replace(face, confidence=confidence), **options).parameters.to_json()
                for style, confidence, options in (
                    ("plain", 1.0, {}),
                    ("doubtful", 0.5, {}),
                    ("below_the_floor", 0.2, {"skin": "reconstructed"}),
                    ("subdued", 1.0, {"gain": 0.5, "skin": "#102030", "hair": "neutral"}),
                    ("own_skin", 1.0, {"skin": "reconstructed"}),
                )
            },
            "head": {"left": HEAD.left, "right": HEAD.right, "brows": HEAD.brows, "chin": HEAD.chin},
            "picture_parameters": draw_avatar(picture, skin="reconstructed").parameters.to_json(),
        },
    }


def drawings():
    """Parameters and their SVG: nobody's, the extremes, and drawn ones."""
    random = np.random.default_rng(7)
    chosen = [
        AvatarParameters(),
        AvatarParameters(**dict.fromkeys(MEASUREMENTS, 1.0), skin="#0a1B2c"),
        AvatarParameters(**dict.fromkeys(MEASUREMENTS, -1.0), skin="sage"),
        *(AvatarParameters(**{name: sign}) for name in HAIR_MEASUREMENTS for sign in (-1.0, 0.4)),
        *(
            AvatarParameters(
                **dict(zip(MEASUREMENTS, random.uniform(-1, 1, len(MEASUREMENTS)).tolist(), strict=True))
            )
            for _ in range(40)
        ),
    ]
    return [{"parameters": one.to_json(), "svg": draw(one).svg} for one in chosen]


def movement():
    """An avatar on its way to another one."""
    start = AvatarParameters(hair_length=-0.8, skin="clay")
    aim = AvatarParameters(hair_length=0.6, jaw_width=-0.4, skin="#406080")
    morph = Morph(start)
    morph.aim(aim, confidence=0.6, at_s=1.0)
    moments = [(at_s, morph.at(at_s).to_json()) for at_s in (1.0, 1.1, 1.5, 2.5, 20.0)]
    return {
        "start": start.to_json(),
        "aim": aim.to_json(),
        "confidence": 0.6,
        "moments": [{"at_s": at_s, "skin": now["skin"], "parameters": now} for at_s, now in moments],
    }


def write(out, data, bundle_path):
    """Write all vectors, the index last."""
    vectors = Vectors(out)
    voice = read_audio(SAMPLE)
    assert voice.sample_rate_hz == 16_000
    with open_bundle(bundle_path) as bundle:
        pipeline = bundle.pipeline()
        clips = [clip(vectors, pipeline, "sample", voice.samples, 16_000)]
        clips += [
            clip(
                vectors, pipeline, f"sample_{rate}", resample(voice.samples, from_hz=16_000, to_hz=rate), rate
            )
            for rate in (8_000, 44_100, 48_000)
        ]
        clips += [
            clip(vectors, pipeline, "short", voice.samples[20_000:44_000], 16_000),
            clip(vectors, pipeline, "silence", np.zeros(16_000, np.float32), 16_000),
            clip(vectors, pipeline, "long", np.tile(voice.samples, 4), 16_000),
        ]
        real = (
            sorted((data / "audio").glob("*.flac"))[:: max(1, 885 // REAL_CLIPS)][:REAL_CLIPS] if data else []
        )
        clips += [
            clip(vectors, pipeline, f"real_{index}", read_audio(path).samples, 16_000)
            for index, path in enumerate(real)
        ]
        talk = conversation(voice.samples)
        calls = [
            call(vectors, pipeline, "voice", voice.samples, 16_000),
            call(vectors, pipeline, "conversation", talk, 16_000),
            call(vectors, pipeline, "lossy_line", talk, 16_000, lossy_line(len(talk))),
        ]
        index = {
            "precision": bundle.session(
                "encoder" if bundle.manifest.streaming is None else bundle.manifest.streaming.step
            ).precision,
            "clips": clips,
            "calls": calls,
            "morph": movement(),
            "parts": parts(vectors, bundle, pipeline, voice.samples),
            "drawings": drawings(),
        }
    (out / "index.json").write_text(json.dumps(index))
    print(f"{len(clips)} voices, {len(real)} of them real, in {out}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--bundle", type=Path, help="default: the model that comes with the package")
    arguments = parser.parse_args()
    write(
        arguments.out,
        arguments.data if arguments.data and arguments.data.is_dir() else None,
        arguments.bundle,
    )

"""A telephone call, and how the tests hear it."""

import numpy as np

from voxtoon.resample import resample

RATE_HZ = 8_000


def telephone_call(voice):
    """Eight seconds at 8 kHz of a voice at 16 kHz: silence, speech, silence, speech."""
    narrow = resample(voice, from_hz=16_000, to_hz=RATE_HZ)
    silence = np.zeros(RATE_HZ, np.float32)
    return np.concatenate([silence, narrow[:24_000], silence, narrow[24_000:]])


def faces_of(updates):
    return [update.face for update in updates]


def hear(pipeline, call, sizes):
    """Faces of a call that is pushed in chunks of these sizes, over and over."""
    faces = []
    with pipeline.stream(sample_rate=RATE_HZ) as stream:
        start, turn = 0, 0
        while start < len(call):
            faces += faces_of(stream.push(call[start : start + sizes[turn % len(sizes)]]))
            start += sizes[turn % len(sizes)]
            turn += 1
        return [*faces, stream.flush().face]

"""What a call costs, everything included: from PCM at 48 kHz to the drawn avatar, on one thread.

``python -m benchmarks.call [--bundle B] [--minutes M] [--calls N] [--write docs/call.md]``

Each figure is of a process of its own. Times are CPU times, so that other work counts as little as can be;
memory is what the operating system says. The voice is the sample voice, over and over: somebody who never
pauses, which is the costliest call there is.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.page import markdown, tell, verdict
from voxtoon import draw_avatar, open_bundle
from voxtoon.audio import read_audio
from voxtoon.bench.device import describe_device, describe_software, device_key
from voxtoon.bundle import Bundle
from voxtoon.listener import seconds
from voxtoon.resample import resample
from voxtoon.speech import SpeechDetector
from voxtoon.speech_gate import RUN_STRETCHES, SpeechGate
from voxtoon.stream import CallStream, Update

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "voice.flac"
RATE_HZ = 48_000
PACKET_S = 0.02
START, END = "<!-- measured call -->", "<!-- end of measured call -->"

Figures = dict[str, float]


def voice() -> NDArray[np.float32]:
    """The sample voice at 48 kHz."""
    return resample(read_audio(SAMPLE).samples, from_hz=16_000, to_hz=RATE_HZ)


def minute(call: CallStream, samples: NDArray[np.float32]) -> float:
    """CPU seconds of a minute of the call in packets, each update drawn."""
    start = time.process_time()
    packet = round(PACKET_S * RATE_HZ)
    for at in range(0, 60 * RATE_HZ, packet):
        begin = at % (len(samples) - packet)
        for update in call.push(samples[begin : begin + packet]):
            _ = draw_avatar(update.face).svg
    return time.process_time() - start


def minutes(bundle: Bundle, *, count: int) -> Figures:
    """CPU seconds of each minute of a call."""
    samples, call = voice(), bundle.pipeline(threads=1).stream(sample_rate=RATE_HZ)
    minute(bundle.pipeline(threads=1).stream(sample_rate=RATE_HZ), samples)  # what is loaded on first use
    times = [minute(call, samples) for _ in range(count)]
    return {
        "first minute, CPU s": times[0],
        f"minute {count}, CPU s": times[-1],
        "last minute / first": times[-1] / times[0],
        "real-time factor": sum(times) / 60 / count,
    }


def onset_s(bundle: Bundle) -> float:
    """When the first speech of the sample voice begins: the first window of the first run that is speech."""
    activity = bundle.manifest.voice_activity
    assert activity is not None  # of a bundle that a call was heard with
    detector = SpeechDetector(bundle.session(activity.part).run)
    gate = SpeechGate(detector, threshold=activity.threshold)
    certain = int(np.flatnonzero(gate.push(read_audio(SAMPLE).samples))[0])
    return seconds(certain + 1 - RUN_STRETCHES)


def first_draft(bundle: Bundle, *, rounds: int = 15) -> Figures:
    """From the first speech of a call to its first avatar: sound that came, and work of the last push.

    The sound is more than the speech in it by what the resampler holds back (36 ms) and by the packet.
    """
    samples, packet = voice(), round(PACKET_S * RATE_HZ)
    pipeline = bundle.pipeline(threads=1)
    spoken_s = onset_s(bundle)
    works, speech_s = [], 0.0
    for _ in range(rounds):
        call, at = pipeline.stream(sample_rate=RATE_HZ), 0
        updates: list[Update] = []
        while not updates:
            start = time.process_time()
            updates = call.push(samples[at : at + packet])
            for update in updates:
                _ = draw_avatar(update.face).svg
            work = time.process_time() - start
            at += packet
        works.append(work)
        speech_s = updates[0].face.speech_s
    return {
        "speech before the first draft, s": speech_s,
        "sound from its onset on, s": at / RATE_HZ - spoken_s,
        "its work, CPU ms": 1e3 * float(np.median(works)),
    }


def memory(bundle: Bundle, *, pushes: tuple[int, int] = (100, 10_000)) -> Figures:
    """Resident memory after few and after many pushes.

    Another call comes before, so that the pools of Python's own allocator are as large as drawing makes them.
    """
    samples, packet, pipeline = voice(), round(PACKET_S * RATE_HZ), bundle.pipeline(threads=1)

    def push(call: CallStream, numbers: range) -> None:
        for number in numbers:
            begin = number * packet % (len(samples) - packet)
            for update in call.push(samples[begin : begin + packet]):
                _ = draw_avatar(update.face).svg

    push(pipeline.stream(sample_rate=RATE_HZ), range(pushes[1] // 4))
    call, found, done = pipeline.stream(sample_rate=RATE_HZ), [], 0
    for target in pushes:
        push(call, range(done, target))
        done = target
        found.append(resident_mb())
    return {
        f"after {pushes[0]} pushes, MB": found[0],
        f"after {pushes[1]} pushes, MB": found[1],
        "growth, MB": found[1] - found[0],
    }


def many(bundle: Bundle, *, count: int = 50) -> Figures:
    """Resident memory of calls that go on at once, and of one."""
    samples, pipeline = voice()[: 3 * RATE_HZ], bundle.pipeline(threads=1)

    def heard(call: CallStream) -> CallStream:
        for update in call.push(samples):
            _ = draw_avatar(update.face).svg
        return call

    heard(pipeline.stream(sample_rate=RATE_HZ)).close()
    calls = [heard(pipeline.stream(sample_rate=RATE_HZ))]
    one_mb = resident_mb()
    calls += [heard(pipeline.stream(sample_rate=RATE_HZ)) for _ in range(count - 1)]
    all_mb = resident_mb()
    return {
        "one call, MB in all": one_mb,
        f"{count} calls, MB in all": all_mb,
        "each further call, MB": (all_mb - one_mb) / (count - 1),
    }


def resident_mb() -> float:
    """Resident memory of this process, after what is free was given back."""
    import ctypes
    import gc

    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


FIGURES: dict[str, Callable[..., Figures]] = {
    "first draft": first_draft,
    "minutes": minutes,
    "memory": memory,
    "many calls": many,
}

# What a call may cost at most.
LIMITS = {
    "speech before the first draft, s": 1.0,
    "its work, CPU ms": 50.0,
    "last minute / first": 1.05,
    "real-time factor": 0.03,
    "growth, MB": 1.0,
}


def sections(arguments: argparse.Namespace) -> Iterator[str]:
    """Each measured in a process of its own, as one table in Markdown."""
    device, software = describe_device(), describe_software()
    with open_bundle(arguments.bundle) as bundle:
        precisions = {part.name: bundle.session(part.name).precision for part in bundle.manifest.parts}
        parts = ", ".join(f"{part} {precision}" for part, precision in precisions.items())
        name = bundle.manifest.variant
    yield (
        f"`{name}` ({parts}); {device_key(device)}, one thread; Python {software.python}, "
        f"onnxruntime {software.packages['onnxruntime']}. Times are of the processor."
    )
    rows: list[tuple[str, ...]] = [("", "", "measured", "at most", "")]
    for name in FIGURES:
        command = [sys.executable, "-m", "benchmarks.call", *sys.argv[1:], "--only", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        for what, figure in json.loads(done.stdout.splitlines()[-1]).items():
            limit = LIMITS.get(what)
            asked = ("", "") if limit is None else (f"{limit:g}", verdict(figure <= limit))
            rows.append((name, what, f"{figure:.3f}", *asked))
    yield markdown(rows)


def main() -> None:
    """Measure, print a table, and put it into a page where one is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--write", type=Path, metavar="PAGE")
    parser.add_argument("--only", choices=FIGURES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    options = {"minutes": {"count": arguments.minutes}, "many calls": {"count": arguments.calls}}
    if arguments.only is not None:
        with open_bundle(arguments.bundle) as bundle:
            print(json.dumps(FIGURES[arguments.only](bundle, **options.get(arguments.only, {}))))
        return
    tell(sections(arguments), arguments.write, start=START, end=END)


if __name__ == "__main__":
    main()

"""What is timed: each stage of the way from a voice to an avatar, as a call without arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from voxtoon.bench.record import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from voxtoon.bundle import Bundle
    from voxtoon.engines import EngineSpec, Session
    from voxtoon.face import Face
    from voxtoon.golden import Golden
    from voxtoon.manifest import Artefact, Manifest
    from voxtoon.pipeline import Pipeline

Stage = Callable[[], object]

WHOLE: Final = "whole"
"""From samples to an avatar, PNG of 512 pixels."""

SAMPLE_RATE_HZ: Final = 16_000
_CHUNK_SAMPLES: Final = SAMPLE_RATE_HZ // 50


@dataclass(frozen=True)
class Opened:
    """A bundle that is ready to be timed, with its golden values as the input of every stage."""

    bundle: Bundle
    settings: Settings
    golden: Golden

    def session(self, part: str) -> Session:
        """Return a part as the settings want it."""
        wanted = self.settings
        return self.bundle.session(
            part, engine=wanted.engine, precision=wanted.precision, threads=wanted.threads
        )

    def choice(self, part: str) -> tuple[EngineSpec, Artefact]:
        """Return the engine and the artefact of a part."""
        from voxtoon.engines import choose

        session = self.session(part)
        return choose(self.bundle.manifest, part, engine=session.engine, precision=session.precision)

    def whole(self) -> bytes:
        """Go the whole way once."""
        from voxtoon.avatar import draw_avatar

        return draw_avatar(self.pipeline().reconstruct(self.golden.audio, sample_rate=SAMPLE_RATE_HZ)).png()

    def first_avatar_chunks(self) -> int | None:
        """Hear the golden audio as a call; return the number of 20 ms pieces before the first avatar.

        None when the recording ends before one is due.
        """
        from voxtoon.avatar import draw_avatar

        with self.pipeline().stream(sample_rate=SAMPLE_RATE_HZ) as call:
            for start in range(0, len(self.golden.audio), _CHUNK_SAMPLES):
                updates = call.push(self.golden.audio[start : start + _CHUNK_SAMPLES])
                if updates:
                    draw_avatar(updates[0].face).png()
                    return start // _CHUNK_SAMPLES + 1
        return None

    def pipeline(self) -> Pipeline:
        """Return the way from samples to a face as the settings want it."""
        wanted = self.settings
        return self.bundle.pipeline(engine=wanted.engine, precision=wanted.precision, threads=wanted.threads)


def runtime_parts(manifest: Manifest) -> tuple[str, ...]:
    """Return the parts that a device runs, those of the streaming encoder among them.

    An encoder without artefacts is none of them: its step and its head are run in its place.
    """
    return tuple(
        part.name for part in manifest.parts if part.role == "runtime" and manifest.artefacts_of(part.name)
    )


def stages(opened: Opened) -> dict[str, Stage]:
    """Return the stages that a bundle has, in order; what they work on is made here, untimed."""
    from voxtoon.avatar import draw_avatar
    from voxtoon.face import decoded_face
    from voxtoon.front_end import clip_front_end, tile_clip
    from voxtoon.speech import SpeechDetector

    golden, manifest = opened.golden, opened.bundle.manifest
    spec = manifest.front_end
    clip = tile_clip(golden.audio, clip_samples=spec.clip_samples)
    encoder, decoder = opened.session("encoder"), opened.session("decoder")
    feature = encoder.run({"frames": golden.frames})["feature"]
    decoded = decoder.run({"feature": feature})

    def face() -> Face:
        return decoded_face(feature[0], decoded, manifest.face)

    found: dict[str, Stage] = {
        "front_end": lambda: clip_front_end(spec).frames(clip),
        "encoder": lambda: encoder.run({"frames": golden.frames}),
    }
    if manifest.voice_activity is not None:
        detector = opened.session(manifest.voice_activity.part)
        found = {"speech": lambda: SpeechDetector(detector.run).push(golden.audio), **found}
    if manifest.streaming is not None:
        part = manifest.streaming.step
        inputs = example_inputs(manifest, opened.choice(part)[1], golden.frames)
        step = opened.session(part)
        found["step"] = lambda: step.run(inputs)
    found["decoder"] = lambda: decoder.run({"feature": feature})
    found["warp"] = lambda: face().image
    if manifest.avatar_statistics is not None:
        statistics = opened.pipeline().decode(feature[0]).avatar_statistics

        def drawing() -> bytes:
            from dataclasses import replace

            return draw_avatar(replace(face(), avatar_statistics=statistics)).png()

        found["drawing"] = drawing
        found[WHOLE] = opened.whole
    return found


def example_inputs(
    manifest: Manifest, artefact: Artefact, frames: NDArray[np.float32]
) -> dict[str, NDArray[Any]]:
    """Return what an artefact can be run on: frames of a clip where it takes some, and zeros for the rest."""
    inputs: dict[str, NDArray[Any]] = {}
    for tensor in manifest.part(artefact.part).inputs:
        # The only length that is free is that of a clip.
        shape = [size if isinstance(size, int) else frames.shape[1] for size in tensor.shape]
        grid = artefact.states.get(tensor.name)
        inputs[tensor.name] = (
            np.zeros(shape, np.float32) if grid is None else np.full(shape, grid.zero_point, grid.dtype)
        )
    if "frames" in inputs:
        taken = frames[:, : inputs["frames"].shape[1]]
        inputs["frames"][:, : taken.shape[1]] = taken
    return inputs

"""Checking a finished bundle: its files, then every artefact against the golden arrays kept in it.

Each part is run on golden inputs by the engine of this machine, and then the whole way from the golden audio
to the face image and the avatar. Whatever cannot be checked has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from voxtoon.agreement import Agreement, Tolerance, compare
from voxtoon.bundle import ENCODER
from voxtoon.errors import CheckError, VoxtoonError
from voxtoon.golden import DRAWING, Array, Golden, avatar_numbers, kept_values, small_image
from voxtoon.streaming_encoder import SteppedClip, StreamedSession, StreamingSpec

if TYPE_CHECKING:
    from voxtoon.bundle import Bundle
    from voxtoon.engines import Session
    from voxtoon.manifest import Artefact, Streaming

FRONT_END_TOLERANCE: Final = Tolerance(max_abs_relative=1e-5)
# On the whole way errors add up, and the warp and the avatar take differences of pixels and of landmarks.
IMAGE_TOLERANCES: Final = {"fp32": Tolerance(psnr_db=80.0), "fp16": Tolerance(psnr_db=60.0)}
# A landmark's last bit alone is worth 3e-5 of a parameter, and an engine may sum otherwise by four of them.
AVATAR_TOLERANCES: Final = {
    "fp32": Tolerance(max_abs_relative=2e-4),
    "fp16": Tolerance(max_abs_relative=0.05),
}
# In float32 it is the same drawing: not one of its written numbers differs, but for ties.
DRAWING_TOLERANCE: Final = Tolerance(max_abs_relative=0.0)
# Of any other precision: what tells a damaged artefact. How far int8 moves faces is judged on many voices.
IMAGE_TOLERANCE: Final = Tolerance(psnr_db=30.0)
AVATAR_TOLERANCE: Final = Tolerance(max_abs_relative=0.2)


@dataclass(frozen=True)
class Check:
    """One comparison with a golden array.

    Parameters
    ----------
    part, format, precision, output
        What was checked; the part is ``pipeline`` for the whole way.
    tolerance
        What was asked for; None where the bundle does not say.
    agreement
        What was measured; None where nothing could be.
    problem
        Why it failed, in words; None when it did not.
    """

    part: str
    format: str
    precision: str
    output: str
    tolerance: Tolerance | None
    agreement: Agreement | None = None
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return everything, as objects, texts and numbers."""
        return {
            "part": self.part,
            "format": self.format,
            "precision": self.precision,
            "output": self.output,
            "tolerance": None if self.tolerance is None else self.tolerance.to_json(),
            "agreement": None if self.agreement is None else self.agreement.to_json(),
            "problem": self.problem,
        }

    @property
    def failure(self) -> str | None:
        """What failed and by how much, in one line; None when nothing did."""
        if self.problem is None:
            return None
        return f"{self.part} {self.format} {self.precision}, {self.output}: {self.problem}"


def verify(bundle: Bundle, *, only: Collection[Artefact] | None = None) -> Iterator[Check]:
    """Check a bundle. Every check that can be made is made; those that failed have a ``problem``.

    Parameters
    ----------
    bundle
        Open.
    only
        Artefacts to check, and the whole way where encoder and decoder are among them; None checks all.

    Yields
    ------
    Check
        The front end, then each output of each artefact, then the whole way at each format and precision.

    Raises
    ------
    CheckError
        A file is not what the manifest says, or the bundle has no golden audio to be checked with.
    """
    bundle.verify_all()
    golden = Golden(bundle)
    yield from _checks(
        ("front_end", "numpy", "fp32"),
        lambda: {"frames": golden.frames},
        {"frames": ("frames", FRONT_END_TOLERANCE)},
        golden,
    )
    artefacts = bundle.manifest.artefacts if only is None else tuple(only)
    for artefact in artefacts:
        yield from _artefact_checks(bundle, artefact, golden)
    yield from _pipeline_checks(bundle, golden, artefacts)


def run_part(session: Session, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Run a part once.

    Raises
    ------
    CheckError
        The engine failed, in whatever way.
    """
    try:
        return session.run(inputs)
    except Exception as error:  # engines raise classes of their own; none of them may pass for a success
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckError(f"{session.engine} could not run it", got=reason[0]) from error


def agreement_with(reference: Array, outputs: Mapping[str, Array], output: str) -> Agreement:
    """Compare one named output with its reference; CheckError where that is not possible."""
    if output not in outputs:
        raise CheckError("the artefact has no such output", got=", ".join(outputs), expected=output)
    return compare(reference, outputs[output], what=output)


def _checks(
    where: tuple[str, str, str],
    produce: Callable[[], Mapping[str, Array]],
    wanted: Mapping[str, tuple[str, Tolerance | None]],
    golden: Golden,
) -> Iterator[Check]:
    """Compare what is produced with golden arrays; ``wanted``: output -> (golden name, tolerance)."""
    outputs: Mapping[str, Array] = {}
    failure: VoxtoonError | None = None
    try:
        outputs = {name: kept_values(array) for name, array in produce().items()}
    except VoxtoonError as error:
        failure = error
    for output, (name, tolerance) in wanted.items():
        try:
            if failure is not None:
                raise failure
            if tolerance is None:
                raise CheckError(
                    "it cannot be checked: the bundle gives no tolerance", hint="export it again"
                )
            agreement = agreement_with(golden.array(name), outputs, output)
        except VoxtoonError as error:
            yield Check(*where, output, tolerance, problem=str(error))
        else:
            yield Check(*where, output, tolerance, agreement, tolerance.miss(agreement))


def _artefact_checks(bundle: Bundle, artefact: Artefact, golden: Golden) -> Iterator[Check]:
    part = bundle.manifest.part(artefact.part)
    tolerance = None if artefact.parity is None else Tolerance.from_json(artefact.parity.tolerance)
    names = [output.name for output in part.outputs]
    activity, streaming = bundle.manifest.voice_activity, bundle.manifest.streaming

    def produce() -> Mapping[str, Array]:
        session = _session(bundle, artefact.part, artefact.format, artefact.precision)
        if streaming is not None and part.name in (streaming.step, streaming.head):
            return run_part(_over_clip(bundle, session, artefact, streaming), {"frames": golden.frames})
        if activity is not None and activity.part == part.name:
            return {"output": _speech_probabilities(session, golden)}
        return run_part(session, golden.inputs(part))

    if streaming is not None and streaming.step == part.name:
        names = ["trunk"]  # the others are its state and what is valid, and show in the outputs
    if activity is not None and activity.part == part.name:
        names = ["output"]  # the other one is its state, and shows in the outputs that follow
    wanted = {name: (f"{part.name}.{name}", tolerance) for name in names}
    yield from _checks((part.name, artefact.format, artefact.precision), produce, wanted, golden)


def _pipeline_checks(bundle: Bundle, golden: Golden, artefacts: Collection[Artefact]) -> Iterator[Check]:
    """Check the whole way, wherever both the encoder and the decoder are there."""
    manifest = bundle.manifest
    held = {(artefact.part, artefact.format, artefact.precision) for artefact in artefacts}
    encoder = ENCODER
    if not manifest.artefacts_of(ENCODER) and manifest.streaming is not None:
        encoder = manifest.streaming.head  # which gives the feature, together with the step
    for _, file_format, precision in sorted(item for item in held if item[0] == encoder):
        if ("decoder", file_format, precision) not in held:
            continue
        wanted = {"image": ("image", IMAGE_TOLERANCES.get(precision, IMAGE_TOLERANCE))}
        if manifest.avatar_statistics is not None:
            wanted["avatar"] = ("avatar", AVATAR_TOLERANCES.get(precision, AVATAR_TOLERANCE))
            if precision == "fp32":
                wanted["drawing"] = (DRAWING, DRAWING_TOLERANCE)
        yield from _checks(
            ("pipeline", file_format, precision),
            partial(_whole_way, bundle, golden, file_format, precision),
            wanted,
            golden,
        )


def _whole_way(bundle: Bundle, golden: Golden, file_format: str, precision: str) -> dict[str, Array]:
    manifest = bundle.manifest
    feature = run_part(_session(bundle, ENCODER, file_format, precision), {"frames": golden.frames})
    decoded = run_part(_session(bundle, "decoder", file_format, precision), feature)
    outputs: dict[str, Array] = {"image": small_image(decoded, manifest.face)}
    if manifest.avatar_statistics is not None:
        numbers = avatar_numbers(decoded, manifest.face, manifest.avatar_statistics)
        outputs["avatar"] = np.array([numbers[name] for name in sorted(numbers)])
        if "avatar" in manifest.golden:
            outputs["drawing"] = golden.written_like(numbers)
    return outputs


def _over_clip(
    bundle: Bundle, session: Session, artefact: Artefact, streaming: Streaming
) -> SteppedClip | StreamedSession:
    """A step as what takes a whole clip, call by call; a head together with the step that goes before it."""
    spec = StreamingSpec.from_manifest(bundle.manifest)
    assert spec is not None  # the manifest has the entry that was given
    if artefact.part == streaming.step:
        return SteppedClip(session, spec)
    step = _session(bundle, streaming.step, artefact.format, artefact.precision)
    return StreamedSession(step, session, spec)


def _speech_probabilities(session: Session, golden: Golden) -> Array:
    from voxtoon.speech import SpeechDetector

    return SpeechDetector(lambda inputs: run_part(session, inputs)).push(golden.audio)


def _session(bundle: Bundle, part: str, file_format: str, precision: str) -> Session:
    from voxtoon.engines import ENGINES

    for engine in ENGINES.values():
        if engine.format == file_format and engine.is_available():
            return bundle.session(part, engine=engine.name, precision=precision)
    raise CheckError(f"it cannot be checked: no engine for {file_format} is installed")

"""The voices kept apart, and how quantized parts fare with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray

from voxtoon import manifest
from voxtoon.agreement import Tolerance, worst
from voxtoon.bundle import ENCODER, Bundle
from voxtoon.golden import frames_of
from voxtoon.verification import agreement_with, run_part

from .calibration import CalibrationAudio, CalibrationClip
from .faces import Faces, draw
from .formats import CalibratedPart, FloatPart, Inputs, QuantizedFormat, size_bytes
from .gate import judge
from .quality import Quality, Truth, compare
from .recipe import SCHEMES, Recipe
from .report import INT8, UNVERIFIED, PartReport, RefusedError
from .sensitivity import LayerError, layer_errors
from .streamed import Streamed
from .timing import speed_ratio
from .truth import truth_of

if TYPE_CHECKING:
    from voxtoon.engines import Session
    from voxtoon_export.lowering import Content

# Of an int8 artefact on another machine than the one it was made on, against the golden arrays.
TOLERANCE: Final = Tolerance(psnr_db=25.0)
_OF_QUALITY: Final = {"angle_mean_deg", "angle_p95_deg", "drift_deg", "r2_drop", "psnr_db", "ssim"}
_BLAMED_CLIPS: Final = 6
_BLAMED_LAYERS: Final = 3


@dataclass(frozen=True)
class Judged:
    """The voices kept apart, what the float parts of a format make of them, and each part's inputs.

    Attributes
    ----------
    inputs
        Of every voice. Those of the parts of ``streamed`` are whole clips: see `over_clip`.
    streamed
        Step and head, where they are among the parts.
    """

    bundle: Bundle
    format: QuantizedFormat
    clips: tuple[CalibrationClip, ...]
    frames: tuple[NDArray[Any], ...]
    floats: Mapping[str, Session]
    inputs: Mapping[str, list[Inputs]]
    streamed: Streamed | None = None

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        quantized: QuantizedFormat,
        parts: Mapping[str, FloatPart],
        audio: CalibrationAudio,
    ) -> Judged:
        """Read the recordings, and run the float encoder on them."""
        clips = tuple(audio)
        frames = tuple(frames_of(clip.samples, bundle.manifest.front_end) for clip in clips)
        floats = {name: quantized.load(part.content, precision="fp32") for name, part in parts.items()}
        streamed = streamed_of(bundle, parts)
        encoder = encoder_of(floats, streamed)
        of_clips = () if streamed is None else streamed.names
        inputs = {name: list(_inputs(name, bundle, encoder, frames, of_clips)) for name in parts}
        return cls(bundle, quantized, clips, frames, floats, inputs, streamed)

    def is_streamed(self, name: str) -> bool:
        """Whether a part is one of the two that are the encoder on a stream."""
        return self.streamed is not None and name in self.streamed.names

    def quality(self, made: Mapping[str, Content], *, on_a_stream: bool = False) -> Quality:
        """Hold these artefacts, with float ones for the other parts, against the float ones.

        Parameters
        ----------
        on_a_stream
            Let step and head hear the voices, call by call, in the encoder's place.
        """
        mixed, streamed = self._with_floats(made), self.streamed
        if not on_a_stream or streamed is None:
            return compare(self._float_faces, self._faces(mixed, encoder_of(mixed, streamed)), self._truth)
        found = compare(self._float_faces, self._faces(mixed, streamed.encoder(mixed)), self._truth)
        return replace(found, drift_deg=streamed.drift_deg(self.floats, mixed, self.frames))

    @cached_property
    def _float_faces(self) -> Faces:
        return self._faces(self.floats, encoder_of(self.floats, self.streamed))

    @cached_property
    def _truth(self) -> Truth:
        return truth_of(self.bundle, [clip.path for clip in self.clips])

    def _faces(self, sessions: Mapping[str, Session], encoder: Session) -> Faces:
        return draw(self.bundle.manifest, encoder, sessions.get("decoder"), self.frames)

    def parity(self, name: str, made: Mapping[str, Content]) -> manifest.Parity:
        """Worst agreement of one artefact with the float one, on the same inputs."""
        found = []
        reference, candidate = (
            self.over_clip(name, sessions) for sessions in (self.floats, self._with_floats(made))
        )
        for run in self.inputs[name]:
            outputs = run_part(candidate, run)
            found += [agreement_with(value, outputs, output) for output, value in reference.run(run).items()]
        return manifest.Parity(
            reference=f"{self.format.name} fp32", **worst(found).to_json(), tolerance=TOLERANCE.to_json()
        )

    def over_clip(self, name: str, sessions: Mapping[str, Session]) -> Session:
        """Return what takes the inputs of a part: its session, or the one of step and head over a clip."""
        if self.streamed is not None and name in self.streamed.names:
            return self.streamed.over_clip(name, sessions)
        return sessions[name]

    def run_of(self, name: str, session: Session) -> Inputs:
        """Return the inputs of one run of a part, as a session of it takes them: of a step, mid-stream."""
        streamed = self.streamed
        if streamed is None or name not in streamed.names:
            return self.inputs[name][0]
        calls, mean = streamed.heard(
            session if name == streamed.step else self.floats[streamed.step], self.frames[0]
        )
        return calls[-1] if name == streamed.step else mean

    def errors_of(self, part: CalibratedPart, recipe: Recipe, *, clips: int) -> list[LayerError]:
        """Return what each layer of a part alone changes of its outputs, on so many voices."""
        name = part.part.name

        def over_clip(session: Session) -> Session:
            return self.over_clip(name, {**self.floats, name: session})

        return layer_errors(self.format, part, recipe, self.inputs[name][:clips], adapt=over_clip)

    def _with_floats(self, made: Mapping[str, Content]) -> dict[str, Session]:
        lighter = {name: self.format.load(content, precision=INT8) for name, content in made.items()}
        return {**self.floats, **lighter}


def streamed_of(bundle: Bundle, parts: Collection[str]) -> Streamed | None:
    """Return step and head of a bundle where both are among these parts."""
    streamed = Streamed.of(bundle.manifest)
    return streamed if streamed is not None and set(streamed.names) <= set(parts) else None


def of_faces(bundle: Bundle, parts: Mapping[str, FloatPart]) -> dict[str, FloatPart]:
    """Return the parts between a voice and a face: step and head only where they stand for the encoder."""
    streamed = streamed_of(bundle, parts)
    twice = streamed.names if streamed is not None and ENCODER in parts else ()
    return {name: part for name, part in parts.items() if name not in twice}


def encoder_of(sessions: Mapping[str, Session], streamed: Streamed | None) -> Session:
    """Return the encoder, or step and head that stand for it."""
    if ENCODER in sessions or streamed is None:
        return sessions[ENCODER]
    return streamed.encoder(sessions)


def _inputs(
    name: str,
    bundle: Bundle,
    encoder: Session,
    frames: Sequence[NDArray[Any]],
    of_clips: Collection[str],
) -> Iterator[Inputs]:
    """The inputs of a part, from the encoder's: a decoder's are the features."""
    input_name = bundle.manifest.part(ENCODER).inputs[0].name
    for heard in frames:
        run = {input_name: heard}
        yield run if name in (ENCODER, *of_clips) else {"feature": encoder.run(run)["feature"]}


def report_of(
    part: FloatPart, content: Content, quality: Quality, judged: Judged, recipe: Recipe
) -> PartReport:
    """Measure one artefact, and hold it and the whole against the gate."""
    quantized = judged.format
    candidate = quantized.load(content, precision=INT8)
    run = judged.run_of(part.name, candidate)
    audited = quantized.audit(content, run, recipe)
    sizes = size_bytes(part.content), size_bytes(content)
    figures = {**quality.to_json(), "integer_macs": audited.mac_share, "smaller": sizes[0] / sizes[1]}
    if quantized.timed:
        reference = quantized.load(part.content, precision="fp32")
        figures["faster"] = speed_ratio(reference, candidate, judged.run_of(part.name, reference), run)
    precision = SCHEMES[recipe.scheme].precision
    verdicts = judge(
        figures,
        unmeasurable=() if quantized.timed else ("faster",),
        weights_alone=precision != INT8,
    )
    if any(verdict.missed for verdict in verdicts):
        precision += UNVERIFIED
    return PartReport(part.name, quantized.name, precision, *sizes, figures, verdicts, audited.in_float)


def refusal(
    reports: Sequence[PartReport], calibrated: Sequence[CalibratedPart], recipe: Recipe, judged: Judged
) -> RefusedError:
    """Return the error that names the lines that were missed, and the layers at fault."""
    blamed: list[LayerError] = []
    for report, part in zip(reports, calibrated, strict=True):
        if set(report.missed) & _OF_QUALITY:
            blamed += judged.errors_of(part, recipe, clips=_BLAMED_CLIPS)[:_BLAMED_LAYERS]
    return RefusedError(tuple(reports), tuple(blamed))

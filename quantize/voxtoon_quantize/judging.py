"""The voices kept apart, and how quantized parts fare with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from numpy.typing import NDArray

from voxtoon import manifest
from voxtoon.agreement import Tolerance, worst
from voxtoon.bundle import Bundle
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
from .timing import speed_ratio
from .truth import truth_of

if TYPE_CHECKING:
    from voxtoon.engines import Session
    from voxtoon_export.lowering import Content

# Of an int8 artefact on another machine than the one it was made on, against the golden arrays.
TOLERANCE: Final = Tolerance(psnr_db=25.0)
_OF_QUALITY: Final = {"angle_mean_deg", "angle_p95_deg", "r2_drop", "psnr_db", "ssim"}
_BLAMED_CLIPS: Final = 6
_BLAMED_LAYERS: Final = 3


@dataclass(frozen=True)
class Judged:
    """The voices kept apart, what the float parts of a format make of them, and each part's inputs."""

    bundle: Bundle
    format: QuantizedFormat
    clips: tuple[CalibrationClip, ...]
    frames: tuple[NDArray[Any], ...]
    floats: Mapping[str, Session]
    inputs: Mapping[str, list[Inputs]]

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
        inputs = {name: list(_inputs(name, bundle, floats["encoder"], frames)) for name in parts}
        return cls(bundle, quantized, clips, frames, floats, inputs)

    def quality(self, made: Mapping[str, Content]) -> Quality:
        """Hold these artefacts, with float ones for the other parts, against the float ones."""
        lighter = {name: self.format.load(content, precision=INT8) for name, content in made.items()}
        return compare(self._float_faces, self._faces({**self.floats, **lighter}), self._truth)

    @cached_property
    def _float_faces(self) -> Faces:
        return self._faces(self.floats)

    @cached_property
    def _truth(self) -> Truth:
        return truth_of(self.bundle, [clip.path for clip in self.clips])

    def _faces(self, sessions: Mapping[str, Session]) -> Faces:
        return draw(self.bundle.manifest, sessions["encoder"], sessions.get("decoder"), self.frames)

    def parity(self, name: str, content: Content) -> manifest.Parity:
        """Worst agreement of one artefact with the float one, on the same inputs."""
        session = self.format.load(content, precision=INT8)
        found = []
        for run in self.inputs[name]:
            outputs = run_part(session, run)
            found += [
                agreement_with(value, outputs, output) for output, value in self.floats[name].run(run).items()
            ]
        return manifest.Parity(
            reference=f"{self.format.name} fp32", **worst(found).to_json(), tolerance=TOLERANCE.to_json()
        )


def _inputs(name: str, bundle: Bundle, encoder: Session, frames: Sequence[NDArray[Any]]) -> Iterator[Inputs]:
    """The inputs of a part, from the encoder's: a decoder's are the features."""
    input_name = bundle.manifest.part("encoder").inputs[0].name
    for heard in frames:
        run = {input_name: heard}
        yield run if name == "encoder" else {"feature": encoder.run(run)["feature"]}


def report_of(
    part: FloatPart, content: Content, quality: Quality, judged: Judged, recipe: Recipe
) -> PartReport:
    """Measure one artefact, and hold it and the whole against the gate."""
    quantized, run = judged.format, judged.inputs[part.name][0]
    audited = quantized.audit(content, run, recipe)
    sizes = size_bytes(part.content), size_bytes(content)
    figures = {**quality.to_json(), "integer_macs": audited.mac_share, "smaller": sizes[0] / sizes[1]}
    if quantized.timed:
        reference = quantized.load(part.content, precision="fp32")
        candidate = quantized.load(content, precision=INT8)
        figures["faster"] = speed_ratio(reference, candidate, run)
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
            inputs = judged.inputs[report.name][:_BLAMED_CLIPS]
            blamed += layer_errors(judged.format, part, recipe, inputs)[:_BLAMED_LAYERS]
    return RefusedError(tuple(reports), tuple(blamed))

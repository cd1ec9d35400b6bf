"""What all tables are measured on: a bundle's float parts, the recordings, and the voices that are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from voxtoon.bundle import Bundle
from voxtoon.engines.onnx import load
from voxtoon_quantize.calibrating import calibrate_parts
from voxtoon_quantize.calibration import CalibrationAudio
from voxtoon_quantize.formats import CalibratedPart, Inputs, made_by
from voxtoon_quantize.formats.onnx import FORMAT, OnnxPart
from voxtoon_quantize.judging import Judged
from voxtoon_quantize.quality import Quality
from voxtoon_quantize.recipe import Recipe
from voxtoon_quantize.timing import speed_ratio

Table = list[tuple[str, ...]]
Artefacts = Mapping[str, bytes]

QUALITY_HEADER = ("angle", "p95", "PSNR dB", "SSIM", "R2 drop", "landmarks px", "avatar flips")


@dataclass(frozen=True)
class Bench:
    """A bundle's float parts in ONNX, the recordings, and the voices that are judged."""

    bundle: Bundle
    parts: Mapping[str, OnnxPart]
    audio: CalibrationAudio
    judged: Judged

    def inputs(self, name: str) -> Inputs:
        """One input of a part."""
        return self.judged.inputs[name][0]

    @cached_property
    def calibrated(self) -> list[CalibratedPart]:
        """The parts, seen once for all recipes: none of them has more static layers, or other factors."""
        return calibrate_parts(self.bundle, FORMAT, self.parts, Recipe(), self.audio, for_factors=True)

    def made(self, recipe: Recipe, parts: Mapping[str, OnnxPart] | None = None) -> dict[str, bytes]:
        """The artefacts of a recipe, of other float parts where these are given."""
        if parts is None:
            calibrated = self.calibrated
        elif recipe.scheme == "fp32":
            calibrated = [part.calibrate(recipe, ()) for part in parts.values()]
        else:
            calibrated = calibrate_parts(self.bundle, FORMAT, parts, recipe, self.audio)
        made = made_by(recipe, calibrated)
        return {name: content for name, content in made.items() if isinstance(content, bytes)}

    def rewritten(self, names: tuple[str, ...]) -> dict[str, OnnxPart]:
        """The parts with these rewrites alone."""
        return {name: OnnxPart(name, part.content, names) for name, part in self.parts.items()}

    def speed(self, name: str, content: bytes) -> float:
        """How many times faster than float32."""
        reference = load(self.parts[name].content, precision="fp32", threads=1)
        return speed_ratio(reference, load(content, precision="int8", threads=1), self.inputs(name))


def quality_cells(found: Quality) -> tuple[str, ...]:
    """The cells under `QUALITY_HEADER`."""
    cells = [f"{found.angle_mean_deg:.2f}", f"{found.angle_p95_deg:.2f}"]
    if found.psnr_db is not None:
        cells += [f"{found.psnr_db:.1f}", f"{found.ssim:.4f}", f"{found.r2_drop:.4f}"]
    if found.landmark_shift_px is not None:
        cells.append(f"{found.landmark_shift_px:.3f}")
    if found.avatar_flips is not None:
        cells.append(f"{100 * found.avatar_flips:.1f} %")
    return tuple(cells)

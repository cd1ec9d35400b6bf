"""From a bundle to the same with int8 artefacts: calibrate, quantize, audit, judge, and write or refuse."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxtoon.bundle import ENCODER, Bundle, open_bundle
from voxtoon.errors import InputError
from voxtoon_export.evaluation.split import is_held_out

from .bundle_parts import Made, float_parts, place_of, write_with
from .calibrating import calibrate_parts
from .calibration import CalibrationAudio
from .formats import (
    FloatPart,
    QuantizedFormat,
    check_schemes,
    made_by,
    quantized_format,
)
from .judging import Judged, of_faces, refusal, report_of, streamed_of
from .layer_effects import EffectCache, LayerEffect, worst_first
from .recipe import SCHEMES, Recipe
from .report import FormatReport, Report
from .search import Found, Goal, search

Progress = Callable[[str], None]


def quantize(
    path: Path,
    *,
    audio: Path,
    recipe: Recipe,
    formats: Sequence[str] = ("onnx",),
    output: Path | None = None,
    clips: int = 64,
    judged_clips: int = 64,
    allow: bool = False,
    goal: Goal | None = None,
    keep: Collection[str] | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """Add int8 artefacts to a bundle.

    Parameters
    ----------
    path
        A bundle with float32 artefacts of the formats; those of int8 that it has already are replaced.
    audio
        Folder of recordings. A fifth of the speakers, by a fixed rule, is kept apart to judge on.
    recipe, formats
        What to do, and in which formats.
    output
        Where to write; None for the place of the bundle itself, if that is one file.
    clips, judged_clips
        Recordings to calibrate on and to judge on, at most.
    allow
        Keep what misses the gate, under the name ``int8-unverified``.
    goal
        Give layers other schemes than the recipe's until this is met.
    keep
        The precisions that stay in the bundle besides int8; None for all that it has.
    cache
        As for `sensitivity`, which a goal may ask for.
    progress
        Called with a few words before each step.

    Raises
    ------
    InputError
        The recipe names what is not there or makes no integers, the audio cannot be used, or the bundle lacks
        a float32 part.
    CheckError
        A part misses the gate: the lines it misses, and the layers at fault. Nothing is written then.
    """
    place = place_of(path, output)
    tell = progress or (lambda words: None)
    with open_bundle(path) as bundle:
        opened = [_Opened.of(bundle, name, recipe) for name in dict.fromkeys(formats)]
        heard, kept = _recordings(audio, clips, judged_clips)
        reports, made = [], []
        for work in opened:
            report, artefacts = _quantized(bundle, work, recipe, heard, kept, allow, goal, cache, tell)
            reports.append(report)
            made += artefacts
        tell("writing the bundle")
        write_with(bundle, place, made, keep=keep)
    skipped = (*heard.skipped, *kept.skipped)
    return Report(place, tuple(reports), heard.used, kept.used, skipped)


def sensitivity(
    path: Path,
    *,
    audio: Path,
    recipe: Recipe,
    format_name: str = "onnx",
    clips: int = 32,
    judged_clips: int = 16,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> list[LayerEffect]:
    """Tell what each layer of a bundle costs the final face; nothing is written.

    Parameters
    ----------
    path, audio, recipe, clips, judged_clips, progress
        As for `quantize`.
    format_name
        The format to do it in.
    cache
        A folder that keeps what was found, and gives it again for the same artefacts and recordings.

    Returns
    -------
    list of LayerEffect
        The worst first.

    Raises
    ------
    InputError
        As for `quantize`.
    """
    tell = progress or (lambda words: None)
    with open_bundle(path) as bundle:
        work = _Opened.of(bundle, format_name, recipe)
        tell("calibrating")
        heard, kept = _recordings(audio, clips, judged_clips)
        parts = of_faces(bundle, work.parts)
        calibrated = calibrate_parts(bundle, work.format, parts, recipe, heard)
        judged = Judged.of(bundle, work.format, parts, kept)
        found = []
        known = EffectCache(cache, (heard.digest, kept.digest))
        for effect in known.effects(calibrated, recipe, judged):
            tell(f"judged {effect.part}.{effect.layer}")
            found.append(effect)
    return worst_first(found)


@dataclass(frozen=True)
class _Opened:
    """The float parts of a bundle in one format, which a recipe was found to fit."""

    format: QuantizedFormat
    parts: Mapping[str, FloatPart]

    @classmethod
    def of(cls, bundle: Bundle, name: str, recipe: Recipe) -> _Opened:
        quantized = quantized_format(name)
        parts = float_parts(bundle, quantized)
        if ENCODER not in parts and streamed_of(bundle, parts) is None:
            raise InputError(
                f"the bundle has no encoder that can be quantized in {name}",
                got=", ".join(parts),
                expected=ENCODER,
                hint="export it again",
            )
        recipe.check_names({part.name: part.layers for part in parts.values()})
        check_schemes(quantized, recipe)
        if SCHEMES[recipe.scheme].weight_bits > 8:
            smaller = [name for name in quantized.schemes if SCHEMES[name].weight_bits <= 8]
            raise InputError(
                "the recipe leaves most layers float",
                got=recipe.scheme,
                expected=" or ".join(smaller),
                hint="fp16 is made by `voxtoon export --precision fp16`",
            )
        return cls(quantized, parts)


def _quantized(
    bundle: Bundle,
    work: _Opened,
    recipe: Recipe,
    heard: CalibrationAudio,
    kept: CalibrationAudio,
    allow: bool,
    goal: Goal | None,
    cache: Path | None,
    tell: Progress,
) -> tuple[FormatReport, list[Made]]:
    """Quantize the parts in one format; raises as `quantize` does."""
    tell(f"calibrating {work.format.name}")
    lighter = goal is not None and goal.max_bytes is not None
    calibrated = calibrate_parts(bundle, work.format, work.parts, recipe, heard, for_factors=lighter)
    tell("judging on speakers kept apart")
    judged = Judged.of(bundle, work.format, work.parts, kept)
    known = EffectCache(cache, (heard.digest, kept.digest))
    found = search(calibrated, recipe, judged, goal, known) if goal else Found(recipe, ())
    made = made_by(found.recipe, calibrated)
    quality = judged.quality(made)
    on_a_stream = judged.quality(made, on_a_stream=True) if judged.streamed else None
    reports = []
    for name, content in made.items():
        tell(f"auditing {name} {work.format.name}")
        of_part = on_a_stream if on_a_stream and judged.is_streamed(name) else quality
        reports.append(report_of(work.parts[name], content, of_part, judged, found.recipe))
    if not allow and any(report.missed for report in reports):
        raise refusal(reports, calibrated, found.recipe, judged)
    artefacts = [
        Made(report, made[report.name], judged.parity(report.name, made), found.recipe) for report in reports
    ]
    report = FormatReport(work.format.name, found.recipe, tuple(reports), quality, found.steps, on_a_stream)
    return report, artefacts


def _recordings(audio: Path, clips: int, judged_clips: int) -> tuple[CalibrationAudio, CalibrationAudio]:
    """Those to calibrate on, and those of other speakers to judge on."""
    heard = CalibrationAudio(audio, clips=clips, use_speaker=lambda speaker: not is_held_out(speaker))
    kept = CalibrationAudio(audio, clips=judged_clips, telephone_share=0.0, use_speaker=is_held_out)
    return heard, kept

"""From a bundle to the same with int8 artefacts: calibrate, quantize, audit, judge, and write or refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from voxtoon.bundle import Bundle, open_bundle
from voxtoon.engines.onnx import load
from voxtoon.errors import InputError
from voxtoon.golden import frames_of
from voxtoon_export.evaluation.split import is_held_out

from .bundle_parts import float_parts, place_of, write_with
from .calibration import CalibrationAudio
from .judging import Judged, refusal, report_of
from .layer_effects import LayerEffect, layer_effects, worst_first
from .part import CalibratedPart, FloatPart, Inputs
from .recipe import SCHEMES, Recipe
from .report import INT8, Report
from .search import Found, Goal, search

Progress = Callable[[str], None]


def quantize(
    path: Path,
    *,
    audio: Path,
    recipe: Recipe,
    output: Path | None = None,
    clips: int = 64,
    judged_clips: int = 64,
    allow: bool = False,
    goal: Goal | None = None,
    progress: Progress | None = None,
) -> Report:
    """Add int8 artefacts to a bundle.

    Parameters
    ----------
    path
        A bundle with float32 ONNX artefacts; those of int8 that it has already are replaced.
    audio
        Folder of recordings. A fifth of the speakers, by a fixed rule, is kept apart to judge on.
    recipe
        What to do.
    output
        Where to write; None for the place of the bundle itself, if that is one file.
    clips, judged_clips
        Recordings to calibrate on and to judge on, at most.
    allow
        Keep what misses the gate, under the name ``int8-unverified``.
    goal
        Give layers other schemes than the recipe's until this is met.
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
    tell = progress or (lambda words: None)
    place = place_of(path, output)
    with open_bundle(path) as bundle:
        parts = float_parts(bundle.manifest, bundle.read)
        _check(recipe, parts)
        tell("calibrating")
        heard, kept = _recordings(audio, clips, judged_clips)
        calibrated = calibrate_parts(bundle, parts, recipe, heard)
        tell("judging on speakers kept apart")
        judged = Judged.of(bundle, parts, kept)
        found = search(calibrated, recipe, judged, goal) if goal else Found(recipe, ())
        recipe = found.recipe
        made = {part.part.name: part.quantize(recipe) for part in calibrated}
        quality = judged.quality(made)
        reports = []
        for part in calibrated:
            tell(f"auditing {part.part.name}")
            name = part.part.name
            reports.append(report_of(part, made[name], quality, judged.inputs[name][0], recipe))
        missed = [report.name for report in reports if report.precision != INT8]
        if missed and not allow:
            raise refusal(reports, calibrated, recipe, judged)
        tell("writing the bundle")
        agreements = {name: judged.parity(name, content) for name, content in made.items()}
        write_with(bundle, place, recipe, reports, made, agreements)
    return Report(
        place,
        recipe,
        tuple(reports),
        quality,
        heard.used,
        kept.used,
        (*heard.skipped, *kept.skipped),
        found.steps,
    )


def sensitivity(
    path: Path,
    *,
    audio: Path,
    recipe: Recipe,
    clips: int = 32,
    judged_clips: int = 16,
    progress: Progress | None = None,
) -> list[LayerEffect]:
    """Tell what each layer of a bundle costs the final face; nothing is written.

    Parameters
    ----------
    path, audio, recipe, clips, judged_clips, progress
        As for `quantize`.

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
        parts = float_parts(bundle.manifest, bundle.read)
        _check(recipe, parts)
        tell("calibrating")
        heard, kept = _recordings(audio, clips, judged_clips)
        calibrated = calibrate_parts(bundle, parts, recipe, heard)
        judged = Judged.of(bundle, parts, kept)
        found = []
        for effect in layer_effects(calibrated, recipe, judged):
            tell(f"judged {effect.part}.{effect.layer}")
            found.append(effect)
    return worst_first(found)


def _recordings(audio: Path, clips: int, judged_clips: int) -> tuple[CalibrationAudio, CalibrationAudio]:
    """Those to calibrate on, and those of other speakers to judge on."""
    heard = CalibrationAudio(audio, clips=clips, use_speaker=lambda speaker: not is_held_out(speaker))
    kept = CalibrationAudio(audio, clips=judged_clips, telephone_share=0.0, use_speaker=is_held_out)
    return heard, kept


def calibrate_parts(
    bundle: Bundle, parts: Mapping[str, FloatPart], recipe: Recipe, audio: CalibrationAudio
) -> list[CalibratedPart]:
    """Show recordings to every part: frames to the encoder, and what it made of them to the decoder."""
    encoder = load(parts["encoder"].content, precision="fp32", threads=1)
    input_name = bundle.manifest.part("encoder").inputs[0].name
    features: list[Inputs] = []

    def frames() -> Iterator[Inputs]:
        for clip in audio:
            run = {input_name: frames_of(clip.samples, bundle.manifest.front_end)}
            features.append({"feature": encoder.run(run)["feature"]})
            yield run

    heard = list(parts)
    calibrated = [parts["encoder"].calibrate(recipe, frames())]
    if not features:  # nothing of the encoder is static
        for _ in frames():
            pass
    return calibrated + [parts[name].calibrate(recipe, features) for name in heard if name != "encoder"]


def _check(recipe: Recipe, parts: Mapping[str, FloatPart]) -> None:
    if "encoder" not in parts:
        raise InputError("the bundle has no encoder", got=", ".join(parts), expected="encoder")
    recipe.check_names({name: part.layers for name, part in parts.items()})
    if SCHEMES[recipe.scheme].activations == "float":
        integer = [name for name, scheme in SCHEMES.items() if scheme.activations != "float"]
        raise InputError(
            "the recipe makes no integers of most layers",
            got=recipe.scheme,
            expected=" or ".join(integer),
            hint="fp16 is made by `voxtoon export --precision fp16`",
        )

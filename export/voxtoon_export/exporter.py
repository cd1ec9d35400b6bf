"""From a checkpoint to a bundle: lower every part, check it against torch on audio, write all or nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from voxtoon import manifest
from voxtoon.errors import InputError
from voxtoon_export import checkpoint_manifest, voice_activity
from voxtoon_export.bundle_writer import write_bundle
from voxtoon_export.checked_artefacts import CheckedArtefacts
from voxtoon_export.golden import golden_files, sample_voice
from voxtoon_export.lowering import Format, format_named
from voxtoon_export.model_card import declaration_of, render
from voxtoon_export.parity import Case, Clip, read_clip, reference_cases
from voxtoon_export.streaming.artefacts import StreamedEncoder
from voxtoon_export.streaming.plan import streaming_units

if TYPE_CHECKING:
    import onnx

    from voxtoon_export.checkpoint import Checkpoint

STREAMING: Final = ("both", "only", "none")
MODEL_CARD: Final = "model_card.md"
NOTICES: Final = "THIRD_PARTY.md"
Progress = Callable[[str], None]
Cases = Mapping[str, Sequence[Case]]


@dataclass(frozen=True)
class Report:
    """What an export made.

    Parameters
    ----------
    bundle
        Where it is.
    manifest
        What it holds, the measured parity included; the files are listed in the bundle's own.
    sizes_bytes
        File of an artefact to its size.
    clips
        The audio that everything was checked on.
    notes
        What the reader should know besides: what the checkpoint does not have.
    """

    bundle: Path
    manifest: manifest.Manifest
    sizes_bytes: Mapping[str, int]
    clips: tuple[str, ...]
    notes: tuple[str, ...]


def export(
    checkpoint: Checkpoint,
    *,
    output: str | os.PathLike[str],
    formats: Sequence[str] = ("onnx",),
    precisions: Sequence[str] = ("fp32",),
    audio: Sequence[str | os.PathLike[str]] = (),
    streaming: str = "both",
    progress: Progress | None = None,
) -> Report:
    """Export a checkpoint to a bundle.

    Parameters
    ----------
    checkpoint
        Every part that it has is exported.
    output
        ``*.voxtoon`` for one file, any other name for a folder.
    formats, precisions
        Every part is made in each format at each precision.
    audio
        Sound files to check on, besides the project's sample voice.
    streaming
        One of `STREAMING`. ``both``: an encoder that streams is exported as it is, and as step and head;
        ``only``: as step and head, which stand for it then; ``none``: as it is.
    progress
        Called with a few words before each step.

    Raises
    ------
    InputError
        A format or precision is unknown, a sound file cannot be read, the output cannot be written, or an
        encoder that cannot be streamed is to be so only.
    CheckError
        An artefact misses its tolerance or cannot be checked. No bundle is written then.
    """
    tell = progress or (lambda words: None)
    wanted = list(dict.fromkeys(precisions))
    chosen = [_format(name, wanted) for name in dict.fromkeys(formats)]
    _check_folder(Path(output))
    is_streamed = _is_streamed(checkpoint, streaming)
    clips = [sample_voice(), *(read_clip(path) for path in audio)]
    face = checkpoint_manifest.face_entry(checkpoint)
    tell("running the parts in torch")
    modules = {
        name: (checkpoint.variant.parts[name], checkpoint.network(name)) for name in _parts(checkpoint)
    }
    streamed = StreamedEncoder.of(modules["encoder"][1]) if is_streamed else None
    about = partial(checkpoint_manifest.about, checkpoint)
    cases = reference_cases(modules, clips, front_end=checkpoint.variant.front_end, face=face)
    with tempfile.TemporaryDirectory() as folder:
        made = CheckedArtefacts(Path(folder))
        for file_format in chosen:
            for name, (part, module) in modules.items():
                if streaming == "only" and name == "encoder":
                    continue
                tell(f"lowering {name} to {file_format.name}")
                for precision, content in file_format.lower(module, part, wanted).items():
                    tell(f"checking {name} {file_format.name} {precision}")
                    content = file_format.labelled(content, about(name))
                    made.add(file_format, name, precision, content, cases[name], module=module)
            if streamed is not None:
                tell(f"lowering and checking the streaming encoder in {file_format.name}")
                for artefact in streamed.checked(file_format, wanted, cases["encoder"], about=about):
                    made.let_in(file_format, *artefact)
        tell("voice activity")
        activity = voice_activity.specialised_model()
        cases |= {voice_activity.NAME: voice_activity.original_cases(clips)}
        for file_format in chosen:
            voice_activity.add_to(made, activity, file_format, cases[voice_activity.NAME])
        files, golden = _other_files(checkpoint, made, cases, clips, face, streamed)
        described = _manifest(checkpoint, made, face, golden, streamed, activity)
        tell("writing the bundle")
        bundle = write_bundle(output, manifest_without_files=described, files={**made.files, **files})
    return Report(bundle, described, made.sizes_bytes, tuple(clip.name for clip in clips), _notes(checkpoint))


def _format(name: str, precisions: Sequence[str]) -> Format:
    found = format_named(name)
    for precision in precisions:
        if precision not in found.tolerances:
            raise InputError(
                f"unknown precision for {name}", got=precision, expected=" or ".join(found.tolerances)
            )
    return found


def _check_folder(output: Path) -> None:
    """Refuse before the work what the writer would refuse after it."""
    if not output.absolute().parent.is_dir():
        raise InputError("no folder to write the bundle to", got=str(output.parent), hint="make it first")


def _is_streamed(checkpoint: Checkpoint, streaming: str) -> bool:
    """Whether step and head are made; raises InputError where they are wanted and cannot be."""
    if streaming not in STREAMING:
        raise InputError("unknown choice of streaming", got=streaming, expected=" or ".join(STREAMING))
    encoder = checkpoint.variant.parts["encoder"]
    if streaming == "only" and not encoder.streamable:
        streaming_units(encoder)  # says what is in the way
    return streaming != "none" and bool(encoder.streamable)


def _parts(checkpoint: Checkpoint) -> list[str]:
    return [name for name in checkpoint.variant.parts if name in checkpoint.tensors]


def _notes(checkpoint: Checkpoint) -> tuple[str, ...]:
    missing = [name for name in checkpoint.variant.parts if name not in checkpoint.tensors]
    notes = [f"the checkpoint has no {name}: the bundle has none" for name in missing]
    if "decoder" in missing:
        notes.append("without a decoder the bundle gives features, no faces and no avatars")
    elif checkpoint.variant.picture is not None:
        notes.append("the decoder draws pictures without landmarks: the avatar's geometry is neutral")
        if checkpoint.avatar_statistics is None:
            notes.append(
                "the checkpoint has no avatar statistics: those of the system's declaration are taken"
            )
    elif checkpoint.avatar_statistics is None:
        notes.append("the checkpoint has no avatar statistics: the bundle gives faces, no avatars")
    return tuple(notes)


def _other_files(
    checkpoint: Checkpoint,
    made: CheckedArtefacts,
    cases: Cases,
    clips: Sequence[Clip],
    face: manifest.FaceShape,
    streamed: StreamedEncoder | None,
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the files that are no artefacts, and the manifest's golden names of some of them."""
    of_sample = {
        name: next(case for case in of_part if case.name == clips[0].name) for name, of_part in cases.items()
    }
    frames = of_sample["encoder"].inputs["frames"]
    outputs = {name: case.outputs for name, case in of_sample.items()}
    golden = golden_files(
        clips[0],
        frames,
        outputs if streamed is None else {**outputs, **streamed.golden(of_sample["encoder"])},
        face=face,
        statistics=checkpoint_manifest.avatar_statistics_entry(checkpoint),
    )
    card = render(checkpoint, made.artefacts, [clip.name for clip in clips])
    files = {MODEL_CARD: card.encode(), NOTICES: voice_activity.NOTICE.encode(), **dict(golden.values())}
    return files, {name: file for name, (file, _) in golden.items()}


def _manifest(
    checkpoint: Checkpoint,
    made: CheckedArtefacts,
    face: manifest.FaceShape,
    golden: Mapping[str, str],
    streamed: StreamedEncoder | None,
    activity: onnx.ModelProto,
) -> manifest.Manifest:
    variant, declared = checkpoint.variant, declaration_of(checkpoint.model_card)
    parts = [
        checkpoint_manifest.part_entry(variant.parts[name], variant.front_end, licence=declared.licence)
        for name in _parts(checkpoint)
    ]
    if streamed is not None:
        parts += streamed.part_entries(variant.front_end, licence=declared.licence)
    return manifest.Manifest(
        system=variant.system,
        variant=variant.name,
        front_end=variant.front_end,
        parts=(*parts, voice_activity.part_entry(activity)),
        artefacts=tuple(made.artefacts),
        files={},
        face=face,
        model_card=MODEL_CARD,
        licence=declared.licence,
        intended_use=declared.intended_use,
        limits=declared.limits,
        golden=golden,
        domain=checkpoint_manifest.domain_entry(checkpoint),
        avatar_statistics=checkpoint_manifest.avatar_statistics_entry(checkpoint),
        voice_activity=manifest.VoiceActivity(
            voice_activity.NAME,
            voice_activity.WINDOW_SAMPLES,
            voice_activity.CONTEXT_SAMPLES,
            voice_activity.THRESHOLD,
        ),
        streaming=None if streamed is None else streamed.manifest_entry(),
    )

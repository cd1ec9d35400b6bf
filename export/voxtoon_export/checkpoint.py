"""Checkpoints: trained weights and what is known of them, read in several layouts and written in one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import InputError
from voxtoon.front_end import FrontEndSpec

from .checkpoint_files import TORCH_COUNTER, CheckpointFile, as_float32, read_checkpoint_file
from .checkpoint_layouts import Layout, detect
from .checkpoint_layouts import layout as layout_named
from .checkpoint_layouts.fitting import fit, variant_by_shapes
from .checkpoint_layouts.voxtoon import LAYOUT as OURS
from .systems import Variant
from .systems import variant as variant_named

if TYPE_CHECKING:
    from .network import Network

STATISTICS = (
    "mean_feature",
    "feature_std",
    "mean_landmarks",
    "domain_mean",
    "domain_whitener",
    "domain_distances",
)
_STATISTICS = "statistics."
_METADATA = "voxtoon."

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Checkpoint:
    """Trained weights, and what is known of them.

    Parameters
    ----------
    variant
        What the weights are of, with the front end they were trained on.
    tensors
        For each part that is there, its tensors by ``<layer>.<tensor>``.
    statistics
        Of the training data, by the names of `STATISTICS`; empty for the checkpoints of others.
    avatar_statistics, model_card
        As JSON objects; None and empty where there are none.
    layout
        The name of the layout it was read from.
    foreign_frames
        What its encoder's frames are, where the variant's front end does not make them; nothing but the
        weights is to be used then.
    """

    variant: Variant
    tensors: Mapping[str, Mapping[str, Array]]
    statistics: Mapping[str, Array] = field(default_factory=dict)
    avatar_statistics: Mapping[str, Any] | None = None
    model_card: Mapping[str, Any] = field(default_factory=dict)
    layout: str = OURS.name
    foreign_frames: str | None = None

    def network(self, part: str) -> Network:
        """A part as a torch module with these weights, in eval mode.

        Raises
        ------
        InputError
            The checkpoint does not have that part.
        """
        import torch

        from .network import build

        if part not in self.tensors:
            raise InputError("the checkpoint has no such part", got=part, expected=" or ".join(self.tensors))
        network = build(self.variant.parts[part])
        network.load_state_dict({name: torch.tensor(array) for name, array in self.tensors[part].items()})
        return network.eval()


def load_checkpoint(
    path: str | os.PathLike[str],
    *,
    system: str | None = None,
    variant: str | Variant | None = None,
    layout: str | None = None,
    accept_foreign_frames: bool = False,
) -> Checkpoint:
    """Read a checkpoint, of ours or of a program that `checkpoint_layouts` knows.

    Parameters
    ----------
    path
        ``.safetensors``, ``.pt``, ``.pth`` or ``.h5``. Nothing in it is executed.
    system, variant
        What it is of; told by the file if not given, and checked against it if it tells too.
    layout
        The layout; told by the names of its tensors if not given.
    accept_foreign_frames
        Whether to read weights whose frames no front end of ours makes. Fed with frames of ours they would
        give features without meaning, so that this is refused unless asked for.

    Returns
    -------
    Checkpoint
        Of every part that is in the file, whole.

    Raises
    ------
    InputError
        The file is missing, damaged, would run code or is of no known layout; tensors are missing, too many
        or of another shape (named, as the file calls them); the frames are foreign.
    """
    file = read_checkpoint_file(Path(path))
    weights = {key: array for key, array in file.tensors.items() if not key.startswith(_STATISTICS)}
    statistics = {
        key.removeprefix(_STATISTICS): file.tensors[key] for key in file.tensors.keys() - weights.keys()
    }
    found_layout = layout_named(layout) if layout else detect(weights)
    found = _variant(file, found_layout, weights, system=system, variant=variant)
    if found_layout.frames and not accept_foreign_frames:
        raise InputError(
            f"a checkpoint of {found_layout.title} needs frames of another kind",
            got=found_layout.frames,
            expected=f"{found.front_end.kind} of the front end",
            hint="train it again on our frames; accept_foreign_frames reads the weights alone",
        )
    _check_statistics(statistics, found)
    return Checkpoint(
        variant=found,
        tensors=fit(found_layout, found, weights),
        statistics=statistics,
        avatar_statistics=_json(file, "avatar_statistics"),
        model_card=_json(file, "model_card") or {},
        layout=found_layout.name,
        foreign_frames=found_layout.frames,
    )


def save_checkpoint(
    path: str | os.PathLike[str],
    *,
    variant: Variant,
    tensors: Mapping[str, Mapping[str, Any]],
    statistics: Mapping[str, Any] | None = None,
    avatar_statistics: Mapping[str, Any] | None = None,
    model_card: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint of ours, whole or not at all; the same contents give the same bytes.

    Parameters
    ----------
    path
        Ends with ``.safetensors``.
    variant
        What it is of.
    tensors
        For each part, arrays or torch tensors by ``<layer>.<tensor>``: a ``state_dict``.
    statistics, avatar_statistics, model_card
        As in `Checkpoint`.

    Raises
    ------
    InputError
        Tensors are missing, too many, of another shape or not finite; nothing is written.
    """
    place = Path(path)
    if place.suffix != ".safetensors":
        raise InputError("name of a checkpoint to write", got=place.name, expected="*.safetensors")
    arrays = {
        f"{part}.{name}": as_float32(f"{part}.{name}", value)
        for part, state in tensors.items()
        for name, value in state.items()
        if not name.endswith(TORCH_COUNTER)
    }
    fit(OURS, variant, arrays)
    kept = {name: as_float32(name, value) for name, value in (statistics or {}).items()}
    _check_statistics(kept, variant)
    texts: dict[str, Any] = {"front_end": variant.front_end.to_json(), "model_card": dict(model_card or {})}
    if avatar_statistics is not None:
        texts["avatar_statistics"] = dict(avatar_statistics)
    _write(
        place,
        arrays | {_STATISTICS + name: array for name, array in kept.items()},
        {_METADATA + "system": variant.system, _METADATA + "variant": variant.name}
        | {_METADATA + name: json.dumps(value, sort_keys=True) for name, value in texts.items()},
    )


def _variant(
    file: CheckpointFile,
    layout: Layout,
    weights: Mapping[str, Array],
    *,
    system: str | None,
    variant: str | Variant | None,
) -> Variant:
    told = file.metadata.get(_METADATA + "variant")
    named = variant or told or layout.variant
    if isinstance(named, str):
        named = variant_named(named)
    found = named or variant_by_shapes(layout, weights, system=system)
    for what, got, expected in (("variant", told, found.name), ("system", found.system, system)):
        if got and expected and got != expected:
            raise InputError(f"the checkpoint is of another {what}", got=got, expected=expected)
    front_end = _json(file, "front_end")
    if front_end is None:
        return found
    spec = FrontEndSpec.from_json(front_end)
    if spec.frame_shape != found.front_end.frame_shape:
        raise InputError(
            f"front end of a checkpoint of {found.name}", got=spec.kind, expected=found.front_end.kind
        )
    return replace(found, front_end=spec)


def _check_statistics(statistics: Mapping[str, Array], variant: Variant) -> None:
    decoder = variant.parts["decoder"]
    feature = decoder.input.shape[1:]
    shapes = {"mean_feature": feature, "feature_std": feature}
    shapes |= {f"mean_{output.name}": output.shape[1:] for output in decoder.outputs}
    for name, array in statistics.items():
        if name not in STATISTICS:
            raise InputError(
                "unknown statistics of a checkpoint", got=name, expected="of " + ", ".join(STATISTICS)
            )
        if array.shape != shapes.get(name, array.shape):
            raise InputError(f"shape of the statistics {name}", got=array.shape, expected=shapes[name])


def _json(file: CheckpointFile, name: str) -> dict[str, Any] | None:
    text = file.metadata.get(_METADATA + name)
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(f"{name} in the header of the checkpoint", got=error, expected="JSON") from error
    if not isinstance(value, dict):
        raise InputError(
            f"{name} in the header of the checkpoint", got=type(value).__name__, expected="an object"
        )
    return value


def _write(place: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    from safetensors.numpy import save

    # safetensors writes the memory of an array as it lies, whatever its strides say.
    in_order = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    contents = memoryview(save(in_order, dict(metadata)))
    start = 8 + int.from_bytes(contents[:8], "little")
    # safetensors writes the metadata in an order that differs from run to run.
    header = json.dumps(json.loads(bytes(contents[8:start])), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    unfinished = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with unfinished.open("xb") as file:
            for block in (len(header).to_bytes(8, "little"), header, contents[start:]):
                file.write(block)
        unfinished.replace(place)
    except OSError as error:
        raise InputError("cannot write the checkpoint", got=error) from error
    finally:
        unfinished.unlink(missing_ok=True)

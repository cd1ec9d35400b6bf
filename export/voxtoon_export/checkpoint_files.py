"""The containers checkpoints come in, each read to names, arrays and text; no code of a file is ever run."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import InputError

if TYPE_CHECKING:
    import torch

# Where training scripts keep the weights among their optimiser's state and history.
_NESTS = ("model_state_dict", "state_dict", "model_state", "net_state_dict")
_DATA_PARALLEL = "module."
TORCH_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class CheckpointFile:
    """What a file holds: float32 arrays by name, and the text of its header."""

    tensors: Mapping[str, NDArray[np.float32]]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_checkpoint_file(path: Path) -> CheckpointFile:
    """Read a file by what its name ends with.

    Parameters
    ----------
    path
        ``.safetensors``; ``.pt`` or ``.pth`` of torch, weights only; ``.h5`` of Keras.

    Raises
    ------
    InputError
        It is not there, not of a known kind, damaged, would run code, or holds something else than numbers.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError("unknown kind of checkpoint", got=path.name, expected=" or ".join(_READERS))
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing there"
        raise InputError(f"cannot read checkpoint {path}", got=found, expected="a file")
    tensors, metadata = reader(path)
    if tensors and all(name.startswith(_DATA_PARALLEL) for name in tensors):
        tensors = {name.removeprefix(_DATA_PARALLEL): value for name, value in tensors.items()}
    return CheckpointFile(
        {
            name: as_float32(name, value)
            for name, value in tensors.items()
            if not name.endswith(TORCH_COUNTER)
        },
        metadata,
    )


def as_float32(name: str, value: Any) -> NDArray[np.float32]:
    """A tensor, of numpy or torch, as a finite float32 array.

    Raises
    ------
    InputError
        It holds no floating-point numbers, or NaN or infinity.
    """
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"checkpoint tensor {name}", got=array.dtype, expected="floating point")
    array = np.asarray(array, np.float32)
    if not np.isfinite(array).all():
        raise InputError(f"checkpoint tensor {name}", got="NaN or infinity", expected="finite numbers")
    return array


_Contents = tuple[dict[str, Any], dict[str, str]]


def _read_safetensors(path: Path) -> _Contents:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error


def _read_torch(path: Path) -> _Contents:
    import torch

    try:
        # A mapped file spares the memory of the optimiser's state; only torch's zip form can be mapped.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols; what cannot be read is told below
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise InputError(
            f"checkpoint {path.name} asks to run code, or is not of torch",
            expected="tensors only",
            hint="where you trust it, load it in the program it is from and save its state_dict alone",
        ) from error
    except Exception as error:  # whatever a damaged pickle makes torch stumble on
        raise _damaged(path, error) from error
    for nest in _NESTS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(nest), Mapping):
            loaded = loaded[nest]
    if not isinstance(loaded, Mapping) or not all(
        isinstance(value, torch.Tensor) for value in loaded.values()
    ):
        expected = "a state_dict, or one under " + ", ".join(_NESTS)
        raise InputError(
            f"checkpoint {path.name} has no weights where they are looked for", expected=expected
        )
    return {str(name): _numpy(value) for name, value in loaded.items()}, {}


def _numpy(tensor: torch.Tensor) -> NDArray[Any]:
    """Also of kinds that numpy does not have (bfloat16)."""
    array: NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return array


def _read_keras(path: Path) -> _Contents:
    import h5py  # type: ignore[import-untyped]

    arrays: dict[str, Any] = {}

    def collect(name: str, item: Any) -> None:
        """Keras 2 keeps ``conv2d/conv2d/kernel:0``, and below ``model_weights`` in a whole model."""
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer_weights/"):
            arrays["/".join(name.removesuffix(":0").split("/")[-2:])] = item[()]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(collect)
    except (OSError, RuntimeError, ValueError) as error:
        raise _damaged(path, error) from error
    return arrays, {}


_READERS: dict[str, Callable[[Path], _Contents]] = {
    ".safetensors": _read_safetensors,
    ".pt": _read_torch,
    ".pth": _read_torch,
    ".h5": _read_keras,
}


def _damaged(path: Path, error: Exception) -> InputError:
    reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
    return InputError(
        f"checkpoint {path.name} cannot be read", got=reason[0], hint="it may be cut off or damaged"
    )

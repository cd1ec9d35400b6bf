"""Lowering to LiteRT (TFLite), by litert-torch, after rewriting the part for maps that are channel last.

A file has one signature, named after its part, whose inputs and outputs have their declared names. Its time
axis, where it has one, is written with the length of the clips that the systems hear, which accelerators
that cannot resize take as it is; a runtime that can resize an input may give it any other length.
What the rewriting is worth is measured by ``python -m benchmarks.converters``, see docs/export.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from voxtoon.agreement import Tolerance
from voxtoon.errors import InputError
from voxtoon_export.conversion_failure import conversion_failure
from voxtoon_export.converter_noise import silenced
from voxtoon_export.first_difference import Intermediate
from voxtoon_export.lowering import CLIP_FRAMES, Declaration, Format, Tensor

if TYPE_CHECKING:
    import torch
    from torch import nn

_OPERATION: Final = re.compile(r"failed to legalize operation '([^']+)'|Lowering not found: ([\w.]+)")


def lower(module: nn.Module, part: Declaration, precisions: Sequence[str]) -> Mapping[str, bytes]:
    """Lower a part to LiteRT.

    Parameters
    ----------
    module
        The part with its weights, in eval mode.
    precisions
        Of ``fp32`` and ``fp16``; the latter stores weights in float16 and computes in float32.

    Returns
    -------
    mapping
        From precision to the bytes of a file.

    Raises
    ------
    InputError
        litert-torch is not installed, or a precision is unknown.
    CheckError
        It could not convert the part: the layer and the operation at fault are named.
    """
    for precision in precisions:
        if precision not in FORMAT.tolerances:
            raise InputError(
                "unknown precision for litert", got=precision, expected=", ".join(FORMAT.tolerances)
            )
    if find_spec("litert_torch") is None:
        raise InputError("lowering to LiteRT is not installed", hint="pip install 'voxtoon[export]'")
    from voxtoon_export.litert_graph import with_float16_weights
    from voxtoon_export.litert_model import with_layer_names

    rewritten = _rewritten(module)
    try:
        content = with_layer_names(_converted(rewritten, part), list(_weighted(rewritten)))
    except Exception as error:  # litert-torch raises whatever went wrong inside it
        raise conversion_failure(
            rewritten, part, error, target="LiteRT", operation=_OPERATION, convert=_converted
        ) from error
    return {
        precision: content if precision == "fp32" else with_float16_weights(content)
        for precision in precisions
    }


def _rewritten(module: nn.Module) -> nn.Module:
    from voxtoon_export.channel_last import channel_last
    from voxtoon_export.network import Layered

    return channel_last(module) if isinstance(module, Layered) else module


def _weighted(module: nn.Module) -> Iterator[tuple[str, int]]:
    """Yield the name and the number of weights of each layer that multiplies, in order."""
    from torch import nn

    from voxtoon_export.network import Layered

    for name in module.layer_names if isinstance(module, Layered) else ():
        for inside in module.get_submodule(name).modules():
            if isinstance(inside, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                yield name, inside.weight.numel()


def _converted(module: nn.Module, part: Declaration) -> bytes:
    import torch

    with silenced():
        import litert_torch  # type: ignore[import-untyped]

        from voxtoon_export.litert_operators import register_lowerings

        register_lowerings()
        inputs = {item.name: torch.zeros(_written_shape(item)) for item in part.inputs}
        named = _named(module, [item.name for item in part.outputs])
        converter = litert_torch.signature(part.name, named, sample_kwargs=inputs)
        content: bytes = converter.convert().model_content()
    return content


def _written_shape(declared: Tensor) -> list[int]:
    return [CLIP_FRAMES if isinstance(size, str) else size for size in declared.shape]


def _named(module: nn.Module, outputs: Sequence[str]) -> nn.Module:
    """Return the module with inputs by name and outputs in a mapping, which is how they get their names."""
    from torch import nn

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = module

        def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
            found = self.part(*inputs.values())
            return dict(zip(outputs, found if isinstance(found, tuple) else (found,), strict=True))

    return Named().eval()


def operators(content: bytes) -> Mapping[str, int]:
    """Count the operators of a file by kind, the most frequent first."""
    from voxtoon_export.litert_model import kind, read

    model = read(content)
    kinds = (kind(model, operator) for graph in model.subgraphs for operator in graph.operators)
    return dict(Counter(kinds).most_common())


def intermediates(content: bytes, inputs: Mapping[str, Any]) -> Iterator[Intermediate]:
    """Run a file in LiteRT's plain kernels and yield what every operator makes, maps channel first."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]

    from voxtoon_export.litert_model import kind, read

    with silenced():
        interpreter = Interpreter(model_content=content, experimental_preserve_all_tensors=True)
        ((signature, names),) = interpreter.get_signature_list().items()
        runner = interpreter.get_signature_runner(signature)
        runner(**{name: np.ascontiguousarray(inputs[name]) for name in names["inputs"]})
    model = read(content)
    (graph,) = model.subgraphs
    for operator in graph.operators:
        for index in operator.outputs:
            value = interpreter.get_tensor(index)
            value = np.moveaxis(value, -1, 1) if value.ndim == 4 else value
            yield Intermediate(kind(model, operator), graph.tensors[index].name.decode(), value)


FORMAT: Final = Format(
    name="litert",
    extension=".tflite",
    engine="litert",
    tolerances={"fp32": Tolerance(max_abs_relative=1e-5), "fp16": Tolerance(psnr_db=60.0)},
    # ai-edge-litert 1.1 to 1.3 compute nonsense from float16 weights, and 1.0 does not work with numpy 2.
    minimum_runtime={"ai-edge-litert": "1.4", "tflite-runtime": "2.14"},
    lower=lower,
    operators=operators,
    intermediates=intermediates,
)

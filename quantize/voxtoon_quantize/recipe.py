"""Recipes: which part and which layer is stored and computed how, as data.

The name of a scheme says it all: how activations are treated, what the weights (``w``) are and what the
activations (``a``) are; ``i8`` is an eight-bit integer. ``static_wi8_ai8``: weights and activations in eight
bits, the scales of the activations fixed by calibration. ``weight_wi4_block32``: weights in four bits with
one scale for every 32 of them, computed in float. ``weight_p4``: weights from a palette of 16.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from voxtoon.errors import InputError
from voxtoon_export.streaming.parts import HEAD, STEP

from .observers import OBSERVERS

Activations = Literal["float", "dynamic", "static"]


@dataclass(frozen=True)
class Scheme:
    """How a layer is stored and computed.

    Attributes
    ----------
    weight_bits
        32 and 16 are floats, 8 to 4 integers.
    activations
        ``float``; integers whose scales are found at every run (``dynamic``); or by calibration (``static``).
    block
        Weights that share a scale; None for those of an output channel.
    palette
        Whether the integers are places in a palette, and no steps of a scale.
    factors
        Of a fully connected layer two thinner ones are made, with one in so many of its weights; None where
        it stays as it is.
    """

    weight_bits: int
    activations: Activations = "float"
    block: int | None = None
    palette: bool = False
    factors: int | None = None

    @property
    def bits_per_weight(self) -> float:
        """How much of a file a weight takes: with the scales of blocks, and in factors what they replace."""
        return self.weight_bits / (self.factors or 1) + (32 / self.block if self.block else 0)

    @property
    def precision(self) -> str:
        """What an artefact is called that has most layers so: int8 only where it multiplies integers."""
        if self.weight_bits > 8:
            return f"fp{self.weight_bits}"
        if self.activations != "float":
            return "int8"
        return f"{'p' if self.palette else 'wi'}{self.weight_bits}"


SCHEMES: Final[Mapping[str, Scheme]] = {
    "static_wi8_ai8": Scheme(8, "static"),
    "dynamic_wi8": Scheme(8, "dynamic"),
    "weight_wi8": Scheme(8),
    "weight_wi8_factors2": Scheme(8, factors=2),
    "weight_wi8_factors4": Scheme(8, factors=4),
    "weight_wi4_block32": Scheme(4, block=32),
    "weight_wi4_block128": Scheme(4, block=128),
    "weight_p8": Scheme(8, palette=True),
    "weight_p6": Scheme(6, palette=True),
    "weight_p4": Scheme(4, palette=True),
    "fp16": Scheme(16),
    "fp32": Scheme(32),
}
WIDENING: Final = 4
"""A fully connected layer with more than so many times as many outputs as inputs is one that widens."""
WITHOUT_PALETTES: Final = tuple(name for name, scheme in SCHEMES.items() if not scheme.palette)
"""What onnxruntime and LiteRT have; palettes are Core ML's alone."""
TARGETS: Final[Mapping[str, Literal["u8", "s8"]]] = {"generic": "u8", "x86": "u8", "arm": "s8", "ane": "s8"}
"""What the activations are in ONNX: on x86 with VNNI unsigned ones are 1.2 to 1.7 times as fast.

``ane`` is Apple's Neural Engine: what is not in integers is float16 in Core ML then."""


@dataclass(frozen=True)
class Override:
    """Another scheme for some layers: ``where`` is ``part`` or ``part.layer``, also with ``*`` and ``?``."""

    where: str
    scheme: str


@dataclass(frozen=True)
class Recipe:
    """What to do with a bundle.

    Attributes
    ----------
    scheme
        Name of the scheme of all layers that no override names.
    overrides
        In order; of those that name a layer, the last counts.
    observer
        The rule for the ranges of activations: a name of `OBSERVERS`.
    target
        The processor that it is for: a name of `TARGETS`.
    """

    scheme: str = "static_wi8_ai8"
    overrides: tuple[Override, ...] = ()
    observer: str = "mse"
    target: str = "generic"

    def __post_init__(self) -> None:
        for scheme in (self.scheme, *(override.scheme for override in self.overrides)):
            known("scheme", scheme, SCHEMES)
        known("observer", self.observer, OBSERVERS)
        known("target", self.target, TARGETS)

    def schemes(self, part: str, layers: Collection[str]) -> dict[str, str]:
        """Return the name of the scheme of every layer of a part.

        What is said of the encoder holds for its layers in the parts that are the encoder on a stream, too.
        """
        chosen = dict.fromkeys(layers, self.scheme)
        for override in self.overrides:
            of_part, _, of_layer = override.where.partition(".")
            if _is_meant(part, of_part):
                named = [layer for layer in layers if fnmatchcase(layer, of_layer or "*")]
                chosen |= dict.fromkeys(named, override.scheme)
        return chosen

    def check_names(self, parts: Mapping[str, Collection[str]]) -> None:
        """Refuse overrides that name no part, or no layer of one.

        Parameters
        ----------
        parts
            The layers of each part.

        Raises
        ------
        InputError
            With the closest names there are.
        """
        for override in self.overrides:
            of_part, _, of_layer = override.where.partition(".")
            matching = [name for name in parts if _is_meant(name, of_part)]
            if not matching:
                raise _unknown("part in the recipe", of_part, parts)
            layers = [layer for name in matching for layer in parts[name]]
            if of_layer and not any(fnmatchcase(layer, of_layer) for layer in layers):
                raise _unknown(f"layer of {of_part} in the recipe", of_layer, layers)

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as JSON has it; what is as by default is told too."""
        return {
            "scheme": self.scheme,
            "overrides": {override.where: override.scheme for override in self.overrides},
            "observer": self.observer,
            "target": self.target,
        }

    def to_text(self) -> str:
        """Return the recipe on one line, as the manifest keeps it."""
        return json.dumps(self.to_json())

    @classmethod
    def from_json(cls, value: Any) -> Recipe:
        """Read what `to_json` gave; what is left out is as by default.

        Raises
        ------
        InputError
            A word is unknown, or something is of another kind: the closest words are told.
        """
        if not isinstance(value, dict):
            raise InputError("a recipe", got=type(value).__name__, expected="an object")
        fields = ("scheme", "overrides", "observer", "target")
        for name, given in value.items():
            known("word in the recipe", name, fields)
            if not isinstance(given, dict if name == "overrides" else str):
                raise InputError(f"{name} of the recipe", got=repr(given), expected="an object or a name")
        words = {name: given for name, given in value.items() if name != "overrides"}
        overrides = value.get("overrides", {})
        return cls(**words, overrides=tuple(Override(where, name) for where, name in overrides.items()))

    @classmethod
    def from_text(cls, text: str) -> Recipe:
        """Read a recipe from JSON, or the name of a scheme, which is then that of all layers.

        Raises
        ------
        InputError
            It is neither.
        """
        if not text.lstrip().startswith("{"):
            return cls(scheme=text.strip())
        try:
            return cls.from_json(json.loads(text))
        except json.JSONDecodeError as error:
            raise InputError("the recipe is no JSON", got=error) from error


def widens(shape: Sequence[int]) -> bool:
    """Whether weights, ``[outputs, inputs]`` of a fully connected layer, have one scale for all as integers.

    Scales, and those of the biases, would be a twentieth of its file, and gain next to nothing beside integer
    activations. Where activations are float they gain 2 dB of the face (docs/quantization.md).
    """
    return len(shape) == 2 and shape[0] > WIDENING * shape[1]


def _is_meant(part: str, pattern: str) -> bool:
    """Whether a pattern names a part, or the encoder that it is a piece of."""
    return fnmatchcase(part, pattern) or (part in (STEP, HEAD) and fnmatchcase("encoder", pattern))


def known(what: str, name: object, names: Collection[str]) -> None:
    """Refuse a name that is none of these, offering the closest; raises InputError."""
    if not isinstance(name, str) or name not in names:
        raise _unknown(what, name, names)


def _unknown(what: str, name: object, names: Collection[str]) -> InputError:
    close = get_close_matches(str(name), list(names), n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}?" if close else None
    return InputError(f"unknown {what}", got=repr(name), expected=", ".join(names), hint=hint)

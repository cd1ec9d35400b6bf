"""Parsed JSON to frozen dataclasses: types, presence and limits are read off the declarations.

The base install carries no JSON-schema validator, so the dataclasses of ``manifest.py`` are the schema of the
reader. A field with a default may be absent; a field the dataclass does not know is left alone, so that a
minor version may add some.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from voxtoon.errors import CheckError, VoxtoonError

T = TypeVar("T")

_SCALARS = {str: "text", bool: "true or false", int: "a whole number", float: "a finite number"}
_CONTAINERS = {dict: "an object", list: "a list", str: "text"}


@dataclasses.dataclass(frozen=True)
class Pattern:
    """A text that matches ``regex`` from end to end; ``says`` is the rule in words."""

    regex: str
    says: str

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` keeps the rule."""
        return re.fullmatch(self.regex, value) is not None


@dataclasses.dataclass(frozen=True)
class AtLeast:
    """A number of ``minimum`` or more."""

    minimum: float

    @property
    def says(self) -> str:
        """The rule in words."""
        return f"at least {self.minimum}"

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` keeps the rule."""
        return bool(value >= self.minimum)


@dataclasses.dataclass(frozen=True)
class Items:
    """From ``minimum`` to ``maximum`` items, in a list or a mapping."""

    minimum: int
    maximum: int = 2**20

    @property
    def says(self) -> str:
        """The rule in words."""
        numbers = {self.minimum, self.maximum}
        return f"{' to '.join(map(str, sorted(numbers)))} items"

    def accepts(self, value: Any) -> bool:
        """Whether ``value`` keeps the rule."""
        return self.minimum <= len(value) <= self.maximum


def decode(kind: type[T], value: object, where: str) -> T:
    """Build a ``kind`` (a dataclass) from parsed JSON.

    Parameters
    ----------
    kind
        The dataclass. Its fields are text, numbers, truth values, tuples, mappings with text keys, literals,
        other dataclasses, optionals and unions of these, with rules in ``Annotated``. A class with a
        ``from_json`` of its own is left to it.
    value
        Parsed JSON.
    where
        What to call it in an error.

    Raises
    ------
    CheckError
        When a field is missing, of another type, or breaks a rule. The message names the field.
    """
    built: T = _decode_dataclass(kind, value, where)
    return built


def _decode(kind: Any, value: Any, where: str) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return value
    if origin is Annotated:
        return _decode_with_rules(get_args(kind), value, where)
    if origin in (Union, types.UnionType):
        return _decode_union(get_args(kind), value, where)
    if origin is Literal:
        choices = get_args(kind)
        return value if value in choices else _refuse(value, " or ".join(map(repr, choices)), where)
    if origin is tuple:
        return _decode_tuple(get_args(kind), value, where)
    if origin is not None and issubclass(origin, Mapping):
        return _decode_mapping(get_args(kind), value, where)
    if hasattr(kind, "from_json"):
        return _decode_by_itself(kind, value, where)
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, value, where)
    return _decode_scalar(kind, value, where)


def _decode_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        _refuse(value, "an object", where)
    hints, found = _hints(kind), {}
    for field in dataclasses.fields(kind):
        name = f"{where}.{field.name}"
        if field.name in value:
            found[field.name] = _decode(hints[field.name], value[field.name], name)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise CheckError(
                f"{name} is missing", hint="the bundle is damaged or not finished: export it again"
            )
    return kind(**found)


def _decode_by_itself(kind: Any, value: Any, where: str) -> Any:
    try:
        return kind.from_json(value)
    except VoxtoonError as error:
        raise CheckError(f"{where}: {error}") from error


def _decode_with_rules(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    kind, *rules = arguments
    found = _decode(kind, value, where)
    for rule in rules:
        if not rule.accepts(found):
            _refuse(value, rule.says, where)
    return found


def _decode_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    for kind in kinds[:-1]:
        try:
            return _decode(kind, value, where)
        except CheckError:
            continue
    return _decode(kinds[-1], value, where)


def _decode_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, list):
        _refuse(value, "a list", where)
    if kinds[-1] is not Ellipsis:
        if len(value) != len(kinds):
            _refuse(value, f"{len(kinds)} items", where)
    elif kinds[0] is float and all(type(item) is float and math.isfinite(item) for item in value):
        return tuple(value)  # the bulk of a manifest is numbers: one pass over a row, not a call for each
    else:
        kinds = (kinds[0],) * len(value)
    return tuple(
        _decode(kind, item, f"{where}[{index}]")
        for index, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _decode_mapping(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        _refuse(value, "an object", where)
    key_kind, item_kind = kinds
    return {
        _decode(key_kind, key, f"{where} (a name)"): _decode(item_kind, item, f"{where}[{_show(key)}]")
        for key, item in value.items()
    }


def _decode_scalar(kind: Any, value: Any, where: str) -> Any:
    if type(value) is kind and (kind is not float or math.isfinite(value)):
        return value
    if kind is float and type(value) is int:
        return float(value)
    return _refuse(value, _SCALARS[kind], where)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _show(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return f"{_CONTAINERS[type(value)]} of {len(value)}"
    text = "null" if value is None else ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _refuse(value: Any, expected: str, where: str) -> NoReturn:
    raise CheckError(where, got=_show(value), expected=expected, hint="export the bundle again")

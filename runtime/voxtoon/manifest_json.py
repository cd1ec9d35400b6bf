"""The text of a manifest: strict JSON in, JSON for people out."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from voxtoon.errors import CheckError

_FLAT_LIST = re.compile(r"\[\n[^][{}]*\]")
_LONGEST_WHOLE_NUMBER = 18  # characters: any such number fits in 64 bits, in every language


def parse_json(text: bytes, where: str) -> Any:
    """Parse strict JSON: UTF-8, no key twice in an object, no NaN or infinity, no endless number.

    Parameters
    ----------
    text
        The bytes of the file.
    where
        What to call it in an error.

    Raises
    ------
    CheckError
        When it is not strict JSON.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise CheckError(where, got=f"the key {twice!r} twice in one object", expected="each key once")
        return found

    def refuse(constant: str) -> NoReturn:
        raise CheckError(where, got=constant, expected="finite numbers only")

    def whole(digits: str) -> int:
        if len(digits) > _LONGEST_WHOLE_NUMBER:
            raise CheckError(
                where, got=f"a number of {len(digits)} digits", expected=f"at most {_LONGEST_WHOLE_NUMBER}"
            )
        return int(digits)

    try:
        return json.loads(
            text.decode("utf-8"), object_pairs_hook=once, parse_constant=refuse, parse_int=whole
        )
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise CheckError(
            f"{where} is not JSON", got=reason, hint="the file is damaged: export it again"
        ) from error


def format_json(value: Any) -> str:
    """Write JSON for people: two spaces of indent, a list of plain values on one line, a line break last.

    Raises
    ------
    CheckError
        When a number is not finite.
    """
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise CheckError("JSON to write", got="NaN or infinity", expected="finite numbers only") from error
    return _FLAT_LIST.sub(_on_one_line, text) + "\n"


def _on_one_line(found: re.Match[str]) -> str:
    # No JSON text holds a raw line break, so what is replaced is always layout, never content.
    text = re.sub(r",\n\s*", ", ", found[0])
    return re.sub(r"\n\s*\]", "]", re.sub(r"\[\n\s*", "[", text))


def encode(value: Any) -> Any:
    """Turn dataclasses, tuples and mappings into what ``json.dumps`` takes."""
    if dataclasses.is_dataclass(value):
        return {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    return value

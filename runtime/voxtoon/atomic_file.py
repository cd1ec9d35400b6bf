"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .errors import InputError


def write_atomically(files: Mapping[Path, bytes]) -> None:
    """Write every file under a temporary name beside it, and rename them only when all are written.

    Parameters
    ----------
    files
        The content of each file; a file that exists is replaced.

    Raises
    ------
    InputError
        When one of them cannot be written. Then none was, and nothing is left behind.
    """
    temporaries = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in files}
    path = Path()
    try:
        for path, content in files.items():
            if path.is_dir():
                raise InputError(f"cannot write {path}", got="a folder", expected="the name of a file")
            temporaries[path].write_bytes(content)
        for path, temporary in temporaries.items():
            temporary.replace(path)
    except OSError as error:
        hint = "name a file in a folder that exists and can be written"
        raise InputError(f"cannot write {path}", got=error.strerror or error, hint=hint) from error
    finally:
        for temporary in temporaries.values():
            with suppress(OSError):
                temporary.unlink()

"""Files that are whole or absent: a crash leaves the old one or the new one, never half."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

TEMPORARY = ".tmp"
"""How the names of files end that are not whole yet."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to a temporary file beside `path`, flush it to disk and rename it.

    Raises:
        OSError: naming `path`, if the disk is full or the folder cannot be written to. What was
            there before is as it was.
    """
    try:
        _replace(path, content)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno,
            f"Expected to write {path}, but: {reason}. What was there before is as it was",
        ) from error


def _replace(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(TEMPORARY, f".{path.name}.", path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of writers that were killed; only where nobody else writes."""
    for file in folder.glob(f".*{TEMPORARY}"):
        file.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all; what is no text in the name of a file is spelt out."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_bytes(path, to_json(value))


def to_json(value: Any) -> bytes:
    """Return a value as `write_json` writes it."""
    return (json.dumps(value, indent=2) + "\n").encode()


def write_json_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write one JSON object a line, whole or not at all."""
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))


def read_json(path: Path) -> Any:
    """Read a JSON file; `ValueError` naming the file if it is not valid."""
    return parse_json(path.read_bytes(), path)


def parse_json(content: bytes, path: Path) -> Any:
    """Return what `read_json` does of the content of a file."""
    try:
        return json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected valid JSON in {path}: {error}.") from error


def read_json_lines(path: Path) -> list[Any]:
    """Read one JSON object a line; `ValueError` naming the file if one is not valid."""
    return parse_json_lines(path.read_bytes(), path)


def parse_json_lines(content: bytes, path: Path) -> list[Any]:
    """Return what `read_json_lines` does of the content of a file."""
    try:
        return [json.loads(line) for line in content.decode().splitlines()]
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected valid JSON lines in {path}: {error}.") from error

"""Text files beside images."""

from __future__ import annotations

from pathlib import Path


def read_words(path: Path) -> str:
    """Return the text of a file; `ValueError` naming it if it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"Expected text in UTF-8 at {path}: {error}.") from error

"""What a teacher cache belongs to, in words of whoever made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfkd.teachers.cache.description import MOST_BYTES


def check_identity(identity: Any) -> None:
    """Raise `TypeError` unless an identity is one that a description can hold.

    Raises:
        ValueError: for one that is too long for it.
    """
    is_dict = isinstance(identity, dict)
    if not is_dict or not all(isinstance(text, str) for pair in identity.items() for text in pair):
        got = ascii(identity)
        raise TypeError(
            "Expected `identity` to be a dict of text to text, got "
            f"{got if len(got) <= 80 else got[:77] + '...'}."
        )
    if (length := len(json.dumps(identity))) > MOST_BYTES // 2:
        raise ValueError(
            f"Expected `identity` of at most {MOST_BYTES // 2} bytes, got {length}: a digest is "
            "enough."
        )


def check_belongs(path: Path, there: dict[str, str], here: dict[str, str]) -> None:
    """Raise `ValueError` naming what differs, unless the cache there is what is wanted here."""
    differing = [
        f"{name} is {there.get(name)!r} there, {here.get(name)!r} here"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    ]
    if differing:
        raise ValueError(
            f"Expected the teacher cache in {path} to belong here, but it differs: "
            f"{'; '.join(differing)}."
        )

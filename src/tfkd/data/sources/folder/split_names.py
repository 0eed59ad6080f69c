"""Which split a folder, or a row of a table, says that it is of."""

from __future__ import annotations

import re

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_NAME = re.compile(
    r"(?:(?:data|dataset|images|imgs)[\s_.-]+)?"
    rf"({'|'.join(SPLIT_WORDS)})"
    r"[\s_.-]*(?:set|data|dataset|split|images|imgs|folder)?[\s_.-]*\d*"
)


def split_of(name: str) -> str | None:
    """Return the split that a folder is called after, in any case, or None.

    Example:
        >>> [split_of(name) for name in ("Train", "VALID", "test_set", "test1", "trainer", "cat")]
        ['train', 'validation', 'test', 'test', None, None]
    """
    found = _NAME.fullmatch(name.strip().casefold())
    return None if found is None else SPLIT_WORDS[found[1]]

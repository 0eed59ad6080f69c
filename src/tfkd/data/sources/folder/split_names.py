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
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_WITHOUT_LABELS = frozenset(("pred", "prediction", "predictions", "unlabeled", "unlabelled"))


def split_of(name: str) -> str | None:
    """Return the split that a folder is called after, in any case, or None.

    Example:
        >>> [split_of(name) for name in ("Train", "VALID", "test_set", "test1", "trainer", "cat")]
        ['train', 'validation', 'test', 'test', None, None]
    """
    found = _NAME.fullmatch(name.strip().casefold())
    return None if found is None else SPLIT_WORDS[found[1]]


def split_within(name: str) -> tuple[str, str] | None:
    """Return the split that a word of a name says, and the other words; None without such a word.

    Images to be predicted are the split `none`.

    Example:
        >>> [split_within(name) for name in ("seg_train", "trainA", "pets-VAL", "seg_pred", "cat")]
        [('train', 'seg'), ('train', 'a'), ('validation', 'pets'), ('none', 'seg'), None]
    """
    words = [word.casefold() for word in _WORDS.findall(name)]
    said = [word for word in words if word in SPLIT_WORDS or word in _WITHOUT_LABELS]
    if len(said) != 1:
        return None
    return SPLIT_WORDS.get(said[0], "none"), " ".join(word for word in words if word != said[0])

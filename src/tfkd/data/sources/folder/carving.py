"""A test split taken out of the training images of a folder that has none of its own."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import PurePosixPath

from tfkd._counted import a_few
from tfkd.data.sources.folder.found import Found, Samples

PARTS = 5
"""One of so many images of each class is for testing."""


def carve_test(found: Found) -> tuple[Samples, Samples]:
    """Return the training images without a fifth of each class, and that fifth, at least one each.

    Where an image may have several labels, its class is here the rarest of them.

    Those are taken of which the paths, from the folder of the classes on, have the smallest SHA-256
    digests: always the same, whatever the seed, and wherever the folder lies.

    Args:
        found: without a test split.

    Raises:
        ValueError: for classes of one image, naming them.
    """
    train = found.samples["train"]
    strata = train.strata
    counts = Counter(strata)
    alone = [name for label, name in enumerate(found.classes) if counts[label] < 2]
    if train.several_labels:
        alone = []  # an image that is the only one with its rarest label is trained on
    if alone:
        raise ValueError(
            f"Expected at least 2 images of each class in {train.root / train.start}, as a test "
            f"split is taken out of them, got 1 of {a_few(alone)}. Add images, move the class "
            "away, or name a test split by --test-dir."
        )
    by_class: dict[int, list[int]] = {}
    for place in sorted(
        range(len(train.paths)), key=lambda n: _digest(train.paths[n], train.start)
    ):
        by_class.setdefault(strata[place], []).append(place)
    chosen = {
        place
        for places in by_class.values()
        if len(places) > 1
        for place in places[: max(1, round(len(places) / PARTS))]
    }
    share = f"{len(chosen)} of the {len(train.paths)} images"
    if len(chosen) == round(len(train.paths) / PARTS):
        share = "a fifth"
    return train.chosen(chosen, f"{share} of {train.origin}, by path")


def _digest(path: str, start: str) -> bytes:
    within = PurePosixPath(path).relative_to(start).as_posix() if start else path
    return hashlib.sha256(within.encode("utf-8", "surrogateescape")).digest()

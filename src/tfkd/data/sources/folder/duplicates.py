"""Image files that are the same byte for byte: in two splits, in two classes, or twice in one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tfkd.data.file_contents import READERS, content_digests
from tfkd.data.sources.folder.found import Samples

_Place = tuple[str, Path, int]  # split, file, label


def remarks_on_duplicates(samples: Mapping[str, Samples]) -> list[str]:
    """Return what a person should know of images that are there more than once.

    Only files of the same size are read.

    Args:
        samples: by split.
    """
    groups = _same_content(
        [
            (split, part.root / path, label)
            for split, part in samples.items()
            for path, label in zip(part.paths, part.labels, strict=True)
        ]
    )
    remarks = []
    for held_out in ("test", "validation"):
        shared = [
            group for group in groups if {"train", held_out} <= {split for split, _, _ in group}
        ]
        if shared:
            count = sum(split == held_out for group in shared for split, _, _ in group)
            remarks.append(
                f"{count} of {len(samples[held_out].paths)} {held_out} images are training "
                "images too, byte for byte, as "
                f"{_pair(shared[0], held_out, 'train')}: what is measured on them is memory"
            )
    torn = [group for group in groups if len({label for _, _, label in group}) > 1]
    if torn:
        remarks.append(
            f"images in more than one class, byte for byte: {len(torn)}, as "
            f"{' and '.join(str(file) for _, file, _ in _one_of_each_class(torn[0])[:2])}"
        )
    twice = sum(
        len(group) - 1
        for group in groups
        if {split for split, _, _ in group} == {"train"} and group not in torn
    )
    if twice:
        remarks.append(f"copies among the training images, byte for byte: {twice}")
    return remarks


def number_in_both(files: Sequence[Path], others: Sequence[Path]) -> int:
    """Return how many files have the content of one of the others, byte for byte.

    Only files of the same size are read.
    """
    sides = (("test", files), ("train", others))
    groups = _same_content([(split, file, 0) for split, side in sides for file in side])
    return sum(
        split == "test"
        for group in groups
        if "train" in {split for split, _, _ in group}
        for split, _, _ in group
    )


def _same_content(places: list[_Place]) -> list[list[_Place]]:
    with ThreadPoolExecutor(READERS) as pool:
        sizes = list(pool.map(lambda place: place[1].stat().st_size, places))
    suspects = [place for group in _grouped(places, sizes) for place in group]
    digests = content_digests(Path(), [str(file) for _, file, _ in suspects])
    return _grouped(suspects, digests)


def _grouped(places: list[_Place], keys: Iterable[object]) -> list[list[_Place]]:
    """Those that share a key with others, together."""
    groups: dict[object, list[_Place]] = {}
    for place, key in zip(places, keys, strict=True):
        groups.setdefault(key, []).append(place)
    return [group for group in groups.values() if len(group) > 1]


def _pair(group: list[_Place], *splits: str) -> str:
    return " and ".join(
        next(str(file) for split, file, _ in group if split == wanted) for wanted in splits
    )


def _one_of_each_class(group: list[_Place]) -> list[_Place]:
    return list({label: place for place in group for label in (place[2],)}.values())

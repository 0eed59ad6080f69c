"""Image files that are the same byte for byte: in two splits, in two classes, or twice in one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tfkd._counted import number_of
from tfkd.data.file_contents import READERS, content_digests
from tfkd.data.sources.folder.found import Label, Samples

_Place = tuple[str, Path, Label]  # split, file, label
Groups = list[list[_Place]]


def find_duplicates(samples: Mapping[str, Samples]) -> Groups:
    """Return the images that are there more than once, those of the same content together.

    Only files of the same size are read.

    Args:
        samples: by split.
    """
    return _same_content(
        [
            (split, part.root / path, label)
            for split, part in samples.items()
            for path, label in zip(part.paths, part.labels, strict=True)
        ]
    )


def where_folds_are_tested(groups: Groups, *, given: bool) -> Groups:
    """Return what is left of them where the test split is none.

    Args:
        groups: of `find_duplicates`.
        given: whether its images are left alone; otherwise they are training images again.
    """
    left = [
        [
            ("train" if split == "test" else split, file, label)
            for split, file, label in group
            if not given or split != "test"
        ]
        for group in groups
    ]
    return [group for group in left if len(group) > 1]


def remarks_on_duplicates(groups: Groups, samples: Mapping[str, Samples]) -> list[str]:
    """Return what a person should know of images that are there more than once.

    Args:
        groups: of `find_duplicates`.
        samples: by split.
    """
    remarks = []
    for held_out in ("test", "validation"):
        shared = [
            group for group in groups if {"train", held_out} <= {split for split, _, _ in group}
        ]
        if shared:
            count = sum(split == held_out for group in shared for split, _, _ in group)
            are = "is a training image" if count == 1 else "are training images"
            of_them = number_of(len(samples[held_out].paths), f"{held_out} image")
            remarks.append(
                f"{count} of {of_them} {are} too, byte for byte, as "
                f"{_pair(shared[0], held_out, 'train')}: what is measured on "
                f"{'it' if count == 1 else 'them'} is memory"
            )
    torn = [group for group in groups if len({label for _, _, label in group}) > 1]
    if torn:
        several = any(part.several_labels for part in samples.values())
        what = "with different labels" if several else "in more than one class"
        remarks.append(
            f"images {what}, byte for byte: {len(torn)}, as "
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


def _same_content(places: list[_Place]) -> Groups:
    with ThreadPoolExecutor(READERS) as pool:
        sizes = list(pool.map(lambda place: place[1].stat().st_size, places))
    suspects = [place for group in _grouped(places, sizes) for place in group]
    digests = content_digests(Path(), [str(file) for _, file, _ in suspects])
    return _grouped(suspects, digests)


def _grouped(places: list[_Place], keys: Iterable[object]) -> Groups:
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

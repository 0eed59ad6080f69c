"""Where the splits and the classes of a folder are, or the question that has to be asked."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tfkd._counted import a_few
from tfkd.data.image_files import Tally, holds_images, list_images, subfolders
from tfkd.data.sources.folder.nested import check_nested, splits_by_words
from tfkd.data.sources.folder.part import Part, unwrapped
from tfkd.data.sources.folder.split_names import split_of

_BESIDE_IMAGES = frozenset(("labels", "annotations", "annots", "masks", "bboxes", "xmls"))


def find_parts(root: Path, tally: Tally, remarks: list[str]) -> dict[str, Part]:
    """Return the folder of classes of each split that a folder holds, or of `train` alone.

    What a folder holds is its sub-folders named after splits, in any case, or with a word for one,
    as seg_train and seg_test, or else one sub-folder for each class. Folders that hold nothing but
    one other, as archives unpack, are stepped into.

    Args:
        root: the folder.
        tally: counts what is no part of the layout.
        remarks: what a person should know of it is added.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: for what may be several things, saying what was found and which option answers.
    """
    place = unwrapped(Part(root))
    names = subfolders(place.folder)
    _check_no_detection(place, names)
    splits: dict[str, list[str]] = {}
    for name in names:
        if (split := split_of(name)) is not None:
            splits.setdefault(split, []).append(name)
    others = [name for name in names if split_of(name) is None]
    if not splits or _is_a_class(place, splits, others):
        if parts := splits_by_words(place, names, tally, remarks):
            return parts
        check_nested(place, names, remarks)
        return {"train": place}
    _check_one_of_each(place, splits)
    _check_no_mixture(place, splits, others)
    for name in others:
        tally.add("folders without images", f"{place.inner(name).start}/")
    return {split: place.inner(name) for split, (name,) in splits.items()}


def folder_of_classes(part: Part, classes: Collection[str] = ()) -> Part:
    """Return the folder itself, or the only one in it if that holds the classes.

    Args:
        part: the folder.
        classes: what is called so is one.

    Raises:
        ValueError: for a folder that holds splits, or images with files of where things are.
    """
    found = unwrapped(part, into_splits=True, classes=classes)
    names = subfolders(found.folder)
    _check_no_detection(found, names)
    splits = {split_of(name) for name in names}
    if len(splits) > 1 and None not in splits:
        raise ValueError(
            f"Expected a folder for each class in {found.folder}, got splits: {a_few(names)}. "
            "Name them with --train-dir, --validation-dir and --test-dir."
        )
    return found


def _is_a_class(place: Part, splits: dict[str, list[str]], others: list[str]) -> bool:
    """Whether `train` is what runs on rails: it holds images and no folders, as others do."""
    if [name.casefold() for names in splits.values() for name in names] != ["train"]:
        return False
    (name,) = splits["train"]
    folder = place.inner(name).folder
    return not subfolders(folder) and any(
        holds_images(place.inner(other).folder) for other in others
    )


def _check_one_of_each(place: Part, splits: dict[str, list[str]]) -> None:
    for split, names in splits.items():
        if len(names) > 1:
            raise ValueError(
                f"Expected one folder of the {split} split in {place.folder}, got {a_few(names)}. "
                f"Move their images into one, or name the one that is meant, as: "
                f"{_options(place, {'train': ['DIR'], **splits})}. If they are the classes: "
                f"--train-dir {place.folder}"
            )


def _options(place: Part, splits: dict[str, list[str]]) -> str:
    return " ".join(
        f"--{split}-dir {place.inner(splits[split][0]).folder}"
        for split in ("train", "validation", "test")
        if split in splits
    )


def _check_no_mixture(place: Part, splits: dict[str, list[str]], others: list[str]) -> None:
    mixed = [name for name in others if holds_images(place.inner(name).folder, deep=True)]
    if not mixed:
        return
    raise ValueError(
        f"Expected the splits or the classes in {place.folder}, got both: "
        f"{a_few([names[0] for names in splits.values()])} beside {a_few(mixed)}. If the first are "
        f"the splits, name them: {_options(place, splits)}. If all of them are classes: "
        f"--train-dir {place.folder}"
    )


def _check_no_detection(place: Part, names: list[str]) -> None:
    known = {name.casefold() for name in names}
    if "images" in known and known & _BESIDE_IMAGES and known <= {"images", *_BESIDE_IMAGES}:
        raise ValueError(
            f"Expected a folder for each class in {place.folder}, got {a_few(names)}: a data set "
            "for detection or segmentation, which says where things are and not what an image is. "
            "If a table says what they are: --labels FILE"
        )


def loose_images(part: Part) -> list[str]:
    """Return the images that lie in the folder of the classes itself."""
    return list_images(part.root, part.start, deep=False).paths

"""The images of splits that have a folder for each class."""

from __future__ import annotations

from pathlib import Path

from tfkd._checks import NotThereError, did_you_mean, no_such
from tfkd._counted import a_few
from tfkd.data.image_files import Tally, list_images, subfolders
from tfkd.data.places import Places
from tfkd.data.sources.folder.found import Found, Samples, check_class_names
from tfkd.data.sources.folder.labels_file import option_of_a_table
from tfkd.data.sources.folder.layout import (
    find_parts,
    folder_of_classes,
    loose_images,
)
from tfkd.data.sources.folder.part import Part, unwrapped

_OPTIONS = {"train": "train_dir", "validation": "validation_dir", "test": "test_dir"}


def find_by_class(places: Places) -> Found:
    """Return what lies in folders by class.

    Args:
        places: `root`, and folders that are said apart, which come before what `root` holds.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: for what may be several things, a class without images, or one that the
            training images lack.
    """
    tally = Tally()
    remarks: list[str] = []
    test_remarks: list[str] = []
    said = {
        split: Part(_folder(getattr(places, option), option))
        for split, option in _OPTIONS.items()
        if getattr(places, option) is not None
    }
    parts: dict[str, Part] = {}
    if places.root is not None:
        root = _folder(places.root, "data")
        parts = _parts(root, tally, remarks, beside="train" in said)
        for split in sorted(parts.keys() & said.keys()):
            remarks.append(f"{parts[split].called} is left alone: `{_OPTIONS[split]}` is given")
    parts |= said
    if "train" not in parts:
        raise ValueError(
            f"Expected a folder of training images in {places.root or 'train_dir'}, got only "
            f"{a_few([part.called for part in parts.values()])}. Say where they are by --train-dir."
        )
    if "train" in said:
        train = unwrapped(parts["train"], into_splits=True)
    else:
        train = folder_of_classes(parts["train"])
    classes = _classes(train)
    samples = {"train": _samples(train, classes, tally)}
    _check_no_class_is_empty(train, classes, samples["train"])
    for split, noted in (("validation", remarks), ("test", test_remarks)):
        if split in said:
            part = unwrapped(parts[split], into_splits=True, classes=classes)
            samples[split] = _held_out(part, classes, tally, noted)
        elif split in parts:
            part = folder_of_classes(parts[split], classes)
            if _is_without_labels(part, classes):
                _leave_out(part, split, tally)
            else:
                samples[split] = _held_out(part, classes, tally, noted)
    return Found(tuple(classes), samples, tally, remarks, test_remarks)


def _parts(root: Path, tally: Tally, remarks: list[str], *, beside: bool) -> dict[str, Part]:
    """What a folder holds; beside a folder for training, that can be other splits alone."""
    if not beside:
        return find_parts(root, tally, remarks)
    try:
        parts = find_parts(root, tally, remarks)
    except ValueError:  # a question that is answered already
        parts = {}
    if parts.keys() <= {"train"}:
        raise ValueError(
            "Expected `data` or `train_dir`, got both: beside `train_dir` the folder `data` is for "
            f"splits such as val and test, and {root} has none. Leave --data away."
        )
    return parts


def _folder(place: str, option: str) -> Path:
    folder = Path(place).expanduser()
    if not folder.is_dir():
        hint = ""
        if folder.suffix.lower() in (".csv", ".tsv"):
            hint = " A table of paths and labels is named by --labels."
        elif folder.is_file():
            hint = " It is a file; an archive has to be unpacked first."
        else:
            hint = no_such(folder)
        raise NotThereError(
            f"Expected a folder of images by class as `{option}`, got {folder}.{hint}"
        )
    return folder


def _classes(part: Part) -> list[str]:
    classes = subfolders(part.folder)
    if len(classes) < 2 and (options := option_of_a_table(part.folder)):
        raise ValueError(
            f"Expected a folder for each class in {part.folder}, got "
            f"{f'only {classes[0]!r}' if classes else 'images without'}. The table beside the "
            f"images says what they are: {options}"
        )
    if not classes and (loose := loose_images(part)):
        raise ValueError(
            f"Expected a folder for each class in {part.folder}, got {len(loose)} images without. "
            "A table of paths and labels says what they are: --labels FILE"
        )
    check_class_names(classes, part.folder)
    return classes


def _samples(part: Part, classes: list[str], tally: Tally) -> Samples:
    found = Samples(part.root, [], [], part.called, part.start)
    for label, name in enumerate(classes):
        start = part.inner(name).start
        if not (part.root / start).is_dir():
            continue
        listing = list_images(part.root, start)
        found.paths += listing.paths
        found.labels += [label] * len(listing.paths)
        tally.add_all(listing.left_out)
    around = list_images(part.root, part.start, deep=False)
    tally.add_all(around.left_out)
    if around.paths:
        tally.add("images outside of the folders of classes", around.paths[0], len(around.paths))
    return found


def _check_no_class_is_empty(part: Part, classes: list[str], samples: Samples) -> None:
    empty = [name for label, name in enumerate(classes) if label not in set(samples.labels)]
    if empty:
        raise ValueError(
            f"Expected images in the folder of each class in {part.folder}, got 0 of "
            f"{a_few(empty)}."
        )


def _held_out(part: Part, classes: list[str], tally: Tally, remarks: list[str]) -> Samples:
    """The images of a validation or test split, which may lack classes but not have others."""
    strange = sorted(set(subfolders(part.folder)) - set(classes))
    if strange:
        raise ValueError(
            f"Expected the classes of the training images in {part.folder}, got also "
            f"{a_few(strange)}.{did_you_mean(strange[0], classes)}"
        )
    found = _samples(part, classes, tally)
    if not found.paths:
        raise ValueError(f"Expected images by class in {part.folder}, got none.")
    lacking = [name for label, name in enumerate(classes) if label not in set(found.labels)]
    if lacking:
        remarks.append(f"{part.called} has no image of {a_few(lacking)}")
    return found


def _is_without_labels(part: Part, classes: list[str]) -> bool:
    """Whether a split is as a competition has it: images, and no folders of classes."""
    names = subfolders(part.folder)
    return not names or (len(names) == 1 and names[0] not in classes)


def _leave_out(part: Part, split: str, tally: Tally) -> None:
    listing = list_images(part.root, part.start)
    tally.add_all(listing.left_out)
    if listing.paths:
        tally.add(
            f"images of {part.called} that has no folders of classes: no {split} split",
            listing.paths[0],
            len(listing.paths),
        )

"""Folders within folders: splits under names of their own, data sets side by side, or classes."""

from __future__ import annotations

from collections import Counter

from tfkd._counted import a_few
from tfkd.data.image_files import Tally, holds_images, list_images, subfolders
from tfkd.data.sources.folder.part import Part, unwrapped
from tfkd.data.sources.folder.split_names import split_of, split_within


def splits_by_words(
    place: Part, names: list[str], tally: Tally, remarks: list[str]
) -> dict[str, Part]:
    """Return the splits of folders such as seg_train and seg_test; nothing where there are none.

    Their names have a word for a split, one of them for training, and are the same but for it; each
    holds folders of classes, of which the training folder has all. One whose images have no classes
    is left out.

    Args:
        place: the folder.
        names: of the folders in it.
        tally: counts what is left out.
        remarks: what a person should know is added.

    Raises:
        ValueError: for such names that are no such splits.
    """
    said = {name: word for name in names if (word := split_within(name)) is not None}
    if len({split for split, _ in said.values() if split != "none"}) < 2:
        return {}
    training = [name for name, (split, _) in said.items() if split == "train"]
    own = {name: subfolders(unwrapped(place.inner(name), into_splits=True).folder) for name in said}
    classes = set(own[training[0]]) if len(training) == 1 else set()
    flat = [
        name
        for name in said
        if not own[name] or (len(own[name]) == 1 and not classes & {*own[name]})
    ]
    found = {said[name][0]: name for name in said if name not in flat}
    others = [name for name in names if name not in said]
    if (
        len(classes) < 2
        or len(found) + len(flat) < len(said)
        or not {"train"} < found.keys() <= {"train", "validation", "test"}
        or any(not set(own[name]) <= classes for name in found.values())
        or len({rest for _, rest in said.values()}) > 1
        or any(holds_images(place.inner(name).folder, deep=True) for name in others)
    ):
        raise ValueError(_question(place, said))
    for name in flat:
        _leave_out(place.inner(name), tally)
    remarks.append(f"{a_few(sorted(found.values()))} are taken for splits, as they are called")
    return {split: place.inner(name) for split, name in found.items()}


def _leave_out(part: Part, tally: Tally) -> None:
    paths = list_images(part.root, part.start).paths
    if paths:
        reason = f"images of {part.called} that has no folders of classes: no split"
        tally.add(reason, paths[0], len(paths))


def _question(place: Part, said: dict[str, tuple[str, str]]) -> str:
    options: dict[str, str] = {}
    for name, (split, _) in sorted(said.items()):
        if split != "none":
            options.setdefault(split, f"--{split}-dir {place.inner(name).folder}")
    answers = " ".join(
        options[split] for split in ("train", "validation", "test") if split in options
    )
    return (
        f"Expected the splits or the classes in {place.folder}, got folders that are called as "
        f"splits: {a_few(list(said))}. If they are, name those meant, each with a folder for each "
        f"class: {answers}. If they are the classes: --train-dir {place.folder}"
    )


def check_nested(place: Part, names: list[str], remarks: list[str]) -> None:
    """Ask about folders whose images lie in folders of the same names, which may be the classes.

    Args:
        place: the folder.
        names: of the folders in it.
        remarks: where images lie deeper than in the folders of classes is added.

    Raises:
        ValueError: naming both answers.
    """
    inner = {name: own for name in names if (own := _folders_of_images(place.inner(name)))}
    if not inner:
        return
    deeper = {
        name: own for name, own in inner.items() if not holds_images(place.inner(name).folder)
    }
    times = Counter(folder.casefold() for own in deeper.values() for folder in own)
    for name, own in deeper.items():
        shared = [folder for folder in own if times[folder.casefold()] > 1]
        split = any(split_of(folder) for folder in own)
        if len(names) > 1 and (split or (shared and len(own) > 1)):
            raise ValueError(
                f"Expected a folder for each class in {place.folder}, got folders without images "
                f"of their own: {a_few(list(deeper))}, of which {name!r} holds {a_few(own, 5)}. If "
                f"they are data sets, name one: --data {place.inner(name).folder}. If they are "
                f"splits: --train-dir {place.inner(name).folder} --test-dir DIR. If they are the "
                f"classes: --train-dir {place.folder}"
            )
    if len(names) > 1:
        folders = [f"{name}/{folder}/" for name, own in inner.items() for folder in own]
        remarks.append(f"sub-folders belong to the class around them: {a_few(folders, 3)}")


def _folders_of_images(part: Part) -> list[str]:
    if not subfolders(part.folder):
        return []
    own = part if holds_images(part.folder) else unwrapped(part)
    return [
        name for name in subfolders(own.folder) if holds_images(own.inner(name).folder, deep=True)
    ]

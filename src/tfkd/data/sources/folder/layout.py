"""Where the splits and the classes of a folder are, or the question that has to be asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tfkd.data.image_files import Tally, holds_images, list_images, subfolders
from tfkd.data.sources.folder.found import named
from tfkd.data.sources.folder.split_names import split_of

_BESIDE_IMAGES = frozenset(("labels", "annotations", "annots", "masks", "bboxes", "xmls"))


@dataclass(frozen=True)
class Part:
    """A folder with a sub-folder for each class.

    Attributes:
        root: the folder that paths start from.
        start: the folder relative to it, with forward slashes; empty if it is the same.
    """

    root: Path
    start: str = ""

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.root / self.start

    @property
    def called(self) -> str:
        """What people call it."""
        return f"{self.start or self.root.absolute().name}/"

    def inner(self, name: str) -> Part:
        """Return a folder in it."""
        return Part(self.root, f"{self.start}/{name}" if self.start else name)


def find_parts(root: Path, tally: Tally) -> dict[str, Part]:
    """Return the folder of classes of each split that a folder holds, or of `train` alone.

    What a folder holds is its sub-folders named after splits, in any case, or else one sub-folder
    for each class. Folders that hold nothing but one other, as archives unpack, are stepped into.

    Args:
        root: the folder.
        tally: counts what is no part of the layout.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: for what may be several things, saying what was found and which option answers.
    """
    place = _unwrapped(Part(root))
    names = subfolders(place.folder)
    _check_no_detection(place, names)
    splits: dict[str, list[str]] = {}
    for name in names:
        if (split := split_of(name)) is not None:
            splits.setdefault(split, []).append(name)
    others = [name for name in names if split_of(name) is None]
    if not splits or _is_a_class(place, splits, others):
        _check_no_sets_side_by_side(place, names)
        return {"train": place}
    _check_one_of_each(place, splits)
    _check_no_mixture(place, splits, others)
    for name in others:
        tally.add("folders without images", f"{place.inner(name).start}/")
    return {split: place.inner(name) for split, (name,) in splits.items()}


def folder_of_classes(part: Part) -> Part:
    """Return the folder itself, or the only one in it if that holds the classes.

    Raises:
        ValueError: for a folder that holds splits, or images with files of where things are.
    """
    found = _unwrapped(part, into_splits=True)
    names = subfolders(found.folder)
    _check_no_detection(found, names)
    splits = {split_of(name) for name in names}
    if len(splits) > 1 and None not in splits:
        raise ValueError(
            f"Expected a folder for each class in {found.folder}, got splits: {named(names)}. "
            "Name them with --train-dir, --validation-dir and --test-dir."
        )
    return found


def _unwrapped(part: Part, *, into_splits: bool = False) -> Part:
    seen = set()
    while part.folder.resolve() not in seen:
        seen.add(part.folder.resolve())
        names = subfolders(part.folder)
        if len(names) != 1 or (split_of(names[0]) and not into_splits):
            break
        inner = part.inner(names[0])
        if holds_images(part.folder) or holds_images(inner.folder) or not subfolders(inner.folder):
            break
        part = inner
    return part


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
                f"Expected one folder of the {split} split in {place.folder}, got {named(names)}. "
                f"Say which by --{split}-dir, beside --train-dir of the training images."
            )


def _check_no_mixture(place: Part, splits: dict[str, list[str]], others: list[str]) -> None:
    mixed = [name for name in others if holds_images(place.inner(name).folder, deep=True)]
    if not mixed:
        return
    options = " ".join(
        f"--{split}-dir {place.inner(names[0]).folder}" for split, names in sorted(splits.items())
    )
    raise ValueError(
        f"Expected the splits or the classes in {place.folder}, got both: "
        f"{named([names[0] for names in splits.values()])} beside {named(mixed)}. If the first are "
        f"the splits, name them: {options}. If all of them are classes: "
        f"--train-dir {place.folder}"
    )


def _check_no_sets_side_by_side(place: Part, names: list[str]) -> None:
    """Raise `ValueError` for folders of folders, which may be data sets or coarser classes."""
    if len(names) < 2:
        return
    inner = {name: subfolders(place.inner(name).folder) for name in names}
    if not all(inner.values()) or any(holds_images(place.inner(name).folder) for name in names):
        return
    if all(len(folders) == 1 and split_of(folders[0]) is None for folders in inner.values()):
        return  # a class is a folder with a folder of images
    first = names[0]
    raise ValueError(
        f"Expected a folder for each class in {place.folder}, got folders without images of their "
        f"own: {named(names)}, of which {first!r} holds {named(inner[first], 5)}. If they are data "
        f"sets, name one: --data {place.inner(first).folder}. If they are the classes: "
        f"--train-dir {place.folder}"
    )


def _check_no_detection(place: Part, names: list[str]) -> None:
    known = {name.casefold() for name in names}
    if "images" in known and known & _BESIDE_IMAGES and known <= {"images", *_BESIDE_IMAGES}:
        raise ValueError(
            f"Expected a folder for each class in {place.folder}, got {named(names)}: a data set "
            "for detection or segmentation, which says where things are and not what an image is. "
            "If a table says what they are: --labels FILE"
        )


def tables_in(folder: Path) -> list[str]:
    """Return the paths of tables in and beside a folder, which may say what its images are."""
    found = [
        path
        for place in (folder, folder.parent)
        for path in sorted(place.glob("*.[ct]sv"))
        if path.is_file()
    ]
    return [str(path) for path in found[:3]]


def loose_images(part: Part) -> list[str]:
    """Return the images that lie in the folder of the classes itself."""
    return list_images(part.root, part.start, deep=False).paths

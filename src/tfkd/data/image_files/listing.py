"""Which image files there are in a folder, and what else is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tfkd.data.image_files.kinds import HIDDEN, is_hidden, is_image_name, other_kind
from tfkd.data.image_files.reading import is_image

_Inode = tuple[int, int]

MOST_EXAMPLES = 3
"""How many of the files that are left out for one reason are named."""

READ_ALREADY = "links to a folder that is read already"


@dataclass(frozen=True)
class LeftOut:
    """Files that are no part of the data.

    Attributes:
        reason: why, in words.
        count: how many there are.
        examples: paths of the first few.
    """

    reason: str
    count: int
    examples: tuple[str, ...]

    @property
    def words(self) -> str:
        """How many, why, and the first few.

        Example:
            >>> LeftOut("hidden files", 2, (".a",)).words
            '2: hidden files: .a …'
        """
        more = " …" if self.count > len(self.examples) else ""
        return f"{self.count}: {self.reason}: {', '.join(self.examples)}{more}"


class Tally:
    """Counts what is left out."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, list[str]]] = {}

    def add(self, reason: str, path: str, count: int = 1) -> None:
        """Count a file, or some of which one is named."""
        before, examples = self._found.setdefault(reason, (0, []))
        if len(examples) < MOST_EXAMPLES:
            examples.append(path)
        self._found[reason] = (before + count, examples)

    def add_all(self, left_out: Iterable[LeftOut]) -> None:
        """Count what another has counted."""
        for found in left_out:
            before, examples = self._found.setdefault(found.reason, (0, []))
            examples += found.examples[: MOST_EXAMPLES - len(examples)]
            self._found[found.reason] = (before + found.count, examples)

    def result(self) -> tuple[LeftOut, ...]:
        """Return what was counted, the most first."""
        found = [LeftOut(reason, n, tuple(names)) for reason, (n, names) in self._found.items()]
        return tuple(sorted(found, key=lambda one: -one.count))


@dataclass(frozen=True)
class Listing:
    """The image files of a folder.

    Attributes:
        paths: of the images, sorted.
        left_out: what else lies there.
    """

    paths: list[str]
    left_out: tuple[LeftOut, ...]


def subfolders(folder: Path) -> list[str]:
    """Return the names of the sub-folders that a person put there, sorted.

    A link to a folder around them is none.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it cannot be read.
    """
    return [
        entry.name
        for entry in _entries(folder)
        if not is_hidden(entry.name) and _is_dir(entry) and not _leads_back(folder, entry)
    ]


def image_paths(root: Path, start: str) -> list[str]:
    """Return the image files under `root/start` as `list_images` does, and nothing else."""
    return list_images(root, start).paths


def list_images(root: Path, start: str = "", *, deep: bool = True) -> Listing:
    """Return the image files under `root/start`, at any depth, relative to `root` and sorted.

    Files are known by their suffix, and by their content where that does not tell. Links are
    followed, but into no folder twice. Hidden files and folders, and what programs leave behind,
    are left out.

    Args:
        root: the folder that the paths start from.
        start: a folder in it, with forward slashes.
        deep: whether to look into sub-folders.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: for a folder that cannot be read, naming it.
    """
    tally = Tally()
    paths = sorted(_walk(root, start, tally, _around(root / start), deep=deep))
    return Listing(paths, tally.result())


def holds_images(folder: Path, *, deep: bool = False) -> bool:
    """Return whether an image lies in a folder itself, or at any depth."""
    return next(_walk(folder, "", Tally(), _around(folder), deep=deep), None) is not None


def _around(folder: Path) -> set[_Inode]:
    """The folders around one: a link to any of them leads in a circle."""
    around = {*folder.absolute().parents, *folder.resolve().parents}
    return {(stat.st_dev, stat.st_ino) for stat in (place.stat() for place in around)}


def _walk(root: Path, start: str, tally: Tally, seen: set[_Inode], *, deep: bool) -> Iterator[str]:
    folder = root / start
    stat = folder.stat()
    if (stat.st_dev, stat.st_ino) in seen:
        tally.add(READ_ALREADY, start)
        return
    seen.add((stat.st_dev, stat.st_ino))
    prefix = f"{start}/" if start else ""
    for entry in _entries(folder):
        path = prefix + entry.name
        if is_hidden(entry.name):
            tally.add(HIDDEN, path)
        elif _is_dir(entry):
            if deep:
                yield from _walk(root, path, tally, seen, deep=True)
            elif _leads_back(folder, entry):
                tally.add(READ_ALREADY, path)
        elif (by_name := is_image_name(entry.name)) is False:
            tally.add(other_kind(entry.name), path)
        elif by_name or is_image(root / path):
            yield path
        else:
            tally.add("no images by their content", path)


def _leads_back(folder: Path, entry: os.DirEntry[str]) -> bool:
    """Whether it is a link to the folder that it lies in, or to one around that."""
    if not entry.is_symlink():
        return False
    stat, own = entry.stat(), folder.stat()
    around = {(own.st_dev, own.st_ino), *_around(folder)}
    return (stat.st_dev, stat.st_ino) in around


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(
            f"Expected a folder that can be read at {folder}: {error.strerror}."
        ) from error


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False

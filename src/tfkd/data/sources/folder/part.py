"""A folder with a sub-folder for each class, and where it lies within others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tfkd.data.image_files import holds_images, subfolders
from tfkd.data.sources.folder.split_names import split_of


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


def unwrapped(part: Part, *, into_splits: bool = False, classes: Collection[str] = ()) -> Part:
    """Return the folder itself, or the one in it that alone holds folders of images, as often.

    Args:
        part: the folder.
        into_splits: step into a folder that is called after a split, too.
        classes: what is called so is a class.
    """
    seen = set()
    while part.folder.resolve() not in seen:
        seen.add(part.folder.resolve())
        names = subfolders(part.folder)
        if len(names) != 1 or names[0] in classes or (split_of(names[0]) and not into_splits):
            break
        inner = part.inner(names[0])
        if holds_images(part.folder) or holds_images(inner.folder) or not subfolders(inner.folder):
            break
        part = inner
    return part

"""Where on this machine data sets are looked for, and what was read is remembered."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path


def cache_folder() -> Path | None:
    """Return `$XDG_CACHE_HOME/tfkd` or `~/.cache/tfkd`; None for a user without a home."""
    shared = os.environ.get("XDG_CACHE_HOME")
    if shared:
        return Path(shared) / "tfkd"
    try:
        return Path.home() / ".cache" / "tfkd"
    except RuntimeError:
        return None


def usual_places(name: str) -> list[Path]:
    """Return `$TFKD_DATA/NAME`, then `NAME` in the cache folder."""
    shared = os.environ.get("TFKD_DATA")
    places = [Path(shared).expanduser() / name] if shared else []
    cache = cache_folder()
    return places if cache is None else [*places, cache / name]


@dataclass(frozen=True)
class Places:
    """Where data lie.

    Attributes:
        root: the folder of a data set; None: the usual places.
        train_dir: a folder by class that is trained on, whatever else lies in `root`.
        validation_dir: likewise, for validation.
        test_dir: likewise, for testing.
        labels: a CSV file of paths, which start from `root`, and their labels.
    """

    root: str | None = None
    train_dir: str | None = None
    validation_dir: str | None = None
    test_dir: str | None = None
    labels: str | None = None

    @classmethod
    def of(cls, where: str | Places | None) -> Places:
        """Return a place as one value, whether it is one already, the path of a folder, or None."""
        return where if isinstance(where, Places) else cls(where)

    @property
    def of_a_folder(self) -> dict[str, str]:
        """What says where images of one's own lie beside or in place of `root`, by name."""
        names = ("train_dir", "validation_dir", "test_dir", "labels")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    @property
    def is_said(self) -> bool:
        """Whether anything is said."""
        return self.root is not None or bool(self.of_a_folder)

    @property
    def name(self) -> str:
        """What people call images of their own: the folder, or the one that all of it lies in.

        Example:
            >>> Places("/photos/pets").name, Places(train_dir="/photos/pets/train").name
            ('pets', 'pets')
        """
        said = self.root or self.train_dir or self.labels
        if said is None:
            return ""
        place = Path(said).expanduser().absolute()
        return place.name if self.root is not None else place.parent.name or place.name

    def moved_to(self, root: str | None) -> Places:
        """Return the same where its images lie in another folder now; None: where they lay.

        A table is where it was found, or has moved with the images: in their folder or beside it.
        """
        if not root:
            return self
        if self.labels is None:
            return Places(root)
        within = Path(root).expanduser().absolute() / Path(self.labels).name
        known = (Path(self.labels), within, within.parent.parent / within.name)
        labels = next((place for place in known if place.is_file()), within)
        return Places(root, labels=str(labels))

    def absolute(self) -> Places:
        """Return the same with absolute paths, the same from everywhere."""
        said = {
            field.name: str(Path(value).expanduser().absolute())
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        }
        return Places(**said)

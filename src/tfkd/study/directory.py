"""A directory of studies: a plan for each beside the runs, which studies may share."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from tfkd.runs import RunDirectory, files
from tfkd.study.plan import Study

SUFFIX = ".study.json"


def run_directory(root: Path, name: str) -> RunDirectory:
    """Return the directory of a run of a study.

    Args:
        root: the study's directory.
        name: of the run.

    Raises:
        ValueError: if it leads out of the study's directory, be it over a link.
    """
    path = root / name
    if _has_links(root, name):
        inside = root.resolve()
        for place in (path, path / "snapshots"):
            if not place.resolve().is_relative_to(inside):
                raise ValueError(
                    f"Expected {place} within {root}, but it leads to {place.resolve()}."
                )
    return RunDirectory(path)


def _has_links(root: Path, name: str) -> bool:
    """Whether a link may lead somewhere else; to resolve a path takes ten times as long."""
    parts = [*name.split("/"), "snapshots"]
    if os.name == "nt" or not {"", ".", ".."}.isdisjoint(parts):
        return True
    places = itertools.accumulate(parts, os.path.join, initial=str(root))
    # A `Path` for each would take three times as long.
    return any(os.path.islink(place) for place in itertools.islice(places, 1, None))  # noqa: PTH114


def write_study(study: Study, root: Path) -> None:
    """Write the plan of a study into its directory, which is made where it is missing."""
    root.mkdir(parents=True, exist_ok=True)
    files.write_json(root / f"{study.name}{SUFFIX}", study)


def read_studies(root: Path) -> list[Study]:
    """Return the studies of a directory, by name.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if a plan is not readable.
    """
    found = sorted(root.glob(f"*{SUFFIX}"))
    if not found:
        raise FileNotFoundError(f"Expected a study in {root}, found no *{SUFFIX} there.")
    return [files.read_json(file, Study) for file in found]

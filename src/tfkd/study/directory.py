"""A directory of studies: a plan for each beside the runs, which studies may share."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Iterator
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
        ValueError: if it, or what lies in it, leads out of the study's directory, be it over a
            link.
    """
    run = RunDirectory(root / name)
    for place in _may_lead_elsewhere(root, name):
        _check_within(root, place)
    return run


def _may_lead_elsewhere(root: Path, name: str) -> Iterator[Path]:
    """What has to be looked at, if anything: to resolve a path takes ten times as long."""
    path = root / name
    if os.name == "nt" or not {"", ".", ".."}.isdisjoint(name.split("/")):
        yield path
    else:
        places = itertools.accumulate(name.split("/"), os.path.join, initial=str(root))
        # A `Path` for each would take three times as long.
        if any(os.path.islink(place) for place in itertools.islice(places, 1, None)):  # noqa: PTH114
            yield path
    yield from _links(path, depth=2)  # of its folders too, and of the caches in one of them


def _links(folder: Path, depth: int) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink() or os.name == "nt":
                yield folder / entry.name
            elif depth > 0 and entry.is_dir(follow_symlinks=False):
                yield from _links(folder / entry.name, depth - 1)


def _check_within(root: Path, place: Path) -> None:
    if not place.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"Expected {place} within {root}, but it leads to {place.resolve()}.")


def write_study(study: Study, root: Path) -> None:
    """Write the plan of a study into its directory, which is made where it is missing."""
    files.make_folder(root)
    remove_leftovers(study, root)
    files.write_json(root / f"{study.name}{SUFFIX}", study)


def remove_leftovers(study: Study, folder: Path) -> None:
    """Remove what killed writers of a study's plan, records or report left half-written."""
    name = re.escape(study.name)
    endings = f"({re.escape(SUFFIX)}|\\.(jsonl|csv|html|md|table\\.csv))"
    files.remove_leftovers(folder, re.compile(name + endings))


def read_studies(root: Path) -> list[Study]:
    """Return the studies of a directory, by name.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if a plan is not readable, or a link that leads out of the directory.
    """
    found = sorted(root.glob(f"*{SUFFIX}"))
    if not found:
        raise FileNotFoundError(f"Expected a study in {root}, found no *{SUFFIX} there.")
    for file in found:
        if file.is_symlink():
            _check_within(root, file)
    return [files.read_json(file, Study) for file in found]

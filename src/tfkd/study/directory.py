"""A directory of studies: a plan for each beside the runs, which studies may share."""

from __future__ import annotations

from pathlib import Path

from tfkd.study.plan import Study
from tfkd.train import RunDirectory, files

SUFFIX = ".study.json"


def run_directory(root: Path, name: str) -> RunDirectory:
    """Return the directory of a run of a study.

    Args:
        root: the study's directory.
        name: of the run.

    Raises:
        ValueError: if it leads out of the study's directory, be it over a link.
    """
    path, inside = root / name, root.resolve()
    for place in (path, path / "snapshots"):
        if not place.resolve().is_relative_to(inside):
            raise ValueError(f"Expected {place} within {root}, but it leads to {place.resolve()}.")
    return RunDirectory(path)


def write_study(study: Study, root: Path) -> None:
    """Write the plan of a study into its directory, which is made where it is missing."""
    root.mkdir(parents=True, exist_ok=True)
    files.write_json(root / f"{study.name}{SUFFIX}", study.to_dict())


def read_studies(root: Path) -> list[Study]:
    """Return the studies of a directory, by name.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if a plan is not readable.
    """
    found = sorted(root.glob(f"*{SUFFIX}"))
    if not found:
        raise FileNotFoundError(f"Expected a study in {root}, found no *{SUFFIX} there.")
    studies = []
    for file in found:
        try:
            studies.append(Study.from_dict(files.read_json(file)))
        except ValueError as error:
            raise ValueError(f"Expected a study in {file}: {error}") from error
    return studies

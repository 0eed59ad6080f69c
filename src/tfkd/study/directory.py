"""A directory of studies: a plan for each beside the runs, which studies may share."""

from __future__ import annotations

from pathlib import Path

from tfkd.study.plan import Study
from tfkd.train import files

SUFFIX = ".study.json"


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

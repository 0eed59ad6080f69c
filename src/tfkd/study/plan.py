"""A study as a graph of runs: each knows its settings and whose network it waits for."""

from __future__ import annotations

from dataclasses import dataclass

from tfkd.train import RunSettings


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study.

    Attributes:
        name: its directory within the study's, with `/` between the parts.
        method: the method's name in the study.
        settings: all that determines the run.
        after: name of the run whose network teaches this one; None if none does.
    """

    name: str
    method: str
    settings: RunSettings
    after: str | None = None


def in_order(runs: list[PlannedRun]) -> list[PlannedRun]:
    """Return the runs with every teacher before those it teaches.

    Raises:
        ValueError: for two runs of one name, a teacher that is not planned, or a circle.
    """
    waiting = {run.name: run for run in runs}
    if len(waiting) != len(runs):
        raise ValueError("Expected every planned run to have a name of its own.")
    ordered: dict[str, PlannedRun] = {}
    while waiting:
        ready = [run for run in waiting.values() if run.after is None or run.after in ordered]
        if not ready:
            raise ValueError(f"Expected every teacher to be planned: {', '.join(waiting)} wait.")
        for run in ready:
            ordered[run.name] = waiting.pop(run.name)
    return list(ordered.values())

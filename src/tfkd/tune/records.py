"""What a search writes: its plan, and one line for each trial and seed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tfkd._checks import check_positive
from tfkd.runs import files
from tfkd.runs.contents import LARGEST, MOST_COUNTED, MOST_SECONDS, check_between
from tfkd.tune.journal import JOURNAL_FILE
from tfkd.tune.outcome import Outcome, State
from tfkd.tune.plan import Tuning
from tfkd.tune.runs_of_trial import Trial, run_name

PLAN_FILE, RECORDS_FILE, CHOSEN_FILE = "tune.json", "tune.jsonl", "chosen.json"


class TrialRecord(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of tune.jsonl: a run of a trial. All metrics are of the validation split.

    Attributes:
        entry: that it was tried for.
        trial: number of the trial, from 0.
        seed: of the run.
        method: its name.
        dialect: of the method.
        numbers: of the method.
        learning_rate: of the recipe.
        weight_decay: of the recipe.
        state: of the trial.
        objective: what decides; None where the run diverged.
        accuracy: as it came, a share.
        nll: as it came.
        calibrated_nll: after one temperature, fitted on the same split.
        seconds: of the training.
        run: its directory within that of the search.
    """

    entry: str
    trial: int
    seed: int
    method: str
    dialect: str
    numbers: dict[str, float]
    learning_rate: float
    weight_decay: float
    state: State
    objective: float | None
    accuracy: float | None
    nll: float | None
    calibrated_nll: float | None
    seconds: float | None
    run: str

    def __post_init__(self) -> None:
        check_between("trial", self.trial, 0, MOST_COUNTED)
        check_positive("learning_rate", self.learning_rate)
        check_positive("weight_decay", self.weight_decay)
        for name in ("objective", "nll", "calibrated_nll"):
            check_between(name, getattr(self, name), 0.0, LARGEST)
        check_between("accuracy", self.accuracy, 0.0, 1.0)
        check_between("seconds", self.seconds, 0.0, MOST_SECONDS)


def record_of(trial: Trial, state: State, seed: int, outcome: Outcome) -> TrialRecord:
    """Return the line of a finished run of a trial."""
    result, setting = outcome.result, trial.setting
    validation = None if result is None else result.validation
    calibrated = None if result is None else result.calibrated
    return TrialRecord(
        entry=trial.entry,
        trial=trial.number,
        seed=seed,
        method=setting.method.name,
        dialect=setting.method.dialect,
        numbers=dict(setting.method.numbers),
        learning_rate=setting.learning_rate,
        weight_decay=setting.weight_decay,
        state=state,
        objective=None if outcome.diverged else outcome.value,
        accuracy=None if validation is None else validation.accuracy,
        nll=None if validation is None else validation.nll,
        calibrated_nll=None if calibrated is None else calibrated.validation.nll,
        seconds=None if result is None else result.seconds,
        run=run_name(trial.entry, trial.number, seed),
    )


def write_if_new(file: Path, content: bytes) -> None:
    """Write a file unless it holds that already."""
    if not file.is_file() or file.read_bytes() != content:
        files.write_bytes(file, content)


def remove_leftovers(root: Path) -> None:
    """Remove what killed writers left half-written."""
    names = (PLAN_FILE, RECORDS_FILE, CHOSEN_FILE)
    files.remove_leftovers(root, re.compile("|".join(map(re.escape, names))))


def gone_on_with(tuning: Tuning, root: Path) -> Tuning:
    """Return the plan by which a directory goes on: the one that it has, with what is added.

    More trials may be added, and methods and entries, which then get as many.

    Args:
        tuning: that is asked for.
        root: the directory, with a plan or without.

    Raises:
        ValueError: naming what differs otherwise.
    """
    file = root / PLAN_FILE
    if not file.is_file():
        if (root / JOURNAL_FILE).exists():
            raise ValueError(
                f"Expected the plan {file} of the search whose trials lie there, found none. Put "
                "it back, or take another directory."
            )
        return tuning
    before = files.read_json(file, Tuning)
    known = {own.name: own for own in before.chosen}
    added = {
        "methods": tuple(dict.fromkeys([*before.methods, *tuning.methods])),
        "chosen": tuple({**{own.name: own for own in tuning.chosen}, **known}.values()),
        "tune_teacher": before.tune_teacher or tuning.tune_teacher,
        "trials": max(before.trials, tuning.trials),
    }
    there, here = (replace(plan, **added) for plan in (before, tuning))
    differing = [
        *_differing(msgspec.to_builtins(there), msgspec.to_builtins(here)),
        *(
            f"the entry {own.name} of chosen is another there"
            for own in tuning.chosen
            if known.get(own.name, own) != own
        ),
    ]
    if differing:
        raise ValueError(
            f"Expected the settings of the search in {root}, but they differ: "
            f"{'; '.join(differing)}. Take another directory, or the same settings."
        )
    return here


def _differing(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differing(before, after, f"{prefix}{name}.")
        elif before != after:
            yield f"{prefix}{name} is {before!r} there, {after!r} here"

"""What a search writes: its plan, one line for each trial and seed, and what it chose."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict, replace

from tfkd.runs import files
from tfkd.runs.chosen import Chosen
from tfkd.study.comparison import folder_of
from tfkd.tune.outcome import Outcome, State
from tfkd.tune.plan import Tuning
from tfkd.tune.runs_of_trial import Trial

PLAN_FILE, RECORDS_FILE, CHOSEN_FILE = "tune.json", "tune.jsonl", "chosen.json"


class TrialRecord(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of tune.jsonl: a run of a trial. All metrics are of the validation split.

    Attributes:
        method: its name.
        trial: number of the trial, from 0.
        seed: of the run.
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

    method: str
    trial: int
    seed: int
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


def record_of(trial: Trial, state: State, run: str, seed: int, outcome: Outcome) -> TrialRecord:
    """Return the line of a finished run of a trial."""
    result = outcome.result
    validation = None if result is None else result.validation
    calibrated = None if result is None else result.calibrated
    return TrialRecord(
        method=trial.method,
        trial=trial.number,
        seed=seed,
        numbers=dict(trial.setting.method.numbers),
        learning_rate=trial.setting.learning_rate,
        weight_decay=trial.setting.weight_decay,
        state=state,
        objective=None if outcome.diverged else outcome.value,
        accuracy=None if validation is None else validation.accuracy,
        nll=None if validation is None else validation.nll,
        calibrated_nll=None if calibrated is None else calibrated.validation.nll,
        seconds=None if result is None else result.seconds,
        run=run,
    )


def chosen_of(best: Mapping[str, Trial]) -> list[Chosen]:
    """Return what was chosen, by the best trial of each method."""
    return [
        Chosen(
            name=folder_of(method),
            method=trial.setting.method,
            learning_rate=trial.setting.learning_rate,
            weight_decay=trial.setting.weight_decay,
        )
        for method, trial in best.items()
    ]


def write_as_it_is(file: Path, content: bytes) -> None:
    """Write a file unless it holds that already."""
    if not file.is_file() or file.read_bytes() != content:
        files.write_bytes(file, content)


def remove_leftovers(root: Path) -> None:
    """Remove what killed writers left half-written."""
    names = (PLAN_FILE, RECORDS_FILE, CHOSEN_FILE)
    files.remove_leftovers(root, re.compile("|".join(map(re.escape, names))))


def begun(tuning: Tuning, root: Path) -> Tuning:
    """Return the plan of a directory: with all methods, and the most trials, that it was asked for.

    So the same command with more trials, or other methods, goes on: all get the same budget.

    Args:
        tuning: that is asked for.
        root: the directory, with a plan or without.

    Raises:
        ValueError: naming what differs otherwise.
    """
    file = root / PLAN_FILE
    if not file.is_file():
        return tuning
    before = files.read_json(file, Tuning)
    methods = tuple(dict.fromkeys([*before.methods, *tuning.methods]))
    trials = max(before.trials, tuning.trials)
    there, here = (replace(one, methods=methods, trials=trials) for one in (before, tuning))
    if there != here:
        raise ValueError(
            f"Expected the settings of the search in {root}, but they differ: "
            f"{'; '.join(_differing(asdict(there), asdict(here)))}. Take another directory, or the "
            "same settings."
        )
    return here


def _differing(old: Mapping[str, object], new: Mapping[str, object]) -> Sequence[str]:
    import msgspec

    def flat(values: object, prefix: str = "") -> dict[str, object]:
        if not isinstance(values, dict):
            return {prefix: values}
        found: dict[str, object] = {}
        for name, value in values.items():
            found |= flat(value, f"{prefix}.{name}" if prefix else name)
        return found

    there, here = (flat(msgspec.to_builtins(values)) for values in (old, new))
    return [
        f"{name} is {there.get(name)!r} there, {here.get(name)!r} here"
        for name in dict.fromkeys([*there, *here])
        if there.get(name) != here.get(name)
    ]

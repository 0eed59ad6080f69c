"""What a study will do, how long it takes, and what it can show: said before its first run."""

from __future__ import annotations

import math

import torch

from tfkd.data import ImageData
from tfkd.report.number_text import number_of
from tfkd.report.terminal.found import (
    Row,
    data_rows,
    size_words,
    start_rows,
    time_words,
    training_words,
    worth_knowing,
)
from tfkd.report.terminal.rows import laid_out
from tfkd.runs import Recipe
from tfkd.study.estimate import Estimate, estimate
from tfkd.study.plan import FOLDS_SHARE, Study, repeats
from tfkd.study.progress import StudyBeginning
from tfkd.study.statistics.power import least_seeds, spreads_found
from tfkd.train.freezing import count_parameters, freeze


def found_for_study(beginning: StudyBeginning) -> tuple[list[str], Estimate]:
    """Return what is said before a study, and what it will cost."""
    rows, cost = _rows(beginning)
    return laid_out(rows), cost


def dry_run_of_study(beginning: StudyBeginning, remarks: list[str]) -> list[str]:
    """Return what is said of a study that is not run.

    Args:
        beginning: of it; without data, if these are not there.
        remarks: sentences about what lies in its directory.
    """
    rows, _ = _rows(beginning)
    name = ("study", beginning.study.name)
    return laid_out([name, *rows, *(("note", text) for text in remarks)])


def _rows(beginning: StudyBeginning) -> tuple[list[Row], Estimate]:
    study, first = beginning.study, beginning.study.arms[0].recipe
    cost = estimate(
        study,
        beginning.root,
        jobs=beginning.jobs,
        data=beginning.data,
        data_root=beginning.circumstances.places,
        workers=beginning.circumstances.workers,
    )
    data = beginning.data.get(first.data)
    if data is None:
        return planned(study, cost), cost
    networks = {arm.recipe.student: arm.recipe for arm in study.arms}
    return [
        *data_rows(data),
        ("networks", ", ".join(_network(recipe, data) for recipe in networks.values())),
        *start_rows(data, first),
        ("training", training_words(first)),
        *planned(study, cost),
        *worth_knowing(data, first),
    ], cost


def planned(study: Study, cost: Estimate) -> list[Row]:
    """Return how much a study is, how long it takes here, and what its seeds can show."""
    arms, seeds = len(study.arms), study.seeds
    finished = f", {cost.finished} of them finished" if cost.finished else ""
    side = f" each, {cost.jobs} runs side by side" if cost.jobs > 1 else ""
    folds = study.arms[0].recipe.data.folds
    return [
        (
            "runs",
            f"{number_of(cost.runs, 'run')}: {number_of(arms, 'arm')}, {repeats(seeds, folds)}"
            f"{finished}; {number_of(cost.epochs, 'epoch')} left",
        ),
        ("time", f"{time_words(cost.seconds)}{side}"),
        (
            "folds" if folds else "seeds",
            what_seeds_show(seeds, max(len(study.claims), 1), folds=folds),
        ),
        *([("note", FOLDS_SHARE)] if folds else []),
    ]


def what_seeds_show(seeds: int, claims: int, *, folds: int | None = None) -> str:
    r"""Say which differences so many seeds can show, by the tests that the verdicts have.

    Args:
        seeds: of each arm.
        claims: over which p is corrected, at least 1.
        folds: of a cross-validation, of which each seed tests one.

    Example:
        >>> print(what_seeds_show(3, 1).replace("; with", "\nwith"))
        3 seeds cannot show any difference at p ≤ .05; 6 is the least
        with 8, one of 1.2 times the spread of the differences, with 80 % power
        >>> what_seeds_show(10, 1)
        '10 seeds show a difference of 1.0 times their spread with 80 % power, at p ≤ .05'
    """
    word = "fold" if folds else "seed"
    over = f" over {number_of(claims, 'claim')}" if claims > 1 else ""
    target = f"at p ≤ .05{over}"
    if math.isfinite(found := spreads_found(seeds, claims)):
        return (
            f"{number_of(seeds, word)} show a difference of {found:.1f} times "
            f"their spread with 80 % power, {target}"
        )
    step = folds or 1
    least = math.ceil(least_seeds() / step) * step
    more = math.ceil((least + 1 + (folds is None)) / step) * step
    return (
        f"{number_of(seeds, word)} cannot show any difference {target}; {least} is the least; with "
        f"{more}, one of {spreads_found(more, claims):.1f} times the spread of the "
        "differences, with 80 % power"
    )


def _network(recipe: Recipe, data: ImageData) -> str:
    """A network and its size; made without memory, where it can be."""
    try:
        with torch.random.fork_rng([]), torch.device("meta"):
            network = recipe.build_student(
                num_classes=data.num_classes,
                in_channels=data.channels,
                image_size=data.image_size,
            )
            freeze(network, recipe.freeze, name=recipe.student)
    except Exception:  # of one's own, which may need its numbers
        return recipe.student
    return f"{recipe.student} ({size_words(*count_parameters(network))})"

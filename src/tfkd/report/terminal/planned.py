"""What a study will do, how long it takes, and what it can show: said before its first run."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from tfkd.data import ImageData
from tfkd.report.number_text import number_of
from tfkd.report.terminal.found import (
    Row,
    and_compiling,
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
from tfkd.study.spread import spread_so_far
from tfkd.study.statistics.power import least_seeds, seeds_for_equivalence, spreads_found
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
        return planned(study, beginning.root, cost), cost
    networks = {arm.recipe.student: arm.recipe for arm in study.arms}
    return [
        *data_rows(data),
        ("networks", ", ".join(network_words(recipe, data) for recipe in networks.values())),
        *start_rows(data, first),
        ("training", _training(study)),
        *planned(study, beginning.root, cost),
        *worth_knowing(data, first),
    ], cost


def _training(study: Study) -> str:
    """How the networks are trained; where methods have learning rates of their own, all of them."""
    first = study.arms[0].recipe
    rates = {arm.recipe.optimizer.learning_rate for arm in study.arms}
    one = f"learning rate {first.optimizer.learning_rate:g}"
    several = f"learning rate by method, {min(rates):g} to {max(rates):g}"
    return training_words(first).replace(one, one if len(rates) == 1 else several)


def planned(study: Study, root: Path, cost: Estimate) -> list[Row]:
    """Return how much a study is, how long it takes here, and what its seeds can show."""
    arms, seeds = len(study.arms), study.seeds
    finished = f", {cost.finished} of them finished" if cost.finished else ""
    side = f" each, {cost.jobs} runs side by side" if cost.jobs > 1 else ""
    compiling = and_compiling((arm.recipe for arm in study.arms), " of each run")
    folds = study.arms[0].recipe.data.folds
    return [
        (
            "runs",
            f"{number_of(cost.runs, 'run')}: {number_of(arms, 'arm')}, {repeats(seeds, folds)}"
            f"{finished}; {number_of(cost.epochs, 'epoch')} left",
        ),
        ("time", f"{time_words(cost.seconds)}{side}{compiling}"),
        (
            "folds" if folds else "seeds",
            what_seeds_show(
                seeds,
                max(len(study.claims), 1),
                folds=folds,
                sd=spread_so_far(study, root) if cost.finished else None,
                worthwhile=study.worthwhile,
            ),
        ),
        *([("note", FOLDS_SHARE)] if folds else []),
    ]


def what_seeds_show(
    seeds: int,
    claims: int,
    *,
    folds: int | None = None,
    sd: float | None = None,
    worthwhile: float = 0.2,
) -> str:
    r"""Say which differences so many seeds can show, by the tests that the verdicts have.

    Args:
        seeds: of each arm.
        claims: over which p is corrected, at least 1.
        folds: of a cross-validation, of which each seed tests one.
        sd: of the differences in accuracy between seeds, in points, as far as it is known from runs
            that are finished; None: differences are told in sds.
        worthwhile: the smallest difference worth having, in points.

    Example:
        >>> print(what_seeds_show(3, 1).replace("; with", "\nwith"))
        3 seeds cannot show any difference at p ≤ .05; 6 is the least
        with 8, one of 1.2 times the spread of the differences, with 80 % power
        >>> what_seeds_show(10, 1)
        '10 seeds show a difference of 1.0 times their spread with 80 % power, at p ≤ .05'
        >>> print(what_seeds_show(10, 6, sd=0.5).replace("; that", "\nthat"))
        10 seeds show a difference of 0.70 points with 80 % power, at p ≤ .05 over 6 claims
        that there is none of 0.2 points, about 69 would (spread 0.50 points, as in the runs so far)
    """
    word = "fold" if folds else "seed"
    over = f" over {number_of(claims, 'claim')}" if claims > 1 else ""
    target = f"at p ≤ .05{over}"

    def amount(found: float, spread: str) -> str:
        return f"{found:.1f} times {spread}" if sd is None else f"{found * sd:.2f} points"

    ending = ""
    if sd is not None:
        needed = seeds_for_equivalence(sd, worthwhile)
        ending = (
            f"; that there is none of {worthwhile:g} points, "
            f"{'more than 1000' if needed is None else f'about {needed}'} would (spread {sd:.2f} "
            "points, as in the runs so far)"
        )
    if math.isfinite(found := spreads_found(seeds, claims)):
        return (
            f"{number_of(seeds, word)} show a difference of {amount(found, 'their spread')} with "
            f"80 % power, {target}{ending}"
        )
    step = folds or 1
    least = math.ceil(least_seeds() / step) * step
    more = math.ceil((least + 1 + (folds is None)) / step) * step
    found = spreads_found(more, claims)
    return (
        f"{number_of(seeds, word)} cannot show any difference {target}; {least} is the least; with "
        f"{more}, one of {amount(found, 'the spread of the differences')}, with 80 % power{ending}"
    )


def network_words(recipe: Recipe, data: ImageData) -> str:
    """Return a network and its size; made without memory, where it can be."""
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

"""What was run, on what, for how long, with what."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from typing import Any

from msgspec.structs import asdict

from tfkd.report.number_text import duration, number_of
from tfkd.report.study_data import RunData, StudyData
from tfkd.runs import Recipe, Step
from tfkd.runs.contents import Environment
from tfkd.runs.settings import variant
from tfkd.study.plan import of_folds, repeats


def facts(data: StudyData) -> list[tuple[str, str]]:
    """Return pairs of a name and what there is to say, in plain words."""
    study = data.study
    planned = len(study.arms) * study.seeds
    runs = data.all_runs
    folds = study.arms[0].recipe.data.folds
    pairs = [
        (
            "runs",
            f"{len(runs)} of {planned} finished: {number_of(len(study.arms), 'arm')} × "
            f"{repeats(study.seeds, folds)}"
            + ("" if len(runs) == planned else ". The study is not finished: numbers may change"),
        )
    ]
    missing = [arm.name for arm in study.arms if arm.name not in data.runs]
    if missing:
        pairs.append(("no finished run yet", ", ".join(missing)))
    partial = {arm: len(found) for arm, found in data.runs.items() if len(found) < study.seeds}
    if partial:
        counts = ", ".join(f"{arm} ({count})" for arm, count in partial.items())
        pairs.append((of_folds(f"fewer than {study.seeds} seeds yet", folds), counts))
    if not runs:
        return pairs
    seconds = [run.seconds for run in runs]
    return [
        *pairs,
        ("data", "; ".join(_distinct(runs, _data))),
        ("classes", _classes(data.classes)),
        ("students", "; ".join(_distinct(runs, _student))),
        ("recipe", "; ".join(_recipes(data))),
        (
            "time",
            f"{duration(sum(seconds))} of training, {statistics.median(seconds):.3g} s a run "
            "in the median",
        ),
        ("device", "; ".join(_distinct(runs, lambda run: device_in_words(run.environment)))),
        ("versions", "; ".join(_distinct(runs, lambda run: versions_in_words(run.environment)))),
        ("commit", "; ".join(_distinct(runs, lambda run: run.environment.commit or "none"))),
    ]


def _distinct(runs: list[RunData], describe: Any) -> list[str]:
    """The descriptions that there are; with more than one, how many runs each has."""
    counts = Counter(str(describe(run)) for run in runs)
    if len(counts) == 1:
        return list(counts)
    return [f"{text} ({count} run{'s' if count > 1 else ''})" for text, count in counts.items()]


def _data(run: RunData) -> str:
    size, channels = run.data.image_size, run.data.channels
    images = ", ".join(f"{count} {split}" for split, count in asdict(run.samples).items())
    return f"{run.data.name}, {channels} × {size} × {size}: {images} images"


def _classes(names: list[str]) -> str:
    shown = ", ".join(names[:20])
    return f"{len(names)}: {shown}{', …' if len(names) > 20 else ''}"


def _student(run: RunData) -> str:
    return f"{run.record.student}, {run.record.parameters:,} parameters"


def _recipes(data: StudyData) -> list[str]:
    """The recipe of the arms that are no control; controls change their own part of it."""
    found = [row.arm.recipe for row in data.rows if not row.is_control]
    recipes = Counter(map(recipe_in_words, found))
    controls = "; controls change what their names say" if len(found) < len(data.rows) else ""
    if len(recipes) == 1:
        return [f"{next(iter(recipes))}{controls}"]
    alike = Counter(recipe_in_words(recipe, with_rates=False) for recipe in found)
    if len(alike) == 1:
        rates = sorted({recipe.optimizer.learning_rate for recipe in found})
        decays = sorted({recipe.optimizer.weight_decay for recipe in found})
        return [
            f"{next(iter(alike))}; of each method its own learning rate, {_range(rates)}, and "
            f"weight decay, {_range(decays)}{controls}"
        ]
    return [f"{text} ({count} arm{'s' if count > 1 else ''})" for text, count in recipes.items()]


def _range(values: list[float]) -> str:
    ends = dict.fromkeys(f"{value:.3g}" for value in (values[0], values[-1]))
    return " to ".join(ends)


def recipe_in_words(recipe: Recipe, *, with_rates: bool = True) -> str:
    """Return the numbers of a recipe that people ask for first.

    Args:
        recipe: of a run.
        with_rates: whether learning rate and weight decay are said.
    """
    optimizer, schedule = recipe.optimizer, recipe.schedule
    rates = ""
    if with_rates:
        rates = (
            f" with learning rate {optimizer.learning_rate:g}, "
            f"weight decay {optimizer.weight_decay:g}"
        )
    steps = ""
    if isinstance(schedule, Step):
        steps = f" (× {schedule.gamma:g} after epochs {', '.join(map(str, schedule.milestones))})"
    return (
        f"{number_of(recipe.epochs, 'epoch')} of batches of {recipe.batch_size}, "
        f"{variant(optimizer)}{rates}, "
        f"schedule {variant(schedule)}{steps}, augmentation {recipe.data.augmentation}, "
        f"precision {'float32' if recipe.mixed_precision == 'no' else recipe.mixed_precision}"
        + "".join(f", {words}" for words in beside_the_usual(recipe))
    )


def beside_the_usual(recipe: Recipe) -> Iterator[str]:
    """Yield what a training has beside what every training has, in words."""
    optimizer = recipe.optimizer
    if recipe.freeze != "none":
        frozen = "all but the classifier"
        if recipe.freeze != "backbone":
            frozen = f"the first {number_of(int(recipe.freeze), 'stage')}"
        yield f"{frozen} frozen"
    if optimizer.layer_decay != 1.0:
        yield f"layer decay {optimizer.layer_decay:g}"
    if recipe.gradient_accumulation > 1:
        yield f"steps of {recipe.gradient_accumulation} batches"
    for name, value in (
        ("mixup", recipe.mixup),
        ("CutMix", recipe.cutmix),
        ("gradients clipped to", recipe.clip_gradients),
        ("weights averaged with", recipe.weight_average),
    ):
        if value:
            yield f"{name} {value:g}"
    if recipe.compile:
        yield "compiled"
    if recipe.class_weights != "none":
        yield f"class weights {recipe.class_weights}"
    if recipe.data.sampler != "shuffled":
        yield f"sampler {recipe.data.sampler}"


def device_in_words(environment: Environment) -> str:
    """Return on what a run was trained."""
    threads = environment.threads
    return (
        f"{environment.device} ({environment.device_name}), {environment.system}, "
        f"{threads} thread{'s' if threads != 1 else ''}, {environment.processes} process"
        f"{'es' if environment.processes != 1 else ''} a run"
    )


def versions_in_words(environment: Environment) -> str:
    """Return with which packages a run was trained."""
    return ", ".join(
        f"{name} {version}" for name, version in environment.versions.items() if version
    )

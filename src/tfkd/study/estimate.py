"""What runs will cost, from what a step and the reading of an image take on this machine."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from tfkd.data import DataSettings, ImageData, Places, load_data
from tfkd.runs import MethodSettings, Recipe, RunDirectory, RunSettings
from tfkd.study.directory import run_directory
from tfkd.study.executors.local import threads_of
from tfkd.study.plan import PlannedRun, Study
from tfkd.study.speed import DataShape, data_shape, measure_reading, measure_step, shape_of

Measure = Callable[[Recipe, DataShape], tuple[float, float]]
"""Seconds for each image of a training step and of a forward pass of a recipe's student."""


@dataclass(frozen=True)
class Estimate:
    """What is left of a study.

    Attributes:
        runs: runs of the plan.
        finished: runs of it that are finished.
        epochs: epochs of the runs that are not finished.
        jobs: runs side by side.
        seconds: time of those, so many side by side; infinite if it could not be measured.
        by_run: seconds of each run that is not finished.
    """

    runs: int
    finished: int
    epochs: int
    jobs: int
    seconds: float
    by_run: Mapping[str, float] = field(default_factory=dict)


class Costs:
    """What networks and data cost, each measured once.

    Args:
        data: that are loaded already.
        data_root: where others lie; None: the usual places.
        workers: processes that decode image files beside the training.
        measure: how long a network takes; None: `measure_step`, on this machine.
    """

    def __init__(
        self,
        data: Mapping[DataSettings, ImageData],
        *,
        data_root: str | Places | None,
        workers: int,
        measure: Measure | None,
    ) -> None:
        self._data, self._root, self._workers = dict(data), data_root, workers
        self._measure = measure or _measured
        self._shapes: dict[DataSettings, DataShape] = {}
        self._reading: dict[DataSettings, float] = {}
        self._steps: dict[object, tuple[float, float]] = {}

    def shape(self, settings: DataSettings) -> DataShape:
        """Return the numbers of a data set; seeds split alike."""
        if settings not in self._shapes:
            if settings not in self._data:
                with contextlib.suppress(FileNotFoundError):  # then as published, if they are
                    self._data[settings] = load_data(settings, root=self._root)
            known = self._data.get(settings)
            self._shapes[settings] = (
                data_shape(settings, root=self._root) if known is None else shape_of(known)
            )
        return self._shapes[settings]

    def step(self, recipe: Recipe) -> tuple[float, float]:
        """Return the seconds for each image of a training step and of a forward pass."""
        shape = self.shape(recipe.data)
        options = tuple(sorted(recipe.model_option.items()))
        key = (recipe.student, options, shape, recipe.batch_size, recipe.mixed_precision)
        if key not in self._steps:
            self._steps[key] = self._measure(recipe, shape)
        return self._steps[key]

    def epoch(self, recipe: Recipe, method: MethodSettings) -> float:
        """Return the seconds of an epoch and its validation, without a network that teaches.

        Where the last batch is shown once more, each image is trained twice; a loss that is given
        the student asks it, or its average, about each once more.
        """
        shape, (trained, predicted) = self.shape(recipe.data), self.step(recipe)
        row = method.row
        shown = 1 if row.partners == "none" else 2
        step = trained * (2 if row.partners == "the last batch" else 1)
        step += predicted if row.takes("student", method.dialect) else 0.0
        seconds = shape.train * self._with_reading(step, recipe.data, images=shown)
        return seconds + shape.validation * self._with_reading(predicted, recipe.data)

    def test(self, recipe: Recipe) -> float:
        """Return the seconds of the test."""
        predicted = self._with_reading(self.step(recipe)[1], recipe.data)
        return self.shape(recipe.data).test * predicted

    def teaching(self, recipe: Recipe) -> float:
        """Return the seconds in which a teacher is asked once about every training image."""
        return self.shape(recipe.data).train * self.step(recipe)[1]

    def _with_reading(self, seconds: float, settings: DataSettings, *, images: int = 1) -> float:
        if settings not in self._reading:
            known = self._data.get(settings)
            self._reading[settings] = 0.0 if known is None else measure_reading(known)
        reading = images * self._reading[settings]
        return max(seconds, reading / self._workers) if self._workers else seconds + reading


def estimate(
    study: Study,
    root: Path,
    *,
    jobs: int = 1,
    data_root: str | Places | None = None,
    workers: int = 0,
    data: Mapping[DataSettings, ImageData] | None = None,
    measure: Measure | None = None,
) -> Estimate:
    """Measure a step of every network of a study and add up what is left.

    Args:
        study: the plan.
        root: its directory; runs of the plan that are finished there are not counted again, begun
            ones are.
        jobs: runs side by side; steps are measured with the threads that each would have.
        data_root: where the data lie; None: the usual places.
        workers: processes that decode image files for each run.
        data: those that are loaded already; others are loaded, if they are there.
        measure: how long a network takes; None: `measure_step`, on this machine.

    Returns:
        The time is that of reading, training, validation, test and the teacher's forward passes,
        once for each view of a cache that runs share. That processes start is not in it, and that
        teachers come first neither.
    """
    before = torch.get_num_threads()
    costs = Costs(data or {}, data_root=data_root, workers=workers, measure=measure)
    runs, finished, epochs = study.runs(root), 0, 0
    arms = {arm.name: arm for arm in study.arms}
    by_run: dict[str, float] = {}
    cached: set[object] = set()
    if jobs > 1:
        torch.set_num_threads(threads_of(jobs))
    try:
        for run in runs:
            if is_finished(run, root):
                finished += 1
                continue
            arm = arms[run.arm]
            recipe = arm.recipe
            epochs += recipe.epochs
            by_run[run.name] = recipe.epochs * costs.epoch(recipe, arm.method) + costs.test(recipe)
            if arm.teacher is None:
                continue
            passes = recipe.epochs
            if study.teacher_cache != "none":
                # An upper bound: without augmentation there is one view.
                passes = min(passes, recipe.data.views or passes)
                key = (run.settings.teacher, recipe.data, passes, recipe.mixed_precision)
                if key in cached:
                    continue
                cached.add(key)
            by_run[run.name] += passes * costs.teaching(arms[arm.teacher].recipe)
    finally:
        torch.set_num_threads(before)
    return Estimate(len(runs), finished, epochs, jobs, sum(by_run.values()) / jobs, by_run)


def estimate_run(settings: RunSettings, data: ImageData, *, workers: int) -> float:
    """Return the seconds that a run takes here; infinite if it could not be measured."""
    recipe = settings.recipe
    costs = Costs({recipe.data: data}, data_root=None, workers=workers, measure=None)
    seconds = recipe.epochs * costs.epoch(recipe, settings.method) + costs.test(recipe)
    if (teacher := _teacher_of(settings)) is None:
        return seconds
    passes = recipe.epochs
    if settings.teacher is not None and settings.teacher.cache != "none":
        passes = min(passes, recipe.data.views or passes)
    return seconds + passes * costs.teaching(recipe.for_student(teacher))


def _teacher_of(settings: RunSettings) -> str | None:
    """Name of the network that teaches; None if none does, or it is not known yet."""
    teacher = settings.teacher
    if teacher is None:
        return None
    try:
        own = getattr(teacher, "model", None)
        return own or RunDirectory(teacher.run).settings().recipe.student  # type: ignore[union-attr]
    except (OSError, ValueError, AttributeError):
        return None


def is_finished(run: PlannedRun, root: Path) -> bool:
    """Return whether a run of the plan is finished; one of other settings is none of the plan."""
    directory = run_directory(root, run.name)
    try:
        return directory.result() is not None and run.is_of(directory.settings())
    except (OSError, ValueError):  # damaged
        return False


def _measured(recipe: Recipe, shape: DataShape) -> tuple[float, float]:
    try:
        return measure_step(recipe, shape)
    # Memory that is full, or images that it does not take, which the run will say.
    except (RuntimeError, ValueError, TypeError, AssertionError):
        return math.inf, math.inf

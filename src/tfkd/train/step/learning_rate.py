"""The learning rate as a function of the step alone, so that resuming needs no state for it."""

from __future__ import annotations

import bisect
import math

from tfkd.runs.schedules import Cosine, OneCycle, Schedule, Step
from tfkd.runs.settings import RunSettings

# torch.optim.lr_scheduler.OneCycleLR's defaults: a cosine rise from 1/25 over 30 % of the steps,
# then a cosine fall to 1/25/10^4.
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = ONE_CYCLE_START / 1e4
ONE_CYCLE_RISE = 0.3


def learning_rate_factor(
    step: int, *, steps_per_epoch: int, epochs: int, schedule: Schedule
) -> float:
    """Return what the learning rate is multiplied by at a step.

    Args:
        step: steps of the optimiser done before, from 0.
        steps_per_epoch: steps in an epoch.
        epochs: epochs of the run.
        schedule: its settings.

    Example:
        >>> schedule = Step(milestones=(1,), gamma=0.2, warmup_epochs=0.0)
        >>> [learning_rate_factor(s, steps_per_epoch=2, epochs=2, schedule=schedule)
        ...  for s in range(4)]
        [1.0, 1.0, 0.2, 0.2]
    """
    total = steps_per_epoch * epochs
    if isinstance(schedule, OneCycle):
        peak = ONE_CYCLE_RISE * total - 1
        if step <= peak:
            return _cosine(ONE_CYCLE_START, 1.0, step / peak)
        return _cosine(1.0, ONE_CYCLE_END, (step - peak) / max(total - 1 - peak, 1))
    warmup = schedule.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if isinstance(schedule, Step):
        passed = bisect.bisect_right(schedule.milestones, step // steps_per_epoch)
        return schedule.gamma**passed
    if isinstance(schedule, Cosine):
        return _cosine(1.0, 0.0, (step - warmup) / max(total - warmup, 1))
    return 1.0


def learning_rate(settings: RunSettings, *, epoch: int, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step of an epoch, both from 0."""
    factor = learning_rate_factor(
        epoch * steps_per_epoch + step,
        steps_per_epoch=steps_per_epoch,
        epochs=settings.recipe.epochs,
        schedule=settings.recipe.schedule,
    )
    return settings.recipe.optimizer.learning_rate * factor


def _cosine(start: float, end: float, progress: float) -> float:
    """Half a period of a cosine from `start` at progress 0 to `end` at 1."""
    return end + (start - end) * (1.0 + math.cos(math.pi * progress)) / 2.0

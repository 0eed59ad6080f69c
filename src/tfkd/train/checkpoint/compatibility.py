"""Whether a checkpoint is one of the run that is to go on from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tfkd.loss import Criterion
from tfkd.train.checkpoint.file import Checkpoint
from tfkd.train.checkpoint.kept import check_kept, check_tensor, kept_of_parameters
from tfkd.train.remembered import may_be_longer, remembered
from tfkd.train.step.plan import StepPlan
from tfkd.train.step.totals import Totals
from tfkd.train.student import Student

_SETTINGS = ("momentum", "nesterov", "weight_decay", "betas", "lr_scale")


def check_fits(
    checkpoint: Checkpoint,
    student: Student,
    criterion: Criterion,
    *,
    scaler: dict[str, Any] | None,
    plan: StepPlan,
    epochs: int,
) -> None:
    """Check that a checkpoint fits, before anything of it is loaded.

    Args:
        checkpoint: as `read_checkpoint` returns it.
        student: that is to be trained on.
        criterion: its loss.
        scaler: state of the gradients' scaler of this run; None: it has none.
        plan: of the epochs of this run.
        epochs: how many they are.

    Raises:
        ValueError: with what was expected, and what came.
    """
    _check_model(checkpoint.model, student.network.state_dict())
    average = None if student.average is None else student.average.network.state_dict()
    if average is None or checkpoint.average is None:
        _check_names("average", checkpoint.average or {}, average or {})
    else:
        _check_model(checkpoint.average, average)
    _check_optimizer(checkpoint.optimizer, student)
    _check_criterion(checkpoint.criterion or {}, criterion)
    _check_names("scaler", checkpoint.scaler or {}, scaler or {})
    _check_progress(checkpoint, plan, epochs)


def _check_model(found: dict[str, Any], expected: Mapping[str, Tensor]) -> None:
    _check_names("network", found, expected)
    for name, tensor in expected.items():
        check_tensor(name, found[name], tensor.shape, tensor.dtype)


def _check_optimizer(found: dict[str, Any], student: Student) -> None:
    expected = student.optimizer.optimizer.state_dict()
    _check_names("optimiser", found, expected)
    numbers, wanted = (
        [group["params"] for group in state["param_groups"]] for state in (found, expected)
    )
    if numbers != wanted:
        raise ValueError(
            f"expected an optimiser of {len(student.parameters)} parameters, got "
            f"{sum(map(len, numbers))}"
        )
    for theirs, ours in zip(found["param_groups"], expected["param_groups"], strict=True):
        for name in _SETTINGS:
            if theirs.get(name) != ours.get(name):
                raise ValueError(
                    f"expected an optimiser with {name} {ours.get(name)}, got {theirs.get(name)}"
                )
    kept = kept_of_parameters(student)
    for number, values in found["state"].items():
        name = student.parameters[number]
        _check_names(f"optimiser of `{name}`", values, kept[name])
        for key, value in values.items():
            check_kept(f"{key} of {name}", value, kept[name][key])


def _check_criterion(found: dict[str, Any], criterion: Criterion) -> None:
    expected = remembered(criterion)
    _check_names("loss", found, expected)
    for name, tensor in expected.items():
        shape, value = tensor.shape, found[name]
        if may_be_longer(criterion, name) and isinstance(value, Tensor):
            shape = _as_long(shape, value.shape)
        check_tensor(name, value, shape, tensor.dtype)


def _as_long(shape: torch.Size, found: torch.Size) -> torch.Size:
    """A shape with as many rows as were found; what is 0 now may be anything too."""
    if len(shape) != len(found):
        return shape
    sizes = zip(shape, found, strict=True)
    return torch.Size(
        theirs if place == 0 or own == 0 else own for place, (own, theirs) in enumerate(sizes)
    )


def _check_progress(checkpoint: Checkpoint, plan: StepPlan, epochs: int) -> None:
    done, batches = checkpoint.epochs_done, checkpoint.batches_done
    if not 0 <= done <= epochs:
        raise ValueError(f"expected at most {epochs} epochs, got {done}")
    if done == epochs and batches > 0:
        raise ValueError(f"expected at most {epochs} epochs, got {batches} batches of the next")
    if len(checkpoint.history) != done:
        raise ValueError(f"expected records of {done} epochs, got {len(checkpoint.history)}")
    if not plan.is_between_steps(batches):
        raise ValueError(
            f"expected a whole number of steps, of {plan.accumulation} batches each and "
            f"{plan.batches} in an epoch, got {batches} batches"
        )
    _check_names("epoch", checkpoint.totals, dict.fromkeys(Totals._fields))
    totals = Totals(**checkpoint.totals)
    if batches == plan.batches:  # it depends on the processes whether they trained the last
        check_tensor("losses", totals.losses, totals.losses.shape[:1], torch.float64)
        return
    check_tensor("losses", totals.losses, torch.Size([batches]), torch.float64)
    if totals.samples != batches * plan.batch_size:
        raise ValueError(
            f"expected {batches * plan.batch_size} samples in {batches} batches, got "
            f"{totals.samples}"
        )


def _check_names(what: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for name in expected:
        if name not in found:
            raise ValueError(f"expected `{name}` in the {what}, found none")
    for name in found:
        if name not in expected:
            raise ValueError(f"expected no `{name}` in the {what}, got one")

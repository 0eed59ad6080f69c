"""What a checkpoint holds: the student, what its loss remembers, and how far its run has come."""

from __future__ import annotations

from pathlib import Path

from accelerate import Accelerator

from tfkd.loss import Criterion
from tfkd.train import sharding
from tfkd.train.checkpoint.compatibility import check_fits
from tfkd.train.checkpoint.file import Checkpoint, read_checkpoint
from tfkd.train.checkpoint.state import TrainingState
from tfkd.train.remembered import load_remembered, remembered
from tfkd.train.step.plan import StepPlan
from tfkd.train.step.totals import EpochTotals, Totals
from tfkd.train.student import Student


def checkpoint_of(
    student: Student,
    criterion: Criterion,
    state: TrainingState,
    totals: Totals,
    accelerator: Accelerator,
) -> Checkpoint:
    """Return what resuming needs; all processes must call it.

    Args:
        student: that is trained.
        criterion: its loss.
        state: of its run.
        totals: of the epoch that is being trained, over all processes.
        accelerator: of the run.
    """
    scaler, average = accelerator.scaler, student.average
    return Checkpoint(
        model=sharding.whole(student.network.state_dict()),
        optimizer=sharding.whole(student.optimizer.optimizer.state_dict()),
        scaler=scaler.state_dict() if scaler is not None else None,
        epochs_done=state.epochs_done,
        batches_done=state.batches_done,
        totals=totals._asdict(),
        epoch_seconds=state.epoch_seconds,
        seconds=state.seconds,
        history=state.history,
        average=None if average is None else average.network.state_dict(),
        criterion=remembered(criterion) or None,
    )


def resume(
    file: Path,
    student: Student,
    criterion: Criterion,
    accelerator: Accelerator,
    *,
    plan: StepPlan,
    epochs: int,
) -> TrainingState:
    """Load a checkpoint into the student and its loss, and return how far its run had come.

    Args:
        file: of the checkpoint.
        student: that is to be trained on.
        criterion: its loss.
        accelerator: of the run.
        plan: of its epochs.
        epochs: how many they are.

    Raises:
        ValueError: naming the file, if it is damaged or not one of this run.
    """
    checkpoint, scaler = read_checkpoint(file), accelerator.scaler
    state = None if scaler is None else scaler.state_dict()
    try:
        check_fits(checkpoint, student, criterion, scaler=state, plan=plan, epochs=epochs)
    # The last four of values that are of another kind altogether.
    except (ValueError, AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(
            f"Expected a checkpoint of this run in {file}, but it does not fit: {error}. Delete "
            "this file to start the run anew."
        ) from error
    sharding.load_model(student.network, checkpoint.model)
    if student.average is not None and checkpoint.average is not None:
        student.average.network.load_state_dict(checkpoint.average)
    sharding.load_optimizer(student.optimizer.optimizer, checkpoint.optimizer)
    load_remembered(criterion, checkpoint.criterion or {})
    if scaler is not None:
        scaler.load_state_dict(checkpoint.scaler)
    return TrainingState(
        EpochTotals(accelerator, before=Totals(**checkpoint.totals)),
        epochs_done=checkpoint.epochs_done,
        batches_done=checkpoint.batches_done,
        epoch_seconds=checkpoint.epoch_seconds,
        seconds=checkpoint.seconds,
        history=checkpoint.history,
        kept=(checkpoint.epochs_done, checkpoint.batches_done),
    )

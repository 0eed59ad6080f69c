"""What a run comes to, measured once, after its last epoch."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from tfkd.calibration import fit_temperature
from tfkd.data import Loader
from tfkd.metrics import all_metrics
from tfkd.runs.contents import CacheSummary, Calibrated, Metrics, Result, Samples, TrainMetrics
from tfkd.teachers import CachedTeacher
from tfkd.train.checkpoint.state import TrainingState
from tfkd.train.lesson import Lesson
from tfkd.train.logits import predict_split


def predict(
    network: nn.Module, loader: Loader, accelerator: Accelerator, *, between: Callable[[], None]
) -> tuple[Tensor, Tensor]:
    """Return logits and labels of a split, by the same network on every process.

    Args:
        network: that is trained.
        loader: of the split.
        accelerator: of the run.
        between: called after every batch.
    """
    if accelerator.num_processes > 1:
        # Batch norm's running averages are those of each process's own samples.
        for buffer in network.buffers():
            torch.distributed.broadcast(buffer, 0)
    return predict_split(network, loader, accelerator, between=between)


def result_of(
    lesson: Lesson,
    network: nn.Module,
    state: TrainingState,
    *,
    test: tuple[Tensor, Tensor] | None,
    validation: tuple[Tensor, Tensor] | None,
) -> Result:
    """Return what `result.json` holds.

    Args:
        lesson: that is over.
        network: that was trained.
        state: of the run.
        test: logits and labels of the test split; None where it is not looked at.
        validation: those of the validation split; None if there is none.
    """
    data, last = lesson.data, state.history[-1]
    cache = None
    if isinstance(lesson.teacher, CachedTeacher):
        cache = msgspec.convert(lesson.teacher.describe(), CacheSummary)
    return Result(
        test=_metrics(test),
        validation=_metrics(validation),
        train=TrainMetrics(last.train_loss, last.train_accuracy),
        epochs=state.epochs_done,
        seconds=state.seconds,
        samples=Samples(len(data.train), len(data.validation), len(data.test)),
        parameters=sum(p.numel() for p in network.parameters()),
        teacher_cache=cache,
        calibrated=None if validation is None else calibrate(validation, test),
    )


def calibrate(validation: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor] | None) -> Calibrated:
    """Return what a temperature makes of logits that is fitted on the validation split.

    Args:
        validation: logits and labels of the validation split.
        test: those of the test split; None where it is not looked at.
    """
    temperature = fit_temperature(*validation)

    def after(split: tuple[Tensor, Tensor]) -> Metrics:
        logits, labels = split
        return Metrics(**all_metrics(logits.double() / temperature, labels))

    return Calibrated(temperature, None if test is None else after(test), after(validation))


def _metrics(split: tuple[Tensor, Tensor] | None) -> Metrics | None:
    return None if split is None else Metrics(**all_metrics(*split))

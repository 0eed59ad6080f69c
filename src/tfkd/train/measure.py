"""What a run comes to, measured once, after its last epoch."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from tfkd.calibration import fit_binary_temperature, fit_temperature
from tfkd.data import Loader
from tfkd.metrics import accuracy, all_metrics, multi_label, negative_log_likelihood
from tfkd.runs.contents import CacheSummary, Calibrated, Metrics, Result, Samples, TrainMetrics
from tfkd.runs.several_labels import (
    MultiLabelCalibrated,
    MultiLabelMetrics,
    MultiLabelResult,
)
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
    several = _of_several(validation, test) if data.several_labels else None
    if several is not None:
        validation = test = None
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
        multi_label=several,
    )


def are_measurable(logits: Tensor, labels: Tensor) -> bool:
    """Return whether metrics take logits: of one label a class may be masked, of several none."""
    numbers = logits if labels.ndim == 2 else logits.amax(1)
    return bool(numbers.isfinite().all())


def nll_of(logits: Tensor, labels: Tensor) -> float:
    """Return the negative log-likelihood of one label an image `(N,)`, or of several `(N, K)`."""
    if labels.ndim == 2:
        return multi_label.negative_log_likelihood(logits, labels)
    return negative_log_likelihood(logits, labels)


def seen_of(logits: Tensor, labels: Tensor) -> tuple[float, float, float | None]:
    """Return accuracy, NLL and, of several labels an image, the mean average precision."""
    if labels.ndim == 2:
        found = multi_label.all_metrics(logits, labels)
        exact = multi_label.subset_accuracy(logits, labels)
        return exact, nll_of(logits, labels), found["mean_average_precision"]
    return accuracy(logits, labels), nll_of(logits, labels), None


def _of_several(
    validation: tuple[Tensor, Tensor] | None, test: tuple[Tensor, Tensor] | None
) -> MultiLabelResult:
    """What is measured of several labels an image, in place of the metrics of one."""

    def metrics(
        split: tuple[Tensor, Tensor] | None, temperature: float = 1.0
    ) -> MultiLabelMetrics | None:
        if split is None:
            return None
        found = multi_label.all_metrics(split[0].double() / temperature, split[1])
        return msgspec.convert(found, MultiLabelMetrics)

    if validation is None:
        return MultiLabelResult(metrics(test), None)
    temperature = fit_binary_temperature(*validation)
    calibrated = metrics(validation, temperature)
    assert calibrated is not None
    return MultiLabelResult(
        metrics(test),
        metrics(validation),
        MultiLabelCalibrated(temperature, metrics(test, temperature), calibrated),
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

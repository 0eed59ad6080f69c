"""How good a network's answers are where an image may have several labels."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct, convert
from torch import Tensor

from tfkd._checks import check_workers
from tfkd.metrics import multi_label
from tfkd.runs import RunDirectory
from tfkd.runs.several_labels import MultiLabelMetrics
from tfkd.train.trained.evaluate import logits_of_run
from tfkd.train.trained.temperature import temperature_or_why


class LabelScores(Struct, frozen=True):
    """Of one label; fractions.

    Attributes:
        name: of the label.
        average_precision: None if no image has it.
        auroc: area under the ROC curve; None unless some images have it and some not.
        f1: at a probability of 0.5; None if no image has it.
        images: that have it.
        known: images of which it is known whether they have it.
    """

    name: str
    average_precision: float | None
    auroc: float | None
    f1: float | None
    images: int
    known: int


class MultiLabelEvaluation(Struct, frozen=True, kw_only=True):
    """Metrics of labelled images, and what lies behind them.

    Attributes:
        metrics: of all labels together.
        labels: of each label, in their order.
        samples: number of images.
        measured: what they are, in words.
        temperature: of the run; None if it has none, or none was asked for.
        why: it has none; empty if it has one.
        calibrated: metrics of the logits divided by the temperature; None without one.
        fitted_on: images of the validation split, by which it was fitted; 0 without one.
    """

    metrics: MultiLabelMetrics
    labels: tuple[LabelScores, ...]
    samples: int
    measured: str
    temperature: float | None = None
    why: str = ""
    calibrated: MultiLabelMetrics | None = None
    fitted_on: int = 0


def evaluate_multi_label_run(
    path: Path | str,
    *,
    split: Literal["test", "validation", "train"] = "test",
    epoch: int | None = None,
    data_root: str | None = None,
    other_data: bool = False,
    workers: int = 0,
    calibrated: bool = False,
) -> MultiLabelEvaluation:
    """Measure a run again from its weights, whose images may have several labels.

    Args:
        path: directory of the run.
        split: of its data; `train` is without augmentation.
        epoch: the snapshot kept after this epoch; None: the final weights.
        data_root: the folder that the paths of its table start from, if it has moved.
        other_data: measure it on other images of the same labels, split as its own are.
        workers: processes that decode image files; 0: this one.
        calibrated: measure, too, what the run's temperature makes of it.

    Returns:
        What `tfkd.metrics.multi_label.all_metrics` returns, and the scores of each label.

    Raises:
        FileNotFoundError: if run or data are not there.
        ValueError: if the data are not those of the run, or its images have one label each, so that
            `evaluate_run` measures it.
    """
    check_workers(workers)
    run = RunDirectory(path)
    if not run.settings().recipe.data.several_labels:
        raise ValueError(
            f"Expected a run with several labels an image, got {path}, whose images have one. "
            "Measure it with tfkd.train.evaluate_run."
        )
    answers = logits_of_run(
        path,
        split=split,
        epoch=epoch,
        data_root=data_root,
        other_data=other_data,
        workers=workers,
    )
    temperature, why = None, ""
    if calibrated:
        temperature, why = temperature_or_why(
            run,
            answers.network,
            epoch=epoch,
            data_root=None if other_data else data_root,
            workers=workers,
        )
    return evaluation_of_several(
        answers.logits,
        answers.labels,
        answers.classes,
        measured=answers.measured,
        temperature=temperature,
        why=why,
        fitted_on=0 if temperature is None else run.data().samples["validation"],
    )


def evaluation_of_several(
    logits: Tensor,
    labels: Tensor,
    classes: tuple[str, ...],
    *,
    measured: str,
    temperature: float | None = None,
    why: str = "",
    fitted_on: int = 0,
) -> MultiLabelEvaluation:
    """Return how good logits are.

    Args:
        logits: (N, K).
        labels: (N, K), 1, 0 or -100.
        classes: names of the K labels.
        measured: what they are of, in words.
        temperature: of the run; None if it has none.
        why: it has none.
        fitted_on: images by which it was fitted.

    Example:
        >>> from torch import tensor
        >>> logits = tensor([[2.0, 1.0], [1.0, -2.0]])
        >>> found = evaluation_of_several(
        ...     logits, tensor([[1, 0], [0, -100]]), ("cat", "dog"), measured="two"
        ... )
        >>> found.metrics.subset_accuracy, found.labels[0].average_precision, found.labels[1].known
        (0.0, 1.0, 1)
    """
    columns = (
        multi_label.average_precision_by_class(logits, labels),
        multi_label.auroc_by_class(logits, labels),
        multi_label.f1_by_class(logits, labels),
        (labels == 1).sum(0).tolist(),
        (labels != multi_label.MISSING).sum(0).tolist(),
    )
    calibrated = None
    if temperature is not None:
        tempered = multi_label.all_metrics(logits.double() / temperature, labels)
        calibrated = convert(tempered, MultiLabelMetrics)
    return MultiLabelEvaluation(
        metrics=convert(multi_label.all_metrics(logits, labels), MultiLabelMetrics),
        labels=tuple(LabelScores(*row) for row in zip(classes, *columns, strict=True)),
        samples=len(labels),
        measured=measured,
        temperature=temperature,
        why=why,
        calibrated=calibrated,
        fitted_on=fitted_on,
    )

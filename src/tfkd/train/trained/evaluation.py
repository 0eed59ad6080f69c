"""How good a network's answers are: of all images together, and class by class."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from msgspec import Struct
from numpy.typing import NDArray
from torch import Tensor

from tfkd.metrics import accuracy, all_metrics
from tfkd.runs import Metrics
from tfkd.train.trained.calibration import Calibration, Selective

Array: TypeAlias = NDArray[Any]

NAMED = 5
"""How many classes a network may name where there are more than that."""


class ClassScores(Struct, frozen=True):
    """Of one class; fractions.

    Attributes:
        name: of the class.
        precision: share of the images taken for it that are of it; None if none was.
        recall: share of its images that were taken for it; None if it has none.
        f1: harmonic mean of the two, 2·TP / (2·TP + FP + FN); None if it has no image, and none
            was taken for it.
        support: number of its images.
    """

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


class Evaluation(Metrics, frozen=True, kw_only=True):
    """Metrics of labelled images, and what lies behind them.

    Attributes:
        top5: share whose label is among the five most probable; None for five classes or fewer.
        balanced_accuracy: mean of the recalls of the classes that have images.
        macro_f1: mean of the F1 of the classes that have images.
        classes: of each class, in the order of the labels.
        confusion: number of images by true class and, in it, by the class they were taken for.
        samples: number of images.
        measured: what they are, in words.
        remarks: what else a person should know of them.
        calibration: as they come and after the run's temperature; None unless asked for.
        selective: by another confidence; None unless asked for.
    """

    top5: float | None
    balanced_accuracy: float
    macro_f1: float
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    samples: int
    measured: str
    remarks: tuple[str, ...] = ()
    calibration: Calibration | None = None
    selective: Selective | None = None

    @property
    def metrics(self) -> Metrics:
        """Return the metrics alone, as a run's `result.json` has them."""
        return Metrics(*(getattr(self, name) for name in Metrics.__struct_fields__))


def evaluation_of(
    logits: Tensor,
    labels: Tensor,
    classes: tuple[str, ...],
    *,
    measured: str,
    remarks: tuple[str, ...] = (),
) -> Evaluation:
    """Return how good logits are.

    Args:
        logits: (N, K).
        labels: (N,) int64; some classes may have none.
        classes: names of the K classes.
        measured: what they are of, in words.
        remarks: what else a person should know of them.

    Example:
        >>> from torch import tensor
        >>> logits = tensor([[2.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
        >>> found = evaluation_of(logits, tensor([0, 1, 1]), ("cat", "dog"), measured="three")
        >>> found.confusion, found.classes[0].precision, found.classes[1].recall
        (((1, 0), (1, 1)), 0.5, 0.5)
    """
    *columns, confusion = score_classes(labels.numpy(), logits.argmax(1).numpy(), len(classes))
    scores = tuple(
        ClassScores(name, _number(precision), _number(recall), _number(f1), int(support))
        for name, precision, recall, f1, support in zip(classes, *columns, strict=True)
    )
    present = [score for score in scores if score.support]
    metrics: dict[str, Any] = dict(all_metrics(logits, labels))
    return Evaluation(
        **metrics,
        top5=accuracy(logits, labels, top_k=NAMED) if len(classes) > NAMED else None,
        balanced_accuracy=_mean([score.recall for score in present]),
        macro_f1=_mean([score.f1 for score in present]),
        classes=scores,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        samples=len(labels),
        measured=measured,
        remarks=remarks,
    )


def score_classes(true: Array, taken: Array, num_classes: int) -> tuple[Array, ...]:
    """Return precision, recall, F1 and images of each class, and the confusion, by scikit-learn.

    A class that no image is taken for has no precision, one without images no recall (NaN); F1 is
    2·TP / (2·TP + FP + FN).

    Args:
        true: (N,) labels.
        taken: (N,) what images are taken for.
        num_classes: K.

    Returns:
        Four arrays (K,), and one (K, K) with a row for each label.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    numbers = list(range(num_classes))
    columns = precision_recall_fscore_support(true, taken, labels=numbers, zero_division=math.nan)
    return (*columns, confusion_matrix(true, taken, labels=numbers))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _mean(values: list[float | None]) -> float:
    """Of classes that have images, for which there is a number."""
    return math.fsum(value for value in values if value is not None) / len(values)

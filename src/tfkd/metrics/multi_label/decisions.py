"""How good decisions are: which labels an image has, those of a probability above 0.5."""

from __future__ import annotations

from torch import Tensor

from tfkd.metrics.multi_label.annotated import Annotated, mean_of, required

_FOR_F1 = "`labels` of which one at least is 1 for an F1"


def micro_f1(logits: Tensor, labels: Tensor) -> float:
    """F1 of all labels together, 2·TP / (2·TP + FP + FN), at a probability of 0.5.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N, K)`, 1, 0, or -100 where nobody has said.

    Returns:
        A fraction in [0, 1].

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, another label, no label that is 1, or logits with NaN.

    Example:
        >>> from torch import tensor
        >>> logits, labels = tensor([[2.0, -1.0], [1.0, -1.0]]), tensor([[1, 0], [0, 1]])
        >>> micro_f1(logits, labels), macro_f1(logits, labels)
        (0.5, 0.3333333333333333)
    """
    return required(micro_f1_of(Annotated(logits, labels)), _FOR_F1)


def macro_f1(logits: Tensor, labels: Tensor) -> float:
    """Mean of the F1 of the classes that have an image with the label, at a probability of 0.5.

    Args, result and errors are as of `micro_f1`, and so is the example.
    """
    return required(mean_of(f1s_of(Annotated(logits, labels))), _FOR_F1)


def f1_by_class(logits: Tensor, labels: Tensor) -> list[float | None]:
    """Return the F1 of each class; None of one without an image that has it.

    Args and errors are as of `micro_f1`, but there need be no label that is 1.

    Example:
        >>> from torch import tensor
        >>> f1_by_class(tensor([[2.0, 2.0], [1.0, -1.0]]), tensor([[1, 0], [0, 0]]))
        [0.6666666666666666, None]
    """
    return f1s_of(Annotated(logits, labels))


def subset_accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of the images of which every known label is right, at a probability of 0.5.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N, K)`, 1, 0, or -100 where nobody has said; an image without any does not count.

    Returns:
        A fraction in [0, 1].

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, another label, none that is known, or logits with NaN.

    Example:
        >>> from torch import tensor
        >>> logits, labels = tensor([[2.0, -1.0], [1.0, -1.0]]), tensor([[1, 0], [0, -100]])
        >>> subset_accuracy(logits, labels), round(hamming_accuracy(logits, labels), 4)
        (0.5, 0.6667)
    """
    return subset_accuracy_of(Annotated(logits, labels))


def hamming_accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of the known labels that are right, at a probability of 0.5.

    Where most images lack most labels it is high for a network that says nothing at all. Args,
    result and errors are as of `subset_accuracy`, and so is the example.
    """
    return hamming_accuracy_of(Annotated(logits, labels))


def micro_f1_of(batch: Annotated) -> float | None:
    """Return it of checked labels; None without any that is 1."""
    return _f1(batch.taken & batch.known, batch.positive)


def f1s_of(batch: Annotated) -> list[float | None]:
    """Return the F1 of each class of checked labels."""
    taken = batch.taken & batch.known
    return [_f1(taken[:, label], batch.positive[:, label]) for label in range(batch.num_classes)]


def subset_accuracy_of(batch: Annotated) -> float:
    """Return it of checked labels."""
    counted = batch.known.any(1)
    return float((batch.right | ~batch.known)[counted].all(1).double().mean())


def hamming_accuracy_of(batch: Annotated) -> float:
    """Return it of checked labels."""
    return float(batch.right[batch.known].double().mean())


def _f1(taken: Tensor, positive: Tensor) -> float | None:
    if not bool(positive.any()):
        return None
    return 2 * int((taken & positive).sum()) / (int(taken.sum()) + int(positive.sum()))

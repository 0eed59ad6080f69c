"""A teacher that says the same of all samples of a class."""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor

from tfkd._checks import check_num_classes
from tfkd.teachers.base import Batch, Teacher
from tfkd.teachers.logits import class_dim

SUM_TOLERANCE = 1e-3
"""How far a row of probabilities may be from the sum 1, as one of half precision is."""


@final
class ClassTeacher(Teacher):
    """Gives each class the probabilities of its row of a matrix, whatever the sample.

    Whatever K × K there is: superclasses, whose members share some mass; the soft labels that
    online label smoothing ended with, frozen; a confusion matrix; what a language model holds for
    alike. Zeros are legal, on the diagonal too: their logits are minus infinity. A temperature
    softens the logarithms of the probabilities, as it softens every teacher.

    A row of counts is divided by its sum; where one has none, something is added to all first:
    `(counts + 1.0) / (counts + 1.0).sum(1, keepdim=True)`.

    Labels that are probabilities q get the mixture of the softened rows, Σ_k q_k · m_τ[k].

    Args:
        matrix: `(K, K)`, floating point, row k the probabilities that are taught where the label is
            k. It moves with the criterion, and is no part of what is saved.

    Raises:
        TypeError: unless it is a floating point tensor.
        ValueError: for another shape, or rows that are no probabilities.

    Example:
        >>> import torch, tfkd
        >>> counts = torch.tensor([[8, 2, 0], [2, 6, 2], [0, 0, 10]])
        >>> teacher = tfkd.ClassTeacher(counts / counts.sum(1, keepdim=True))
        >>> batch = tfkd.Batch(torch.zeros(2, 3), torch.tensor([1, 2]))
        >>> teacher(batch).softmax(1)
        tensor([[0.2000, 0.6000, 0.2000],
                [0.0000, 0.0000, 1.0000]])
    """

    matrix: Tensor

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        _check_matrix(matrix)
        self.register_buffer("matrix", matrix.detach().clone(), persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Return the logarithms of the rows of the labels."""
        return logits_by_class(self.matrix, batch)

    @property
    def differs_by(self) -> Literal["class"]:
        """The class alone."""
        return "class"

    def extra_repr(self) -> str:
        """Return the number of classes for `repr`."""
        return f"num_classes={len(self.matrix)}"


def logits_by_class(matrix: Tensor, batch: Batch, unit: float = 1.0) -> Tensor:
    """Return logits that say of each sample what a row of a matrix says of its label.

    Args:
        matrix: `(K, K)`; row k times `unit` are the probabilities taught where the label is k.
        batch: whose labels are looked at. One to be ignored is taught as some class.
        unit: of the matrix.

    Returns:
        The shape of the student's logits, in float32, or float64 where those are.

    Raises:
        ValueError: for logits of other classes.
    """
    z, labels = batch.student_logits, batch.labels
    dim, num_classes = class_dim(z), len(matrix)
    if z.shape[dim] != num_classes:
        raise ValueError(
            f"Expected `student_logits` of the {num_classes} classes that the teacher knows, got "
            f"{z.shape[dim]}."
        )
    dtype = torch.float64 if z.dtype == torch.float64 else torch.float32
    if labels.shape != z.shape:
        known = labels.long().clamp(0, num_classes - 1)
        rows = matrix.index_select(0, known.flatten()).to(dtype) * unit
        return rows.log().view(*labels.shape, num_classes).movedim(-1, dim)
    q = labels.to(dtype).movedim(dim, -1)
    softened = ((matrix.to(dtype) * unit).log() / batch.temperature).softmax(1)
    mixed = batch.temperature * (q @ softened).log()
    # A sample without any label, of which nothing is known: uniform.
    return torch.where(q.sum(-1, keepdim=True) > 0.0, mixed, 0.0).movedim(-1, dim)


def _check_matrix(matrix: Tensor) -> None:
    if not isinstance(matrix, Tensor):
        raise TypeError(f"Expected `matrix` to be a tensor, got {type(matrix).__name__}.")
    if not matrix.is_floating_point():
        raise TypeError(
            f"Expected `matrix` to be probabilities of a floating point dtype, got {matrix.dtype}. "
            "Divide counts by the sums of their rows: `counts / counts.sum(1, keepdim=True)`."
        )
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"Expected `matrix` of shape (K, K), got {tuple(matrix.shape)}.")
    check_num_classes(len(matrix))
    sums = matrix.double().sum(1)
    wrong = ~((sums - 1.0).abs() <= SUM_TOLERANCE) | ~(matrix >= 0.0).all(1)
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        raise ValueError(
            "Expected rows of `matrix` to be probabilities, at least 0 and of the sum 1, got row "
            f"{row} of the sum {sums[row].item():g} with {matrix[row].min().item():g} as its "
            "least. Divide each row by its sum: `matrix / matrix.sum(1, keepdim=True)`."
        )

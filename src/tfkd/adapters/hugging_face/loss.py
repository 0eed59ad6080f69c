"""A criterion as Hugging Face's `Trainer` calls a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tfkd.loss import BinaryDistillationLoss, LinearDistillationLoss
from tfkd.loss.criterion import Criterion, as_criterion

IGNORED = -100
"""The label of positions that the `Trainer` leaves out when it counts."""


def compute_loss_func(criterion: Criterion, *, shift: bool = False) -> Callable[..., Tensor]:
    """Return what `Trainer(compute_loss_func=...)` takes.

    Under gradient accumulation and over several processes each position counts alike, as with the
    loss of the model itself. For teachers that look at inputs or remember, and to evaluate a model
    that answers with a tuple or a tensor: `CriterionMixin`.

    Args:
        criterion: with `class_dim=-1` where logits are `(N, L, K)`, as those of tokens are.
        shift: of causal language models, whose logits at a position are of the token after it.

    Raises:
        TypeError: for a loss that is none of this package.
        ValueError: for a criterion that reads logits or counts positions otherwise than the host.

    Example:
        >>> import torch, tfkd
        >>> loss = compute_loss_func(tfkd.cross_entropy(class_dim=-1), shift=True)
        >>> outputs = {"logits": torch.tensor([[[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]]])}
        >>> round(loss(outputs, torch.tensor([[1, 0, 1]]), num_items_in_batch=2).item(), 4)
        0.2201
    """
    loss = loss_of_outputs(criterion, shift)

    def loss_alone(outputs: Any, *args: Any, **kwargs: Any) -> Tensor:
        # The Trainer evaluates without gradients, and then predicts by `outputs[1:]`.
        if not isinstance(outputs, Mapping) and not torch.is_grad_enabled():
            raise TypeError(
                "Expected a model that answers with a mapping (`return_dict=True`) where the "
                "Trainer evaluates, since it takes the first of anything else for the loss and "
                f"predicts by the rest, got {type(outputs).__name__}. With "
                "`tfkd.adapters.hugging_face.CriterionMixin` it predicts the logits."
            )
        return loss(outputs, *args, **kwargs)

    return loss_alone


def loss_of_outputs(criterion: Criterion, shift: bool) -> Callable[..., Tensor]:
    """Return a function of a model's outputs and labels, whatever the outputs are."""
    several = isinstance(as_criterion("criterion", criterion), BinaryDistillationLoss)
    check_counts_as_the_host(criterion)
    if isinstance(criterion, LinearDistillationLoss):
        raise TypeError(
            "Expected a criterion of logits, which is all that `compute_loss_func` is given, got "
            "LinearDistillationLoss. `tfkd.adapters.hugging_face.CriterionMixin` takes it."
        )
    if several and shift:
        raise ValueError(
            "Expected `shift=False` for a criterion of several labels at once, got True: a causal "
            "language model is taught one token at a position."
        )
    if not several:
        _check_class_dim(criterion, dims=3 if shift else 2)
    seen: list[torch.device] = []

    def loss(
        outputs: Any,
        labels: Tensor | None,
        num_items_in_batch: Tensor | float | None = None,
        **samples: Any,
    ) -> Tensor:
        if labels is None:
            raise ValueError(
                "Expected a batch with `labels`, got none. The Trainer hands a loss the column of "
                "that name, whatever `label_names` says."
            )
        logits = _logits_of(outputs)
        if not several:
            _check_class_dim(criterion, logits.dim())
        if logits.device not in seen:
            criterion.to(logits.device)
            seen[:] = [logits.device]
        if shift:  # of labels, so that a teacher's answer has the shape of the student's
            _check_can_shift(logits, labels)
            labels = nn.functional.pad(labels, (0, 1), value=IGNORED)[..., 1:]
        # Of probabilities the Trainer counts every number.
        if num_items_in_batch is not None and labels.is_floating_point() and not several:
            num_items_in_batch = num_items_in_batch / labels.shape[criterion.class_dim]
        samples["num_items_in_batch"] = num_items_in_batch
        of_batch: Tensor = criterion(logits, labels, **samples)
        return of_batch

    return loss


def check_counts_as_the_host(criterion: Criterion) -> None:
    """Raise `ValueError` for a criterion that leaves out other positions than the `Trainer`."""
    if criterion.ignore_index != IGNORED:
        raise ValueError(
            f"Expected `ignore_index` of {IGNORED}, the positions that the Trainer leaves out when "
            f"it counts, got {criterion.ignore_index}."
        )


def _logits_of(outputs: Any) -> Any:
    """The logits of a mapping or of a tuple, or the tensor that a model answers with."""
    if isinstance(outputs, Mapping):
        return outputs["logits"]
    return outputs if isinstance(outputs, Tensor) else outputs[0]


def _check_class_dim(criterion: Criterion, dims: int) -> None:
    if dims == 3 and criterion.class_dim % dims != 2:
        raise ValueError(
            "Expected a criterion with `class_dim=-1`, since the logits of tokens are (N, L, K), "
            f"got `class_dim` {criterion.class_dim}."
        )


def _check_can_shift(logits: Tensor, labels: Tensor) -> None:
    if logits.dim() < 3 or labels.dim() != logits.dim() - 1:
        raise ValueError(
            "Expected `labels` of tokens, (N, L), for logits (N, L, K) where `shift=True`, got "
            f"{tuple(labels.shape)} for {tuple(logits.shape)}. Shift probabilities yourself, and "
            "write `shift=False`."
        )

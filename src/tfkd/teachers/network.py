"""A trained network as teacher."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor, nn

from tfkd.teachers.asking import logits_of_network
from tfkd.teachers.base import Batch, Teacher, is_transformed


@final
class NetworkTeacher(Teacher):
    """Answers with the logits of a frozen network, seen on the student's own inputs.

    The teacher keeps a copy of `model` as it is now: training the original afterwards does not
    change the teacher, and the original is left as it was. The copy has no gradients, stays in
    eval mode whatever `.train()` does around it, and follows `.to()`; it shows up neither in
    `parameters()` nor in `state_dict()`, since it is no part of what is trained or saved.

    Normal KD, reversed KD, defective KD and Tf-KD_self differ only in which network this is.

    Source: Hinton et al., 2015, arXiv 1503.02531; Yuan et al., 2020, arXiv 1909.11723.

    Args:
        model: maps inputs to logits of the shape of the student's, or to an answer that has them
            as `.logits` or under `"logits"`, as models of Hugging Face do. Inputs that are a
            mapping it is given by name.

    Raises:
        TypeError: if `model` is not an `nn.Module`, or when a batch comes without `inputs`.

    Example:
        >>> import torch, tfkd
        >>> teacher = tfkd.NetworkTeacher(torch.nn.Linear(4, 3))
        >>> len(list(teacher.parameters())), len(teacher.state_dict())
        (0, 0)
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        if not isinstance(model, nn.Module):
            raise TypeError(
                f"Expected `model` to be a torch.nn.Module, got {type(model).__name__}."
            )
        frozen = copy.deepcopy(model).eval().requires_grad_(False)
        # In a tuple, torch does not register the network as a sub-module.
        self._frozen = (frozen,)

    @property
    def model(self) -> nn.Module:
        """The frozen network."""
        return self._frozen[0]

    def forward(self, batch: Batch) -> Tensor:
        """Return the network's logits for `batch.inputs`."""
        if batch.inputs is None:
            raise TypeError(
                "Expected `inputs`, which a network teacher looks at, got None. "
                "Call the loss as `criterion(student_logits, labels, inputs)`."
            )
        inference = not is_transformed()
        with torch.inference_mode() if inference else torch.no_grad():
            logits = logits_of_network(
                self.model,
                batch.inputs,
                whose="the teacher's `model`",
                class_dim=batch.class_dim,
            )
        # What autograd saves must be no inference tensor; a copy made outside is none.
        return logits.clone() if inference and logits.is_inference() else logits

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> NetworkTeacher:
        self.model._apply(fn, recurse)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

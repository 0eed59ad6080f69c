"""fastai's `Learner` with a criterion in place of its loss."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from tfkd._extras import stand_in
from tfkd.loss import BinaryDistillationLoss
from tfkd.loss.criterion import Criterion, as_criterion

try:
    from fastai.callback.core import Callback
except ImportError:
    Callback = stand_in("fastai", "hosts")


class LossFunc(nn.Module):
    """A criterion as `Learner(loss_func=...)` takes it, shown the inputs by `CriterionCallback`.

    fastai's own classes of tensors are taken off before the criterion sees them. What it is shown
    is not saved with it.

    Args:
        criterion: any of this package.

    Raises:
        TypeError: for a loss that is none of this package.
    """

    def __init__(self, criterion: Criterion) -> None:
        plain = as_criterion("criterion", criterion)
        super().__init__()
        self._is_of_several_labels = isinstance(plain, BinaryDistillationLoss)
        self.criterion = criterion
        self.inputs: Tensor | None = None
        self.indices: Tensor | None = None

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of a batch."""
        inputs, indices = (_plain(tensor) for tensor in (self.inputs, self.indices))
        loss: Tensor = self.criterion(_plain(logits), _plain(labels), inputs, indices=indices)
        return loss

    def activation(self, logits: Tensor) -> Tensor:
        """Return probabilities, which `get_preds` and `predict` answer."""
        if self._is_of_several_labels:
            return logits.sigmoid()
        return logits.softmax(self.criterion.class_dim)

    def decodes(self, probabilities: Tensor) -> Tensor:
        """Return class indices, or whether each of several labels is there: above one half."""
        if self._is_of_several_labels:
            return probabilities > 0.5
        return probabilities.argmax(self.criterion.class_dim)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "inputs": None, "indices": None}

    @property
    def reduction(self) -> str:
        """That of the criterion, which fastai sets to `none` where it asks for each sample."""
        return self.criterion.reduction

    @reduction.setter
    def reduction(self, value: str) -> None:
        self.criterion.reduction = value


class CriterionCallback(Callback):  # type: ignore[misc]
    """Shows a `LossFunc` the inputs of each batch, and tells its criterion of steps and epochs.

    A batch is inputs, labels and, where the criterion asks for them, indices. `lr_find` teaches the
    criterion nothing, as it changes no weights in the end.

    Raises:
        ImportError: without fastai.
        TypeError: before the first batch, if the `loss_func` of the `Learner` is no `LossFunc`.
    """

    def before_fit(self) -> None:
        """Learn in a training, and not in a search for its learning rate."""
        if not isinstance(self.learn.loss_func, LossFunc):
            raise TypeError(
                "Expected `loss_func` of the Learner to be a tfkd.adapters.fastai.LossFunc, got "
                f"{type(self.learn.loss_func).__name__}. Write `loss_func=LossFunc(criterion)`."
            )
        self.learn.loss_func.train(not hasattr(self.learn, "lr_finder"))

    def after_pred(self) -> None:
        """Show the inputs; metrics are given the labels alone."""
        if not self.learn.yb:  # to predict
            return
        loss_func, (labels, *indices) = self.learn.loss_func, self.learn.yb
        loss_func.inputs, loss_func.indices = self.learn.xb[0], indices[0] if indices else None
        self.learn.yb = (labels,)

    def after_step(self) -> None:
        """Tell of a step."""
        if self.learn.loss_func.training:
            self.learn.loss_func.criterion.step_ended(self.learn.model)

    def after_batch(self) -> None:
        """Let go of the inputs."""
        self.learn.loss_func.inputs = self.learn.loss_func.indices = None

    def after_train(self) -> None:
        """Tell of the end of an epoch."""
        if self.learn.loss_func.training:
            self.learn.loss_func.criterion.epoch_ended()


def _plain(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.as_subclass(Tensor)

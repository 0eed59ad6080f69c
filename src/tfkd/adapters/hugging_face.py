"""Hugging Face's `Trainer`: a loss for its `compute_loss_func`, and a mixin that does the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tfkd.loss import BinaryDistillationLoss
from tfkd.loss.criterion import Criterion

if TYPE_CHECKING:
    from transformers import Trainer as _Host
else:
    _Host = object  # until it is mixed into one

STATE_FILE = "criterion.pt"
"""In a checkpoint of the `Trainer`, what the criterion remembers."""


def _check_class_dim(criterion: Criterion, dims: int) -> None:
    has_classes = not isinstance(criterion, BinaryDistillationLoss)
    if has_classes and dims == 3 and criterion.class_dim % dims != 2:
        raise ValueError(
            "Expected a criterion with `class_dim=-1`, since the logits of tokens are (N, L, K), "
            f"got `class_dim` {criterion.class_dim}."
        )


def compute_loss_func(criterion: Criterion, *, shift: bool = False) -> Callable[..., Tensor]:
    """Return what `Trainer(compute_loss_func=...)` takes.

    Under gradient accumulation and over several processes each position counts alike, as with the
    loss of the model itself. For teachers that look at inputs or remember: `CriterionMixin`.

    Args:
        criterion: with `class_dim=-1` where logits are `(N, L, K)`, as those of tokens are.
        shift: of causal language models, whose logits at a position are of the token after it.

    Raises:
        ValueError: for a criterion that reads logits or counts positions otherwise than the host.

    Example:
        >>> import torch, tfkd
        >>> loss = compute_loss_func(tfkd.cross_entropy(class_dim=-1), shift=True)
        >>> outputs = {"logits": torch.tensor([[[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]]])}
        >>> round(loss(outputs, torch.tensor([[1, 0, 1]]), num_items_in_batch=2).item(), 4)
        0.2201
    """
    if criterion.ignore_index != -100:
        raise ValueError(
            "Expected `ignore_index` of -100, the positions that the Trainer leaves out when it "
            f"counts, got {criterion.ignore_index}."
        )
    _check_class_dim(criterion, dims=3 if shift else 2)
    seen: list[torch.device] = []

    def loss(
        outputs: Any,
        labels: Tensor | None,
        num_items_in_batch: Tensor | float | None = None,
        **samples: Any,
    ) -> Tensor:
        if labels is None:
            raise ValueError("Expected a batch with `labels`, got none.")
        logits = outputs["logits"] if isinstance(outputs, Mapping) else outputs[0]
        _check_class_dim(criterion, logits.dim())
        if logits.device not in seen:
            criterion.to(logits.device)
            seen[:] = [logits.device]
        if shift:  # of labels, so that a teacher's answer has the shape of the student's
            labels = nn.functional.pad(labels, (0, 1), value=-100)[..., 1:]
        of_classes = labels.is_floating_point() and not isinstance(
            criterion, BinaryDistillationLoss
        )
        if of_classes and num_items_in_batch is not None:  # counted are all of a position
            num_items_in_batch = num_items_in_batch / labels.shape[criterion.class_dim]
        samples["num_items_in_batch"] = num_items_in_batch
        of_batch: Tensor = criterion(logits, labels, **samples)
        return of_batch

    return loss


class CriterionMixin(_Host):  # type: ignore[misc]
    """Makes any `Trainer` train with any criterion: `class MyTrainer(CriterionMixin, Trainer)`.

    Teachers see the batch as the model does, by name and without its labels. The criterion is told
    of steps and epochs (give `samples_per_epoch="told"`), and what it remembers is part of each
    checkpoint, from which `train(resume_from_checkpoint=...)` takes it up.

    Args:
        criterion: any of this package, as of `compute_loss_func`.
        shift: as of `compute_loss_func`.
        indices: the column that says which sample of the data set each is, for teachers that ask;
            with `remove_unused_columns=False`.
        *args: of the `Trainer`.
        **kwargs: of the `Trainer`.
    """

    def __init__(
        self,
        *args: Any,
        criterion: Criterion,
        shift: bool = False,
        indices: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.criterion, self.indices = criterion, indices
        loss = compute_loss_func(criterion, shift=shift)
        super().__init__(*args, **kwargs)
        self.compute_loss_func = lambda *told, **kwargs: loss(*told, **kwargs, **self._samples)
        self.add_callback(_teller(criterion))

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Compute the loss as the `Trainer` does, with the inputs at hand."""
        inputs = dict(inputs)
        indices = inputs.pop(self.indices, None) if self.indices else None
        seen = {name: value for name, value in inputs.items() if name != "labels"}
        self._samples = {"inputs": seen, "indices": indices}
        try:
            return super().compute_loss(model, inputs, *args, **kwargs)
        finally:
            del self._samples

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the model, and in a checkpoint what the criterion remembers."""
        super().save_model(output_dir, _internal_call)
        state = self.criterion.state_dict()
        if state and output_dir is not None and _internal_call and self.args.should_save:
            torch.save(state, Path(output_dir) / STATE_FILE)

    def train(self, resume_from_checkpoint: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train, from a checkpoint with what the criterion remembered there."""
        checkpoint = resume_from_checkpoint
        if checkpoint is True:
            from transformers.trainer_utils import get_last_checkpoint

            checkpoint = get_last_checkpoint(self.args.output_dir)
        if checkpoint and self.criterion.state_dict():
            file = Path(checkpoint) / STATE_FILE
            self.criterion.load_state_dict(torch.load(file, "cpu", weights_only=True))
        return super().train(resume_from_checkpoint, *args, **kwargs)


def _teller(criterion: Criterion) -> Any:
    """What tells a criterion of the `Trainer`'s steps and epochs."""
    from transformers import TrainerCallback

    class Teller(TrainerCallback):  # type: ignore[misc]
        told = False

        def on_step_end(
            self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any
        ) -> None:
            criterion.step_ended(model)
            # Of an epoch too, where its last step is: a checkpoint of that step is written before
            # `on_epoch_end`, which is not called again when it is resumed.
            self.told = float(state.epoch).is_integer()
            if self.told:
                criterion.epoch_ended()

        def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if not self.told and not control.should_training_stop:  # of no length known before
                criterion.epoch_ended()

    return Teller()

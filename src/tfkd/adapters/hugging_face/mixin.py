"""A mixin that has Hugging Face's `Trainer` train with a criterion, show it inputs and keep it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from tfkd.adapters.hugging_face.head import LossOfHead
from tfkd.adapters.hugging_face.loss import check_counts_as_the_host, loss_of_outputs
from tfkd.loss import LinearDistillationLoss
from tfkd.loss.criterion import Criterion

if TYPE_CHECKING:
    from transformers import Trainer as _Host
else:
    _Host = object  # until it is mixed into one

STATE_FILE = "criterion.pt"
"""In a checkpoint of the `Trainer`, what the criterion remembers."""


class CriterionMixin(_Host):  # type: ignore[misc]
    """Makes any `Trainer` train with any criterion: `class MyTrainer(CriterionMixin, Trainer)`.

    Teachers see the batch as the model does, by name and without its labels. The criterion is told
    of steps and epochs (give `samples_per_epoch="told"`), and what it remembers is part of each
    checkpoint, from which `train(resume_from_checkpoint=...)` takes it up. A model may answer with
    a mapping, a tuple whose first is the logits, or the logits; `predict` answers the logits.

    With `tfkd.LinearDistillationLoss` the logits of all tokens are never computed, unless somebody
    predicts: the criterion takes the place of the model's last layer.

    Args:
        criterion: any of this package, as of `compute_loss_func`; or of a linear head.
        shift: as of `compute_loss_func`.
        indices: the column that says which sample of the data set each is, for teachers that ask;
            with `remove_unused_columns=False`.
        teacher: a model that teaches, for a `LinearDistillationLoss` that has no teacher: of the
            same vocabulary, with hidden states of its own; it is frozen, so the model itself
            teaches as `copy.deepcopy(model)`. Other criteria hold theirs.
        *args: of the `Trainer`.
        **kwargs: of the `Trainer`; no `compute_loss_func`, whose place the criterion takes.

    Raises:
        FileNotFoundError: if training shall go on from a checkpoint that has no memory of it.
        TypeError: for a loss that is none of this package, or one loss more.
        ValueError: for a criterion as of `compute_loss_func`, or for `label_names` of the
            `TrainingArguments` that are not `labels`, or for a `teacher` that is the model.
    """

    def __init__(
        self,
        *args: Any,
        criterion: Criterion,
        shift: bool = False,
        indices: str | None = None,
        teacher: nn.Module | None = None,
        **kwargs: Any,
    ) -> None:
        self.criterion, self.indices = criterion, indices
        self._of_head, self._predicts = _loss_of_head(criterion, shift, teacher), False
        loss: Callable[..., Tensor] = self._of_head or loss_of_outputs(criterion, shift)
        if kwargs.get("compute_loss_func") is not None:
            raise TypeError(
                "Expected `criterion` alone, which is what CriterionMixin trains with, got "
                "`compute_loss_func` too. Leave it out; or leave the mixin out."
            )
        super().__init__(*args, **kwargs)
        _check_label_names(self.args.label_names)
        if self._of_head is not None:
            self._of_head.begin(self.accelerator.unwrap_model(self.model))
        self.compute_loss_func = lambda *told, **kwargs: loss(*told, **kwargs, **self._samples)
        self.add_callback(_teller(criterion))

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Compute the loss as the `Trainer` does, with the inputs at hand."""
        inputs = dict(inputs)
        indices = inputs.pop(self.indices, None) if self.indices else None
        seen = {name: value for name, value in inputs.items() if name != "labels"}
        self._samples = {"inputs": seen, "indices": indices}
        head: AbstractContextManager[None] = nullcontext()
        if self._of_head is not None:
            whole = return_outputs and self._predicts
            head = self._of_head.of(self.accelerator.unwrap_model(model), whole=whole)
        try:
            with head:
                answer = super().compute_loss(model, inputs, return_outputs, *args, **kwargs)
        finally:
            del self._samples
        if not return_outputs or isinstance(answer[1], Mapping):
            return answer
        loss, outputs = answer  # of which the Trainer leaves the first out when it predicts
        return loss, (loss, *([outputs] if isinstance(outputs, Tensor) else outputs))

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, *args: Any, **kwargs: Any
    ) -> Any:
        """Predict as the `Trainer` does, with all logits where they are asked for."""
        self._predicts = not prediction_loss_only
        return super().prediction_step(model, inputs, prediction_loss_only, *args, **kwargs)

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
            if not file.is_file():
                raise FileNotFoundError(
                    f"Expected {STATE_FILE} in {str(checkpoint)!r}, what the criterion remembers, "
                    "got a checkpoint without: it was made without CriterionMixin, or with a "
                    "criterion that remembers nothing. Resume with that one; or begin anew with "
                    "its weights, as `from_pretrained(...)` reads them."
                )
            self.criterion.load_state_dict(torch.load(file, "cpu", weights_only=True))
        return super().train(resume_from_checkpoint, *args, **kwargs)


def _loss_of_head(
    criterion: Criterion, shift: bool, teacher: nn.Module | None
) -> LossOfHead | None:
    """The loss of a linear head, where the criterion is one."""
    if isinstance(criterion, LinearDistillationLoss):
        check_counts_as_the_host(criterion)
        return LossOfHead(criterion, shift, teacher)
    if teacher is not None:
        raise TypeError(
            "Expected `teacher` with a `tfkd.LinearDistillationLoss` alone, got "
            f"{type(criterion).__name__}, which holds its own."
        )
    return None


def _check_label_names(names: list[str] | None) -> None:
    """Check that labels are called as the `Trainer` itself takes, counts and hands them on."""
    if names and "labels" not in names:
        raise ValueError(
            f'Expected `label_names` of the TrainingArguments to be ["labels"], got {names}: the '
            "Trainer counts labels, and hands them to a loss, by that name alone. Name the column "
            f'so, as `dataset.rename_column("{names[0]}", "labels")` does.'
        )


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

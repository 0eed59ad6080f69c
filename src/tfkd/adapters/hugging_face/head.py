"""A model of Hugging Face whose head's logits are not computed, but given to a loss unfinished."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tfkd.loss import LinearDistillationLoss


class HeadInputs:
    """What the linear head of a model is given, while the model is called.

    Args:
        model: one of transformers, out of what wraps it.
        whose: what to call it where it has no such head.
        instead: what then to train with.

    Raises:
        TypeError: if its head is no `torch.nn.Linear`.
    """

    def __init__(self, model: Any, whose: str, instead: str) -> None:
        head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
        if type(head) is not nn.Linear:
            raise TypeError(
                f"Expected {whose} whose `get_output_embeddings()` is a torch.nn.Linear, which "
                f"LinearDistillationLoss takes the place of, got {type(head).__name__} of "
                f"{type(model).__name__}. {instead}"
            )
        self.head, self.whose, self.instead, self.is_plain = head, whose, instead, False
        self.hidden: Tensor | None = None
        self.logits: Tensor | None = None

    @contextmanager
    def kept(self, *, whole: bool = False) -> Iterator[None]:
        """Keep what the head is given, and have it compute the logits of a single position.

        Args:
            whole: of all, for who wants them too.
        """
        instead = self.head.__dict__.get("forward")
        forward = self.head.forward

        def first_alone(hidden: Tensor) -> Tensor:
            self.hidden = hidden
            self.logits = forward(hidden if whole else hidden[..., :1, :])
            return self.logits

        self.head.forward = first_alone  # type: ignore[method-assign,assignment]
        self.hidden = self.logits = None
        try:
            yield
        finally:
            del self.head.forward
            if instead is not None:
                self.head.forward = instead  # type: ignore[method-assign]

    def taken(self, outputs: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return hidden states, weight and bias, and let go of them.

        Args:
            outputs: what the model answered.

        Raises:
            TypeError: if these are not the logits that it answers with.
        """
        hidden, logits = self.hidden, self.logits
        self.hidden = self.logits = None
        said = outputs.get("logits") if isinstance(outputs, Mapping) else outputs[0]
        if hidden is None or logits is None or not self._is_last(logits, said):
            raise TypeError(
                f"Expected {self.whose} that answers with the logits of its head, got "
                "one that changes them behind it (as by `final_logit_softcapping`), or answers "
                f"something else. {self.instead}"
            )
        return hidden, self.head.weight, self.head.bias

    def _is_last(self, logits: Tensor, said: Any) -> bool:
        """Whether the head is the last of a model; looked at once, for a GPU has to be awaited."""
        if not self.is_plain:
            same = isinstance(said, Tensor) and said.shape == logits.shape
            self.is_plain = same and torch.equal(said, logits.to(said.dtype))
        return self.is_plain


class LossOfHead:
    """A linear head's loss, called by the `Trainer` as one of a model's outputs.

    Args:
        criterion: as of `CriterionMixin`.
        shift: the same.
        teacher: a model that teaches, with a head and hidden states of its own.

    Raises:
        TypeError: without a teacher where the criterion has none, or with two.
    """

    def __init__(
        self, criterion: LinearDistillationLoss, shift: bool, teacher: nn.Module | None
    ) -> None:
        self.criterion, self.shift, self.teacher = criterion, shift, teacher
        self.student: HeadInputs | None = None
        self.instead = _instead(teacher, shift)
        self.taught = None
        if teacher is not None:
            self.taught = HeadInputs(teacher, "a `teacher`", self.instead)
        has_own = criterion.has_teacher
        if has_own == (teacher is not None) and (has_own or criterion.alpha > 0.0):
            raise TypeError(
                "Expected one teacher: a `teacher` model, or one in the criterion, such as "
                f"`tfkd.UniformTeacher()`, got {'both' if has_own else 'none'}."
            )

    def begin(self, model: nn.Module) -> None:
        """Freeze the teacher, which is no part of what is trained.

        Args:
            model: the student, out of what wraps it.

        Raises:
            ValueError: if both have weights that are trained.
        """
        if self.teacher is None:
            return
        trained = {id(weight) for weight in model.parameters() if weight.requires_grad}
        same = self.teacher is model
        if same or any(id(weight) in trained for weight in self.teacher.parameters()):
            raise ValueError(
                "Expected a `teacher` other than the model itself, got "
                f"{'the same' if same else 'one that shares weights with it that are trained'}: "
                "give `copy.deepcopy(model)`."
            )
        self.teacher.requires_grad_(False).eval()

    @contextmanager
    def of(self, model: nn.Module, *, whole: bool) -> Iterator[None]:
        """Keep what the student's head is given while the student is called."""
        if self.student is None:
            self.student = HeadInputs(model, "a model", self.instead)
        with self.student.kept(whole=whole):
            yield

    def __call__(
        self,
        outputs: Any,
        labels: Tensor | None,
        num_items_in_batch: Tensor | float | None = None,
        *,
        inputs: Mapping[str, Any],
        indices: Tensor | None = None,
    ) -> Tensor:
        """Return the loss of a batch."""
        if labels is None:
            raise ValueError("Expected a batch with `labels`, got none.")
        assert self.student is not None
        computed_in = None if self.student.logits is None else self.student.logits.dtype
        hidden, weight, bias = self.student.taken(outputs)
        device = hidden.device.type
        if self.shift:
            ignored = self.criterion.ignore_index
            labels = nn.functional.pad(labels, (0, 1), value=ignored)[..., 1:]
        teacher = None if self.taught is None else self._asked(inputs, hidden.device)
        self.criterion.to(hidden.device)
        # As the model computed them: under autocast, which may be over by now.
        casts = computed_in is not None and computed_in != weight.dtype
        with torch.autocast(device, computed_in, enabled=casts):
            loss: Tensor = self.criterion(
                hidden,
                weight,
                labels,
                linear_bias=bias,
                teacher=teacher,
                num_items_in_batch=num_items_in_batch,
            )
        return loss

    def _asked(
        self, inputs: Mapping[str, Any], device: torch.device
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Hidden states and head of the teacher."""
        assert self.teacher is not None
        assert self.taught is not None
        self.teacher.to(device)
        with torch.no_grad(), self.taught.kept():
            return self.taught.taken(self.teacher(**inputs))


def _instead(teacher: nn.Module | None, shift: bool) -> str:
    """What to train with where a head is none that this loss takes the place of."""
    method, given, alone = "tf_kd_reg", [], ""
    if teacher is not None:
        method, given = "knowledge_distillation", ["teacher"]
        alone = " It holds the teacher: leave out `teacher=` of the Trainer."
    # Of other models nobody knows here whether they answer for each token or once.
    if shift:
        given.append("class_dim=-1")
    tokens = "" if shift else ", with `class_dim=-1` where logits are (N, L, K)"
    return (
        f"Train with a loss of its logits, as `tfkd.{method}({', '.join(given)})`{tokens}.{alone}"
    )

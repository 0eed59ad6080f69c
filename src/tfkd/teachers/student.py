"""The student itself as teacher, asked about other images."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tfkd.teachers.asking import logits_of_network
from tfkd.teachers.base import Batch, Teacher


@final
class StudentTeacher(Teacher):
    """Answers with the logits that the student gives for other images, as it is at this moment.

    The `inputs` of the loss are the partners: one for each sample, in their order, another image of
    its class. The student is asked about them without gradients, in a forward pass of their own,
    in the mode that it is in. In training that is train mode, as officially: batch norm normalises
    the partners by themselves, dropout draws anew. A step costs a forward pass more, about a third
    again; nothing is remembered.

    The student is neither copied nor a sub-module: it is not in `parameters()` nor in
    `state_dict()`, and does not follow `.to()`. A deep copy asks the same student, unless the
    student was copied before it in the same call, as in `copy.deepcopy((model, criterion))`: then
    the copy of the model. A pickle holds the student with its weights.

    Labels are class indices, `(N,)`, with logits `(N, K)`, or of one unbatched sample; of a mixture
    no image is of the same class, and within an image no position has a partner. A position that is
    ignored counts in neither term; its partner is looked at all the same. A class that the student
    masks with minus infinity it has to mask for the partners too.

    Source: Yun et al., 2020, arXiv 2003.13964.

    Args:
        student: the network that is trained; of `DistributedDataParallel`, the module within is
            asked.
        moving_norms: whether the partners move what the student keeps of what it saw, as the
            running averages of batch norm, as they do officially. If not, the student is asked with
            copies of its buffers, which are thrown away.

    Raises:
        TypeError: if `student` is not an `nn.Module`, or when a batch comes without `inputs`.
        ValueError: for probability labels or dense ones, or another number of partners.

    Example:
        >>> import torch, tfkd
        >>> student = torch.nn.Linear(2, 2)
        >>> criterion = tfkd.DistillationLoss(tfkd.StudentTeacher(student), alpha=1.0)
        >>> images, labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
        >>> criterion(student(images), labels, images).item()
        0.0
        >>> criterion(student(images), labels, images.flip(0)).item() > 0.0
        True
    """

    def __init__(self, student: nn.Module, *, moving_norms: bool = True) -> None:
        super().__init__()
        if not isinstance(student, nn.Module):
            raise TypeError(
                f"Expected `student` to be a torch.nn.Module, got {type(student).__name__}."
            )
        if isinstance(student, DistributedDataParallel):
            # It would hand the buffers of one process round, between forward and backward.
            student = student.module
        # In an object of its own, torch does not register the network as a sub-module.
        self._live = _Live(student)
        self.moving_norms = moving_norms

    @property
    def student(self) -> nn.Module:
        """The network that is trained."""
        return self._live.network

    def forward(self, batch: Batch) -> Tensor:
        """Return the student's logits for `batch.inputs`."""
        if batch.inputs is None:
            raise TypeError(
                "Expected `inputs`, the partners of the samples, which the student is asked about, "
                "got None. Call the loss as `criterion(student_logits, labels, partners)`."
            )
        if batch.labels.is_floating_point() or batch.student_logits.dim() > 2:
            kind = "probabilities" if batch.labels.is_floating_point() else "dense ones"
            raise ValueError(
                f"Expected `labels` that are class indices of shape (N,), got {kind}: a partner is "
                "another image of the same class. Train without mixup and cutmix."
            )
        with torch.no_grad():
            buffers = None
            if not self.moving_norms:
                buffers = {name: own.clone() for name, own in self.student.named_buffers()}
            logits = logits_of_network(
                self.student,
                batch.inputs,
                whose="the `student`",
                class_dim=batch.class_dim,
                buffers=buffers,
            )
        if logits.shape != batch.student_logits.shape:
            raise ValueError(
                f"Expected as many partners as samples: logits of shape "
                f"{tuple(batch.student_logits.shape)} of the `inputs` too, got "
                f"{tuple(logits.shape)}."
            )
        return logits

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        return f"moving_norms={self.moving_norms}"


class _Live:
    """A network that is not copied with whoever holds it, but for its own copy in the same call."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def __deepcopy__(self, memo: dict[int, Any]) -> _Live:
        return _Live(memo.get(id(self.network), self.network))

"""The average of the student's weights as teacher."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from tfkd.teachers.average import AverageTeacher
from tfkd.teachers.base import Batch


@final
class MeanTeacher(AverageTeacher):
    """Answers with the logits of the average of the student's weights over its steps.

        average ← d·average + (1 − d)·student,  d = min(1 − 1/(n + 1), decay) after the n-th step

    It is in eval mode whatever `.train()` does around it, and its buffers, such as the statistics
    of batch norms, are copied from the student after each step. (The source's is in train mode,
    with statistics of its own, and starts from random weights of its own; here it starts as the
    student.) It starts as a copy of the student, is saved with the criterion and is not trained.

    It looks at `inputs`, which need not be those that the student saw: another augmentation of the
    same samples, handed to the criterion as `inputs`, is what the source does. Labels do not
    matter to it, whatever they are; logits of any shape and precision go through as they are.

    Needs `inputs`, and `criterion.step_ended(student)` after every step of the optimiser. Over
    several processes the first one's buffers are everybody's.

    Args:
        student: the network that is trained, whole on each process: not sharded.
        decay: in [0, 1).

    Raises:
        TypeError: if `student` is no module or is sharded, or when a batch comes without `inputs`.
        ValueError: for a `decay` out of its range, or when another network is told of.

    Source: Tarvainen and Valpola, 2017, arXiv 1703.01780; CuriousAI/mean-teacher 546348f.

    Example:
        >>> import torch, tfkd
        >>> student = torch.nn.Linear(1, 1, bias=False)
        >>> _ = torch.nn.init.zeros_(student.weight)
        >>> teacher = tfkd.MeanTeacher(student, decay=0.6)
        >>> _ = torch.nn.init.ones_(student.weight)
        >>> for _ in range(3):
        ...     teacher.step_ended(student)
        ...     print(round(teacher.network.weight.item(), 2))
        0.5
        0.7
        0.82
    """

    def __init__(self, student: nn.Module, *, decay: float = 0.999) -> None:
        super().__init__(student, decay=decay)
        self.network.eval()

    def forward(self, batch: Batch) -> Tensor:
        """Return the logits of the averaged network for `batch.inputs`."""
        return self._ask(batch)

    def _take_buffers(self, student: nn.Module) -> None:
        for own, new in zip(self.network.buffers(), student.buffers(), strict=True):
            own.copy_(new)

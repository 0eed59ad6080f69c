"""The student's own last answer to each sample, as teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor

from tfkd._checks import check_integer, check_num_classes
from tfkd.teachers.base import Batch, Teacher, has_values_at_hand
from tfkd.teachers.cache.forms import StoredForm
from tfkd.teachers.cache.rows import RowsInMemory, last_of_each
from tfkd.teachers.cache.rows_on_disk import RowsOnDisk, checked_directory
from tfkd.teachers.logits import at_least_float32


@final
class PreviousTeacher(Teacher):
    """Answers with what the student said of each sample when it last saw it in training.

    Of a sample that it has not seen it says what the label says, so that the loss is cross-entropy.
    A view of it, or a mixture that is labelled with probabilities, counts for the sample as
    `indices` name it. Positions that are ignored, or of logits that are NaN or plus infinity,
    change nothing; of a sample that comes twice in a batch the last is remembered.

    An answer takes, for K classes, by `form`:

    | form    | bytes of a sample          | 50 000 of 100 | 1.28 million of 1000 |
    |---------|----------------------------|---------------|----------------------|
    | float32 | 4·K + 1                    | 20 MB         | 5.1 GB               |
    | float16 | 2·K + 1                    | 10 MB         | 2.6 GB               |
    | top-10  | 2·11 + 2·10 + 1            | 2 MB          | 55 MB                |

    A top-K has the K most probable classes, and one number for all others, which share it evenly
    (above 32768 classes a class takes 4 bytes). All this is buffers: it is in `state_dict()` and
    moves with the criterion. Of several processes each has the whole.

    With `directory` it lies on disk instead, mapped into memory, and only the rows of a batch are
    looked at; an accelerator waits for them, and `torch.compile` leaves this step out of its graph.
    What an epoch reads is then what was said in the epochs before, also where a sample comes twice
    in one. Two files of each column are there, of this epoch and of the next, and those that the
    last two saved states need to go on from: `state_dict()` says which they are, and
    `load_state_dict()` holds them against it, so that a run that was killed goes on exactly. Call
    it on one process of every machine. Of several processes the first of a machine writes, by
    LOCAL_RANK, and all others wait for it in `epoch_ended()`; machines share no directory.

    Args:
        num_samples: how many there are; `indices` lie below it.
        num_classes: K, at least 2.
        form: `float32`, `float16` or `top-K`, as `top-10`.
        directory: where the answers lie; None: in memory.

    Raises:
        ValueError: for an unknown form, or a state of other classes. When a batch comes: for
            `indices` that are not below `num_samples`, or dense outputs. On an accelerator, under
            `torch.compile` and `torch.func`, where samples cannot be looked at without waiting, the
            logits of unknown ones are NaN instead, and they are not remembered.
        TypeError: when a batch comes without `indices`, or for a `directory` that is no path.
        NotADirectoryError: where the directory, or one above it, is a file.
        PermissionError: where it may not be written to.
        OSError: when the disk is full.
        FileExistsError: when a batch comes and the directory holds what another training
            remembers, or another process writes there.

    Source: Kim et al., 2021, arXiv 2006.12000.

    Example:
        >>> import torch, tfkd
        >>> teacher = tfkd.PreviousTeacher(num_samples=4, num_classes=2)
        >>> criterion = tfkd.DistillationLoss(teacher, alpha=0.5, samples_per_epoch="told")
        >>> logits, labels = torch.tensor([[2.0, 0.0]], requires_grad=True), torch.tensor([1])
        >>> for _ in range(2):  # the label alone; then half of it what was said before
        ...     round(criterion(logits, labels, indices=torch.tensor([3])).item(), 4)
        2.1269
        1.0635
    """

    of_classes: Tensor

    def __init__(
        self,
        num_samples: int,
        num_classes: int,
        *,
        form: str = "float32",
        directory: Path | str | None = None,
    ) -> None:
        super().__init__()
        self.num_samples = check_integer("num_samples", num_samples, minimum=1)
        self.num_classes = check_num_classes(num_classes)
        # A top-K of other classes has the same shape: in a state it is known by this alone.
        self.register_buffer("of_classes", torch.tensor(self.num_classes))
        self._form = StoredForm(form)
        if self._form.draws is not None:
            raise ValueError(
                "Expected `form` to be float32, float16 or top-K with a number of classes, as "
                f"top-10, got {form}: what is remembered serves any temperature."
            )
        layout = {**self._form.layout((num_classes,)), "seen": (torch.bool, ())}
        self.remembered: RowsInMemory | RowsOnDisk
        if directory is None:
            self.remembered = RowsInMemory(layout, num_samples)
        else:
            self.remembered = RowsOnDisk(checked_directory(directory), layout, num_samples)

    def forward(self, batch: Batch) -> Tensor:
        """Return the last answers, or the logarithms of the labels."""
        indices = self._indices(batch)
        known = (indices >= 0) & (indices < self.num_samples)
        said = self.remembered.read(torch.where(known, indices, 0))
        labels = self._label_logits(batch)
        logits = self._form.decode(said, self.num_classes).to(labels.dtype)
        logits = torch.where(said["seen"].unsqueeze(1), logits, labels)
        logits = torch.where(known.unsqueeze(1), logits, torch.nan)
        return logits.view(batch.student_logits.shape)

    def observe(self, batch: Batch) -> None:
        """Remember what the student said."""
        indices = self._indices(batch)
        z = batch.student_logits.reshape(-1, self.num_classes).float()
        counts = (indices >= 0) & (indices < self.num_samples) & z.amax(1).isfinite()
        if batch.labels.shape != batch.student_logits.shape:
            counts &= batch.labels.long().reshape(-1) != batch.ignore_index
        rows, places = last_of_each(indices, counts)
        columns = self._form.columns(F.log_softmax(z, 1)[places])
        self.remembered.write(rows, {**columns, "seen": torch.ones_like(rows, dtype=torch.bool)})

    def epoch_ended(self) -> None:
        """Answer, from disk, with what was said in this epoch from now on."""
        self.remembered.epoch_ended()

    def _label_logits(self, batch: Batch) -> Tensor:
        """Logarithms of the labels, `(n, K)`; of one to be ignored, those of some class."""
        rows = at_least_float32(batch.student_logits).reshape(-1, self.num_classes)
        if batch.labels.shape == batch.student_logits.shape:
            labels = batch.labels.reshape(-1, self.num_classes).to(rows.dtype)
            # A sample without any label, of which nothing is known: uniform.
            return torch.where(labels.sum(1, keepdim=True) > 0.0, labels, 1.0).log()
        known = batch.labels.long().clamp(0, self.num_classes - 1).reshape(-1, 1)
        return torch.full_like(rows, -torch.inf).scatter(1, known, 0.0)

    def _indices(self, batch: Batch) -> Tensor:
        """The indices of a batch that fits, `(n,)`, where the logits are."""
        z, indices = batch.student_logits, batch.indices
        if indices is None:
            raise TypeError(
                "Expected `indices`, by which a teacher that remembers knows the samples, got "
                "None. Call the loss as `criterion(student_logits, labels, indices=indices)`."
            )
        if indices.dtype != torch.int64:
            raise TypeError(f"Expected `indices` of dtype int64, got {indices.dtype}.")
        if z.dim() > 2 or z.shape[-1] != self.num_classes:
            raise ValueError(
                f"Expected `student_logits` of shape (N, {self.num_classes}) or "
                f"({self.num_classes},), of which a row of each sample is remembered, got "
                f"{tuple(z.shape)}."
            )
        if indices.shape != z.shape[:-1]:
            raise ValueError(
                f"Expected `indices` of shape {tuple(z.shape[:-1])}, one for each sample, got "
                f"{tuple(indices.shape)}."
            )
        if has_values_at_hand(indices):
            wrong = (indices < 0) | (indices >= self.num_samples)
            if bool(wrong.any()):
                raise ValueError(
                    f"Expected `indices` below the {self.num_samples} samples, got "
                    f"{int(indices[wrong][0])}."
                )
        return indices.reshape(-1).to(z.device)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, *lists: list[str]
    ) -> None:
        found = state_dict.get(prefix + "of_classes")
        if found is not None and found.numel() == 1 and int(found) != self.num_classes:
            raise ValueError(
                f"Expected what is remembered of {self.num_classes} classes, got a state of "
                f"{int(found)}."
            )
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, *lists)

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        where = f", {self.remembered.extra_repr()}" if self.remembered.extra_repr() else ""
        return (
            f"num_samples={self.num_samples}, num_classes={self.num_classes}, "
            f"form={self._form.name!r}{where}"
        )

    def __repr__(self) -> str:
        """Return one line, of which what is remembered is no part."""
        return f"PreviousTeacher({self.extra_repr()})"

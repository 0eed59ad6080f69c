"""What the student said of the last batch as teacher."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from tfkd.teachers.base import Answer, Batch, Teacher
from tfkd.teachers.processes import own_share, share_of


@final
class LastBatchTeacher(Teacher):
    """Remembers the logits of a batch, and answers with them when it is shown once more.

    Every batch of training is the samples of the last batch, in another view of them, and behind
    those the new ones: first `rows` of the one, then the other. Of the last it says what the
    student said when they were new, with the weights of that time; of the new ones it says nothing.
    The share of the last is (rows in all) / (2 · those of the last), 1 where the two are as many,
    rows that are ignored left out. So α' = 2α/(1+2α) and s = 1+2α give the cross-entropy of all
    rows and α times the mean divergence of the last batch. The first batch has new rows alone, and
    its loss is plain cross-entropy. That the first rows are the last batch is looked at, by
    `indices` where they are given and else by their labels, for which the device is waited for; not
    where the loss is compiled.

    The last batch of an epoch is shown once more in the next one. Where no gradient is taken of the
    logits, or the loss is in eval mode, nothing is said or remembered. With batch norm the two are
    passed through the network one after the other, since together they would be normalised
    together:

        for images, labels in loader:  # by `tfkd.data.OverlappingSampler`
            last, new = images.tensor_split([criterion.teacher.rows])
            logits = model(new)
            if len(last) > 0:
                logits = torch.cat([model(last), logits])
            loss = criterion(logits, labels)

    (the new ones first, as in the code of the source: the averages of batch norm tell)

    Every sample is trained twice: a step costs twice that of the new samples alone. Logits and
    labels of one batch are remembered, with class indices N·(K + 4) numbers of four bytes.

    Over several processes each has its contiguous share of the last batch, and everyone remembers
    the whole. Logits are `(N, K)`; in half precision they are remembered as they come. Labels may
    be probabilities, if those of a sample are the same in both views, as those of mixup are not. Of
    a row that is ignored nothing is remembered but that it was there.

    Source: Shen et al., 2022, arXiv 2203.16172.

    Raises:
        ValueError: for logits that are not (N, K), or first rows that are not the last batch.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.DistillationLoss(tfkd.LastBatchTeacher(), alpha=2 / 3, scale=3.0)
        >>> first = torch.tensor([[1.0, 0.0]], requires_grad=True)
        >>> round(criterion(first, torch.tensor([0])).item(), 4)
        0.3133
        >>> criterion.teacher.rows
        1
        >>> both = torch.tensor([[0.0, 0.0], [1.0, 0.0]], requires_grad=True)
        >>> round(criterion(both, torch.tensor([0, 0])).item(), 4)
        0.6141
    """

    logits: Tensor
    labels: Tensor
    indices: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("logits", torch.zeros(0, 0))
        self.register_buffer("labels", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("indices", torch.zeros(0, dtype=torch.int64))

    @property
    def rows(self) -> int:
        """How many rows of the last batch the next one begins with, in this process."""
        first, stop = own_share(len(self.logits))
        return stop - first

    @property
    def usual_share(self) -> float:
        """One half: 1 of the rows of the last batch, 0 of the new ones."""
        return 0.5

    def forward(self, batch: Batch) -> Answer:
        """Return what is remembered of the first rows, loudly, and nothing of the others."""
        logits = batch.student_logits
        if logits.dim() != 2:
            raise ValueError(
                "Expected `student_logits` of shape (N, K), whose first rows are those of the last "
                f"batch, got {tuple(logits.shape)}."
            )
        if batch.indices is not None and batch.indices.shape != logits.shape[:1]:
            raise ValueError(
                f"Expected `indices` of shape {tuple(logits.shape[:1])}, one for each sample, got "
                f"{tuple(batch.indices.shape)}."
            )
        first, stop = own_share(len(self.logits))
        last = stop - first
        trained = self.training and logits.requires_grad and torch.is_grad_enabled()
        if not trained or last == 0:
            return Answer(0.0, share=0.0)
        self._check_last(batch, first, stop)
        remembered = self.logits[first:stop].to(logits.dtype)
        dtype = torch.promote_types(logits.dtype, torch.float32)
        counts = _counts(batch.labels, batch.ignore_index).to(dtype)
        share = torch.zeros_like(counts)
        share[:last] = counts.sum() / (2.0 * counts[:last].sum()).clamp(min=1.0)
        return Answer(torch.cat([remembered, logits[last:].detach()]), share)

    def observe(self, batch: Batch) -> None:
        """Remember the new rows, of all processes."""
        sizes = list(batch.sizes or (len(batch.labels),))
        last = [
            share_of(len(self.logits), rank=rank, world_size=len(sizes))
            for rank in range(len(sizes))
        ]

        def new(rows: Tensor) -> Tensor:
            parts = zip(torch.split(rows, sizes), last, strict=True)
            return torch.cat([part[stop - first :] for part, (first, stop) in parts])

        if batch.indices is None:
            indices = self.indices.new_zeros(0)
        else:
            indices = new(batch.indices).to(batch.labels.device)
        logits, labels = new(batch.student_logits), new(batch.labels)
        self.logits = torch.where(_counts(labels, batch.ignore_index).unsqueeze(1), logits, 0.0)
        self.labels, self.indices = labels, indices

    def _check_last(self, batch: Batch, first: int, stop: int) -> None:
        last, rows = stop - first, len(batch.labels)
        if batch.student_logits.shape[1] != self.logits.shape[1]:
            raise ValueError(
                f"Expected `student_logits` of the {self.logits.shape[1]} classes of the last "
                f"batch, got {batch.student_logits.shape[1]}."
            )
        if rows <= last:
            raise ValueError(
                f"Expected {last} rows of the last batch and new ones behind them, got {rows} in "
                "all. Take the batches of tfkd.data.OverlappingSampler; measure in eval mode."
            )
        if torch.compiler.is_compiling():
            return
        given = batch.indices is not None and len(self.indices) > 0
        name = "indices" if given else "labels"
        found, remembered = getattr(batch, name)[:last], getattr(self, name)[first:stop]
        if not torch.equal(found.to(remembered.device), remembered):
            raise ValueError(
                f"Expected the first {last} rows to be those of the last batch, got other "
                f"`{name}`. Take the batches of tfkd.data.OverlappingSampler."
            )

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, *lists: list[str]
    ) -> None:
        names = ("logits", "labels", "indices")
        found = {name: state_dict[prefix + name] for name in names if prefix + name in state_dict}
        if len(found) == len(names) and (wrong := self._wrong_with(**found)):
            lists[-1].append(f"Expected {wrong} as those of the last batch.")
            return
        for name, kept in found.items():  # of any size
            setattr(self, name, torch.empty_like(kept, device=getattr(self, name).device))
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, *lists)

    def _wrong_with(self, logits: Tensor, labels: Tensor, indices: Tensor) -> str:
        """What a state would have to be, and is not; nothing where all is well."""
        shapes = [tuple(kept.shape) for kept in (logits, labels, indices)]
        if logits.dim() != 2 or len(indices) not in (0, len(logits)) or indices.dim() != 1:
            return f"logits (N, K), labels and indices of N samples, got shapes {shapes},"
        if labels.shape not in (logits.shape[:1], logits.shape):
            return f"labels (N,) or (N, K) of logits {shapes[0]}, got {shapes[1]},"
        if len(self.logits) > 0 < len(logits) and logits.shape[1] != self.logits.shape[1]:
            return f"logits of {self.logits.shape[1]} classes, got {logits.shape[1]},"
        return ""


def _counts(labels: Tensor, ignore_index: int) -> Tensor:
    """Which rows are not ignored, (N,)."""
    if labels.is_floating_point():
        return torch.ones(len(labels), dtype=torch.bool, device=labels.device)
    return labels != ignore_index

"""Losses of one's own whose teachers remember, each in another way, found as `remembering:NAME`."""

from __future__ import annotations

import copy

import torch

import tfkd
from tfkd.loss.schedules import Linear, RampUp, Until
from tfkd.teachers import Teacher

KNOWN = ("student", "samples_per_epoch", "num_samples")
"""What the trainer gives to a loss that remembers."""


def remembers(method):
    """Whether a row of the table is of a method whose loss remembers, or is shown more."""
    return method.partners != "none" or any(map(method.takes, KNOWN))


FIXED = 2.0**32
"""Sums are of whole numbers: in any order, of any number of processes, they are the same."""


class ByClass(Teacher):
    """Answers with the mean prediction of the epoch before, of the right ones of each class."""

    def __init__(self, num_classes):
        super().__init__()
        size = (num_classes, num_classes)
        self.register_buffer("log_mean", torch.zeros(size))
        self.register_buffer("sums", torch.zeros(size, dtype=torch.int64))
        self.register_buffer("counts", torch.zeros(num_classes, dtype=torch.int64))

    def forward(self, batch):
        return self.log_mean[batch.labels]

    def observe(self, batch):
        right = batch.student_logits.argmax(1) == batch.labels
        probabilities = (batch.student_logits[right].double().softmax(1) * FIXED).round().long()
        self.sums.index_add_(0, batch.labels[right], probabilities)
        self.counts += batch.labels[right].bincount(minlength=len(self.counts))

    def epoch_ended(self):
        seen = self.counts > 0
        mean = self.sums[seen].double() / (FIXED * self.counts[seen, None])
        self.log_mean[seen] = mean.clamp_min(1e-9).log().float()
        self.sums.zero_()
        self.counts.zero_()


class Average(Teacher):
    """Answers with an average of the student, and a noise that it draws; counts epochs by drawing.

    The weights of the average lie in its state, the last step's largest logit beside them.
    """

    def __init__(self, student):
        super().__init__()
        self.network = copy.deepcopy(student).requires_grad_(False).eval()
        self.register_buffer("drawn", torch.randn(3))

    def train(self, mode=True):
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, batch):
        with torch.no_grad():
            logits = self.network(batch.inputs)
        return logits + 0.1 * torch.randn_like(logits)

    def step_ended(self, student):
        ours, theirs = self.network.state_dict(), student.state_dict()
        for name, value in ours.items():
            if value.is_floating_point():
                value.lerp_(theirs[name], 0.3)
            else:
                value.copy_(theirs[name])

    def epoch_ended(self):
        self.drawn.add_(torch.randn(3))


class Beside(Teacher):
    """Answers as a network does, beside a teacher that remembers."""

    def __init__(self, model):
        super().__init__()
        self.network, self.own = tfkd.NetworkTeacher(model), ByClass(10)

    def forward(self, batch):
        return self.network(batch) + self.own(batch)


class Last(Teacher):
    """Answers with the mean of the last batch; remembers all of it, how large ever it was."""

    def __init__(self, num_classes):
        super().__init__()
        self.register_buffer("last", torch.zeros(0, num_classes))

    @property
    def is_silent(self):
        return len(self.last) == 0

    def forward(self, batch):
        return self.last.mean(0).expand_as(batch.student_logits)

    def observe(self, batch):
        if batch.labels.is_floating_point():
            raise ValueError("Expected `labels` that are class indices, got probabilities.")
        self.last = batch.student_logits.float().clone()

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        self.last = torch.zeros_like(state_dict[prefix + "last"], device=self.last.device)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def by_class(*, num_classes, samples_per_epoch, alpha=0.5, weight=None) -> tfkd.DistillationLoss:
    return tfkd.DistillationLoss(
        ByClass(num_classes), alpha=alpha, samples_per_epoch=samples_per_epoch, weight=weight
    )


def average(student, *, decay=0.7) -> tfkd.DistillationLoss:
    return tfkd.DistillationLoss(Average(student), alpha=0.4, samples_per_epoch="told")


def last(*, num_classes) -> tfkd.DistillationLoss:
    return tfkd.DistillationLoss(Last(num_classes), alpha=0.3)


def scheduled(*, epochs, samples_per_epoch, start=0.8) -> tfkd.DistillationLoss:
    return tfkd.DistillationLoss(
        tfkd.VirtualTeacher(confidence=0.9),
        alpha=Linear(start=start, end=0.1, epochs=epochs),
        temperature=RampUp(value=5.0, steps=7),
        samples_per_epoch=samples_per_epoch,
    )


def both(*, num_classes, samples_per_epoch, weight=None) -> tfkd.DistillationLoss:
    return tfkd.DistillationLoss(
        ByClass(num_classes),
        alpha=Until(value=0.5, after=0.2, steps=7),
        scale=Linear(start=1.0, end=2.0, epochs=2),
        samples_per_epoch=samples_per_epoch,
        weight=weight,
    )


def beside(model, *, samples_per_epoch, alpha=0.5) -> tfkd.DistillationLoss:
    return tfkd.DistillationLoss(Beside(model), alpha=alpha, samples_per_epoch=samples_per_epoch)

"""Criteria of each kind, and a network that teaches, for tests of how they are called."""

from __future__ import annotations

import torch
from torch import nn

import tfkd

K = 5


class Network(nn.Module):
    """Of two numbers at each position; its classes are the last dimension."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.layer = nn.Linear(2, K).double()

    def forward(self, inputs):
        return self.layer(inputs)


CRITERIA = {
    "cross_entropy": tfkd.cross_entropy,
    "label_smoothing": lambda **own: tfkd.label_smoothing(alpha=0.3, **own),
    "knowledge_distillation": lambda **own: tfkd.knowledge_distillation(
        Network(), alpha=0.4, temperature=3.0, **own
    ),
    "max_sup": lambda **own: tfkd.max_sup(added=0.3, **own),
    "focal": tfkd.focal,
}

"""The batch on which the authors' functions were run, in float64, and what loops by hand need."""

from __future__ import annotations

import math

import torch

Z = torch.tensor(
    [
        [2.0, 1.0, 0.5, -1.0, 0.0],
        [0.2, -0.3, 1.5, 0.7, -0.6],
        [-1.0, 0.4, 0.3, 2.2, 0.1],
        [0.0, 0.1, -0.2, 0.05, 0.3],
    ],
    dtype=torch.float64,
)
"""Logits of the student."""

T = torch.tensor(
    [
        [1.5, 0.5, 0.0, -0.5, -1.0],
        [0.0, 0.5, 1.0, -1.0, 0.2],
        [0.3, -0.2, 0.8, 1.1, -0.4],
        [-0.5, 0.9, 0.2, 0.0, 0.4],
    ],
    dtype=torch.float64,
)
"""Logits of the teacher."""

Y = torch.tensor([0, 2, 1, 3])
"""Labels."""


def softmax(row, tau=1.0):
    e = [math.exp(x / tau) for x in row]
    return [x / sum(e) for x in e]


def kl(t, p):
    return sum(a * math.log(a / b) for a, b in zip(t, p, strict=True) if a > 0.0)

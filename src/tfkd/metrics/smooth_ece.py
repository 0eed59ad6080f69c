"""How far confidence lies from accuracy, smoothed by a kernel in place of bins."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tfkd.metrics.batch import Labelled

CELLS = 2**13
"""Of the grid on [0, 1] that residuals are laid on."""

FINEST = 4
"""Cells of the smallest bandwidth: an error below it, 0.05 %, is not resolved."""

HALVINGS = 16
"""Of the range of bandwidths, until it is as narrow as 1.5e-5."""


def smooth_calibration_error(logits: Tensor, labels: Tensor) -> float:
    """SmoothECE: expected calibration error of the largest probability, without bins.

    The residuals r_i, 1 or 0 for right or wrong minus the confidence f_i, are smoothed by a
    Gaussian of bandwidth σ that is reflected at 0 and 1, and what is left of them is summed up:

        smECE_σ = ∫₀¹ |1/N Σ_i r_i·k_σ(t, f_i)| dt,
        k_σ(t, f) = Σ_m φ_σ(t − f − 2m) + φ_σ(t + f − 2m),  m any whole number.

    It falls as σ grows; SmoothECE is the value at the one σ where smECE_σ = σ. So it has nothing to
    choose, and moves little where logits move little, unlike the error in bins.

    The sum over reflections is the same as Σ_k exp(−k²π²σ²/2)·cos(kπt)·cos(kπf), which a cosine
    transform on a grid of 2^13 cells takes of all samples at once. To lay samples on it costs an
    error of at most (h/σ)²/8 parts, h the width of a cell: 2e-5 of an error of 1 %.

    The authors' package relplot (1.0) mirrors a grid whose last point, 1, is not its own image, and
    so counts those that are sure to within 0.001 by half or little more: of a network that is so
    sure of half of 10,000 images, and not right in all, it told 12.6 % where this and the sum over
    reflections are 10.2.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N,)`, class indices in [0, K).

    Returns:
        A number in [0, 1]; 0 is calibrated. Where it would be below 2^-11, smECE_σ at σ = 2^-11,
        which is smaller still.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, a label outside of [0, K), or logits with NaN, +inf or a
            row of nothing but -inf.

    Example:
        One confidence, 0.8, in samples of which half are right: as far off as in bins.

        >>> logits = torch.tensor([[0.8, 0.2], [0.8, 0.2]]).log()
        >>> round(smooth_calibration_error(logits, torch.tensor([0, 1])), 6)
        0.3

    Source: Błasiok and Nakkiran, "Smooth ECE: Principled Reliability Diagrams via Kernel
    Smoothing", ICLR 2024, arXiv 2309.12236.
    """
    batch = Labelled(logits, labels)
    return batch.read(smooth_ece_of(batch.confidence, batch.gap))[0]


def smooth_ece_of(
    confidence: Tensor, gap: Tensor, *, cells: int = CELLS, halvings: int = HALVINGS
) -> Tensor:
    """Return SmoothECE of residuals, without waiting for the device.

    Args:
        confidence: `(N,)` float64, from 0 to 1.
        gap: `(..., N)` float64, right (1) or wrong (0) minus the confidence.
        cells: of the grid.
        halvings: of the range of bandwidths.

    Returns:
        `(...)`, of each row of residuals.
    """
    spectrum = _spectrum(confidence, gap / gap.shape[-1], cells)
    low = torch.full_like(gap[..., 0], FINEST / cells)
    high = torch.ones_like(low)
    for _ in range(halvings):
        sigma = (low + high) / 2.0
        above = _at_bandwidth(spectrum, sigma) > sigma
        low, high = torch.where(above, sigma, low), torch.where(above, high, sigma)
    at_low, at_high = _at_bandwidth(spectrum, low), _at_bandwidth(spectrum, high)
    over, under = at_low - low, high - at_high
    # Between two so near the curve is a straight line.
    meeting = low + (high - low) * over / (over + under)
    return torch.where(over > 0.0, meeting, at_low)


def _spectrum(confidence: Tensor, gap: Tensor, cells: int) -> Tensor:
    """The cosine transform of residuals, each shared by the two points of the grid around it."""
    place = confidence.nan_to_num(0.0).clamp(0.0, 1.0) * cells  # NaN is reported by who reads it
    left = place.floor().clamp(max=cells - 1)
    right_share = place - left
    on_grid = gap.new_zeros((*gap.shape[:-1], cells + 1))
    on_grid.index_add_(-1, left.long(), gap * (1.0 - right_share))
    on_grid.index_add_(-1, left.long() + 1, gap * right_share)
    # Mirrored at both ends, each of which is its own image.
    ends = on_grid[..., [0, -1]] * 2.0
    inside = on_grid[..., 1:-1]
    mirrored = torch.cat([ends[..., :1], inside, ends[..., 1:], inside.flip(-1)], dim=-1)
    spectrum: Tensor = torch.fft.rfft(mirrored).real * cells
    return spectrum


def _at_bandwidth(spectrum: Tensor, sigma: Tensor) -> Tensor:
    """The integral of the absolute smoothed residuals."""
    cells = spectrum.shape[-1] - 1
    frequency = torch.arange(cells + 1, device=spectrum.device, dtype=torch.float64)
    decay = torch.exp(-0.5 * (math.pi * frequency * sigma[..., None]).square())
    smoothed = torch.fft.irfft((spectrum * decay).to(torch.complex128), n=2 * cells)
    left, right = smoothed[..., :cells], smoothed[..., 1 : cells + 1]
    # Straight lines between the points; one that crosses 0 is two triangles.
    size = left.abs() + right.abs()
    area = torch.where(left * right < 0.0, (left.square() + right.square()) / size, size)
    return area.sum(-1) / (2.0 * cells)

"""Augmentation that is a function of seed, view and sample index alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tfkd.data.augmentation import Augmentation
from tfkd.data.randomness import AUGMENTATION, sample_seed, uniforms


class Draws(NamedTuple):
    """What has been drawn for n samples: the arguments of crop, flip and rotation.

    Args:
        top: (n,) int64, first row of the crop in the padded image.
        left: (n,) int64, first column of it.
        flip: (n,) bool.
        angle: (n,) float32, degrees counter-clockwise.
        cosine: (n,) float32, of the angle.
        sine: (n,) float32, of the angle.
    """

    top: Tensor
    left: Tensor
    flip: Tensor
    angle: Tensor
    cosine: Tensor
    sine: Tensor

    def to(self, device: torch.device) -> Draws:
        """Return the draws on another device."""
        return Draws(*(column.to(device) for column in self))

    def part(self, first: int, stop: int) -> Draws:
        """Return the draws of the samples from `first` to before `stop`."""
        return Draws(*(column[first:stop] for column in self))


def draw(
    augmentation: Augmentation,
    indices: Tensor,
    *,
    seed: int,
    view: int,
    official_size: int,
    occurrences: NDArray[np.int64] | None = None,
) -> Draws:
    """Return the draws of one view for the samples `indices` of an official split.

    Args:
        augmentation: what may be drawn.
        indices: (n,) int64, identity of each sample in [0, official_size).
        seed: of the run.
        view: from 0; the epoch, unless a number of views take turns.
        official_size: number of samples of the official split.
        occurrences: (n,) how often each sample came before in the epoch; None: never.

    Returns:
        Draws on the CPU, in the order of `indices`.
    """
    # Always four columns, so that switching one augmentation off leaves the others' draws alone.
    table = uniforms((official_size, 4), seed, view, AUGMENTATION)[indices.numpy()]
    for place, occurrence in enumerate(() if occurrences is None else occurrences.tolist()):
        if occurrence:
            own = sample_seed(seed, view, int(indices[place]), occurrence)
            table[place] = uniforms((4,), own, AUGMENTATION)
    places = 2 * augmentation.crop_padding + 1
    corner = np.floor(table[:, :2] * places).astype(np.int64)
    mirrored = (table[:, 2] < 0.5) & augmentation.flip
    angle = ((2 * table[:, 3] - 1) * augmentation.rotation).astype(np.float32)
    radians = np.deg2rad(angle.astype(np.float64))
    return Draws(
        top=torch.from_numpy(corner[:, 0].copy()),
        left=torch.from_numpy(corner[:, 1].copy()),
        flip=torch.from_numpy(mirrored),
        angle=torch.from_numpy(angle),
        cosine=torch.from_numpy(np.cos(radians).astype(np.float32)),
        sine=torch.from_numpy(np.sin(radians).astype(np.float32)),
    )


def augment(images: Tensor, augmentation: Augmentation, draws: Draws) -> Tensor:
    """Return the images padded, cropped, flipped and rotated, in this order, as drawn.

    Args:
        images: (n, C, H, W), any dtype.
        augmentation: which of the three to apply.
        draws: n of them, on the device of the images.

    Returns:
        (n, C, H, W) of the same dtype.
    """
    if not (augmentation.crop_padding or augmentation.flip or augmentation.rotation):
        return images
    if images.device.type == "cpu" and images.dtype == torch.uint8:
        return _one_by_one(images, augmentation, draws)
    return _looked_up(images, augmentation, draws)


def _looked_up(images: Tensor, augmentation: Augmentation, draws: Draws) -> Tensor:
    """All three as one look-up: where each pixel of the result lies in the original image."""
    n, channels, height, width = images.shape
    # In float32, which is exact for whole numbers below 2^24 and faster than int64.
    y = torch.arange(height, dtype=torch.float32, device=images.device).view(1, height, 1)
    x = torch.arange(width, dtype=torch.float32, device=images.device).view(1, 1, width)
    if augmentation.rotation:
        y, x = _rotated(y, x, draws, height, width)
    down = (draws.top - augmentation.crop_padding).view(n, 1, 1)
    right = (draws.left - augmentation.crop_padding).view(n, 1, 1)
    mirrored = draws.flip.view(n, 1, 1)
    y, y_inside = _shifted(y, torch.zeros_like(mirrored), down, height)
    x, x_inside = _shifted(x, mirrored, right, width)
    inside = (y_inside & x_inside).expand(n, height, width).reshape(n, 1, height * width)
    source = y.mul(width).add(x).to(torch.int64).expand(n, height, width)
    source = source.reshape(n, 1, height * width).expand(n, channels, height * width)
    result = images.reshape(n, channels, height * width).gather(2, source)
    return result.mul_(inside).view_as(images)


def _one_by_one(images: Tensor, augmentation: Augmentation, draws: Draws) -> Tensor:
    """The same of bytes on the CPU, where rows are copied faster than pixels are looked up."""
    margin = 1 if augmentation.rotation else 0
    if augmentation.crop_padding or augmentation.flip:
        images = _cut_out(images, augmentation.crop_padding, draws, margin)
    elif margin:
        images = F.pad(images, (margin,) * 4)
    return _turned(images, draws) if margin else images


def _cut_out(images: Tensor, padding: int, draws: Draws, margin: int) -> Tensor:
    """Crops out of the padded images, some of them mirrored, within a margin of zeros."""
    n, channels, height, width = images.shape
    padded = F.pad(images, (padding,) * 4).numpy()
    result = images.new_zeros(n, channels, height + 2 * margin, width + 2 * margin)
    inner = result[:, :, margin : margin + height, margin : margin + width].numpy()
    corners = zip(draws.top.tolist(), draws.left.tolist(), draws.flip.tolist(), strict=True)
    for own, image, (top, left, mirrored) in zip(inner, padded, corners, strict=True):
        target = own[:, :, ::-1] if mirrored else own
        target[...] = image[:, top : top + height, left : left + width]
    return result


def _turned(bordered: Tensor, draws: Draws) -> Tensor:
    """The images rotated and their margin of one pixel taken off, from where what is outside is."""
    n, channels, whole_height, whole_width = bordered.shape
    height, width = whole_height - 2, whole_width - 2
    y = torch.arange(height, dtype=torch.float32).view(1, height, 1)
    x = torch.arange(width, dtype=torch.float32).view(1, 1, width)
    y, x = _rotated(y, x, draws, height, width)
    row, column = y.clamp_(-1, height), x.clamp_(-1, width)
    # By way of int32, which takes half the time of going to int64 at once.
    source = row.add_(1).mul_(whole_width).add_(column.add_(1)).to(torch.int32).to(torch.int64)
    source = source.view(n, 1, height * width).expand(n, channels, height * width)
    return bordered.flatten(2).gather(2, source).view(n, channels, height, width)


def _shifted(at: Tensor, mirrored: Tensor, shift: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Positions along one axis after flip and crop, and which of them are inside the image.

    A position is outside if it was outside before the shift (of the rotated image, whose outside
    is zero) or is so after it (in the padding).
    """
    first = mirrored * (size - 1) + shift
    moved = torch.where(mirrored, -1.0, 1.0) * at + first
    kept = torch.minimum(moved, (size - 1 + shift).clamp(max=size - 1))
    kept = torch.maximum(kept, shift.clamp(min=0))
    return kept, kept == moved


def _rotated(y: Tensor, x: Tensor, draws: Draws, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Where each pixel of the rotated image comes from, rounded half to even.

    The steps are those of torchvision's `rotate` in float32 (a grid in [−1, 1], then back to
    pixels), so that pixels half-way between two neighbours are rounded alike. They are done
    element by element, since a matrix product may round otherwise for another batch size.
    """
    cosine, sine = draws.cosine.view(-1, 1, 1), draws.sine.view(-1, 1, 1)
    right = x - (width - 1) / 2
    down = y - (height - 1) / 2
    to_x = right * (cosine / (width / 2)) - down * (sine / (width / 2))
    to_y = right * (sine / (height / 2)) + down * (cosine / (height / 2))
    column = to_x.add_(1).mul_(width / 2).sub_(0.5).round_()
    row = to_y.add_(1).mul_(height / 2).sub_(0.5).round_()
    return row, column

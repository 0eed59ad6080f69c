"""What users write themselves: networks and data, found as `own_parts:NAME`."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from msgspec.structs import replace
from torch import nn

import tfkd
from tfkd.data import Augmentation, Source
from tfkd.data.images import MemoryImages
from tfkd.data.sources.digits import load_digits


def linear(*, num_classes, in_channels) -> nn.Module:
    """A network of digits that has no batch norm, and is convex."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))


def mlp(*, num_classes, in_channels) -> nn.Module:
    """A network of digits without batch norm, which sees each process's samples alone."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, num_classes))


WIDE = 256


def wide(*, num_classes, in_channels) -> nn.Module:
    """Layers whose outputs are large, and whose work is small."""
    layers = [nn.Conv2d(in_channels, WIDE, 1), *(nn.Tanh() for _ in range(4))]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDE, num_classes)
    )


class Poisoned(nn.Module):
    """A linear network whose logits, or gradients, are not finite from a forward pass on."""

    forwards = -1
    """Of training; below 0: never."""
    gradient = False

    def __init__(self, num_classes):
        super().__init__()
        self.linear = nn.Linear(64, num_classes)
        self.left, self.gradient = type(self).forwards, type(self).gradient

    def forward(self, images):
        logits = self.linear(images.flatten(1))
        if self.training:
            self.left -= 1
        if self.training and self.left == 0:
            if self.gradient:
                logits.register_hook(lambda gradient: gradient * float("nan"))
            else:
                logits = logits * torch.tensor([float("inf")] + [1.0] * 9)
        return logits


def poisoned(*, num_classes, in_channels) -> nn.Module:
    return Poisoned(num_classes)


def cropped_digits(root) -> Source:
    """Digits that are cropped and rotated."""
    return dataclasses.replace(
        load_digits(), augmentation=Augmentation(crop_padding=1, rotation=10.0)
    )


def shifted_digits(root) -> Source:
    """Digits that are cropped."""
    return dataclasses.replace(load_digits(), augmentation=Augmentation(crop_padding=1))


def digits_513(root) -> Source:
    """Digits of which 513 are for testing: one more than a batch of evaluation."""
    source = load_digits()
    test = MemoryImages(source.test.pixels[:513], source.test.labels[:513])
    return dataclasses.replace(source, test=test)


def changed(settings, **changes):
    """Return the settings of a run with some of them changed, those of the recipe too."""
    own = {name: changes.pop(name) for name in ("method", "teacher", "seed") if name in changes}
    return replace(settings, recipe=replace(settings.recipe, **changes), **own)


def announced(*, num_classes, in_channels) -> nn.Module:
    """A network that says when it is built: next, its run has its teacher's answers stored."""
    print("built", flush=True)
    return mlp(num_classes=num_classes, in_channels=in_channels)


def five_logits(*, num_classes, in_channels) -> nn.Module:
    """A network that answers for five classes, whatever it is asked."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 5))


def images_of_28(*, num_classes, in_channels) -> nn.Module:
    """A network of images of 28 × 28 pixels."""
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, num_classes))


class OnlyInTraining(nn.Module):
    """A linear network whose logits are finite in training alone, as of weights that are huge."""

    def __init__(self, num_classes):
        super().__init__()
        self.linear = nn.Linear(64, num_classes)

    def forward(self, images):
        logits = self.linear(images.flatten(1))
        return logits if self.training else logits * float("nan")


def only_in_training(*, num_classes, in_channels) -> nn.Module:
    return OnlyInTraining(num_classes)


class _Softmax(nn.Module):
    """A layer with a parameter behind what answers for the classes."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, logits):
        return (logits * self.scale).log_softmax(1)


def ends_with_softmax(*, num_classes, in_channels) -> nn.Module:
    """A network of images of 32 × 32 pixels whose last layer is not linear."""
    return nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, num_classes), _Softmax())


def uneven_digits(root) -> Source:
    """45 digits: nine of class 0, and four of each other."""
    source = load_digits()
    labels = source.train.labels
    kept = [labels.eq(k).nonzero()[: 9 if k == 0 else 4] for k in range(10)]
    indices = torch.cat(kept).flatten()
    train = MemoryImages(source.train.pixels[indices], labels[indices])
    return dataclasses.replace(source, train=train)


def no_weights() -> tfkd.DistillationLoss:
    """Plain cross-entropy, of classes that count alike."""
    return tfkd.cross_entropy()


def weights(*, weight=None) -> tfkd.DistillationLoss:
    """Plain cross-entropy, of classes that count as they are told."""
    return tfkd.cross_entropy(weight=weight)


class Watched(nn.Module):
    """A linear network of which all that it is shown is kept, whichever copy of it is shown it."""

    shown: ClassVar[list[tuple[bool, torch.Tensor]]] = []
    """Whether it was trained with, and the images."""

    def __init__(self, num_classes):
        super().__init__()
        self.linear = nn.Linear(64, num_classes)

    def forward(self, images):
        Watched.shown.append((self.training, images.detach().clone()))
        return self.linear(images.flatten(1))


def watched(*, num_classes, in_channels) -> nn.Module:
    return Watched(num_classes)

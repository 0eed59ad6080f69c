"""What a network is asked about, and how long."""

import pytest
import torch
from torch import nn

from tfkd.data import DataSettings, load_data
from tfkd.report.pictures.answers import BATCH, ask


class Corner(nn.Module):
    """Says of an image how bright ten of its pixels are."""

    def forward(self, images):
        return images[:, 0, 2, :5].repeat(1, 2) * torch.linspace(0.5, 2.0, 10)


@pytest.fixture(scope="module")
def digits():
    return load_data(DataSettings("digits"))


def test_every_image_is_asked_about_in_the_order_of_the_split(digits):
    split = digits.validation
    found = ask(Corner(), digits, split, "validation", seconds=1e9)
    pixels = split.official.pixels[split.indices].double() / 255
    pixels = (pixels - digits.mean[0]) / digits.std[0]
    torch.testing.assert_close(found.logits, Corner()(pixels).float(), atol=1e-4, rtol=1e-4)
    assert torch.equal(found.labels, split.labels)
    assert torch.equal(found.indices, split.indices)


def test_when_time_is_over_some_are_asked_about_drawn_from_all(digits):
    found = ask(Corner(), digits, digits.train, "training", seconds=0.0)
    assert len(found) == BATCH < len(digits.train)
    assert set(found.indices.tolist()) < set(digits.train.indices.tolist())
    assert int(found.indices.max() - found.indices.min()) > BATCH
    assert torch.equal(found.labels, digits.train.official.labels[found.indices])

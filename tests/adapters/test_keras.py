"""Keras on the torch backend: as a plain loop."""

from __future__ import annotations

import os
import sys

import pytest
import torch
from torch import nn

import tfkd

if "keras" not in sys.modules:
    os.environ["KERAS_BACKEND"] = "torch"
pytest.importorskip("keras")
from keras import backend

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.skipif(backend.backend() != "torch", reason="Keras on another backend"),
]


def test_the_page_trains_as_a_plain_loop(host_pages, monkeypatch):
    images, labels = host_pages.IMAGES, host_pages.LABELS
    page = host_pages.run_page(
        "keras.md", monkeypatch, images=images.numpy(), labels=labels.numpy()
    )
    kernel, bias = (torch.tensor(array) for array in page["first"])
    model = nn.Linear(host_pages.FEATURES, host_pages.CLASSES)
    model.load_state_dict({"weight": kernel.T, "bias": bias})
    host_pages.plain_loop(model, tfkd.tf_kd_reg(), epochs=2)
    kernel, bias = (torch.tensor(array) for array in page["network"].get_weights())
    torch.testing.assert_close(kernel.T, model.weight.detach(), atol=1e-6, rtol=0)
    torch.testing.assert_close(bias, model.bias.detach(), atol=1e-6, rtol=0)

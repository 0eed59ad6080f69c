"""Both ways to compute a loss."""

from __future__ import annotations

import contextlib

import pytest

import tfkd


@pytest.fixture(params=["as it comes", "by the equation"])
def either_way(request):
    """With the kernels, and with the equation alone."""
    equation = request.param == "by the equation"
    with tfkd.loss.without_kernels() if equation else contextlib.nullcontext():
        yield

"""Each form stores what it says, and its error is that of a float64 sum over classes."""

from __future__ import annotations

import math

import pytest
import torch

from tfkd.teachers.cache.forms import StoredForm, total_variation

K = 9


def logits(n: int = 50) -> torch.Tensor:
    return 4 * torch.randn(n, K, generator=torch.Generator().manual_seed(0))


def restored(name: str, z: torch.Tensor) -> torch.Tensor:
    form = StoredForm(name)
    return form.decode(form.encode(z), z.shape[1])


def test_float32_is_exact() -> None:
    z = logits()
    z[0, 3] = -math.inf
    assert restored("float32", z).equal(z)


def test_float16_keeps_the_softmax_to_three_digits_at_any_level() -> None:
    z = logits()
    for level in (0.0, 1e5):  # beyond what float16 can hold
        back = restored("float16", z.double().add(level).float() if level else z)
        expected = (z.double() + level).float().double().softmax(1)
        torch.testing.assert_close(back.double().softmax(1), expected, rtol=1e-2, atol=1e-6)


def test_float16_keeps_masks_and_what_is_far_below() -> None:
    z = torch.tensor([[0.0, -math.inf, -1e30]])
    assert restored("float16", z).tolist() == [[0.0, -math.inf, -65504.0]]


@pytest.mark.parametrize("kept", [1, 3, 8])
def test_top_k_keeps_the_largest_and_shares_the_rest_evenly(kept: int) -> None:
    for z, p in zip(logits(), restored(f"top-{kept}", logits()).double().softmax(1), strict=True):
        true = z.double().softmax(0)
        order = sorted(range(K), key=lambda k: -float(z[k]))
        tail = sum(float(true[k]) for k in order[kept:])
        expected = torch.full((K,), tail / (K - kept), dtype=torch.float64)
        for k in order[:kept]:
            expected[k] = true[k]
        torch.testing.assert_close(p, expected, rtol=2e-2, atol=1e-6)


def test_dense_outputs_have_their_classes_second() -> None:
    z = logits(60).view(10, K, 2, 3)
    rows = z.movedim(1, -1).reshape(-1, K)
    for name in ("float32", "float16", "top-2"):
        alone = restored(name, rows).view(10, 2, 3, K).movedim(-1, 1)
        assert restored(name, z).equal(alone)


def test_total_variation_is_half_the_sum_of_differences() -> None:
    one, two = logits(2)
    p, q = (one.double() / 4).softmax(0), (two.double() / 4).softmax(0)
    expected = sum(abs(float(p[k]) - float(q[k])) for k in range(K)) / 2
    got = total_variation(one[None], two[None], 4.0)
    assert got.item() == pytest.approx(expected, rel=1e-5)


def test_bytes_are_those_of_the_columns() -> None:
    for num_classes in (9, 40_000):
        z = torch.randn(4, num_classes)
        for name in ("float32", "float16", "top-5"):
            columns = StoredForm(name).encode(z)
            total = sum(column.numel() * column.element_size() for column in columns.values())
            assert StoredForm(name).bytes_per_sample(num_classes) == total / 4


def test_classes_beyond_int16_are_kept() -> None:
    z = torch.zeros(1, 32_769)
    z[0, 32_768] = 10.0
    assert restored("top-1", z).argmax().item() == 32_768
    z = torch.zeros(1, 40_000)
    z[0, 39_999] = 10.0
    assert restored("top-1", z).argmax().item() == 39_999


@pytest.mark.parametrize("name", ["float64", "top", "top-0", "top-x", "top--1", ""])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"`form` to be float32, float16 or top-K"):
        StoredForm(name)


def test_what_cannot_be_stored_is_refused() -> None:
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite logits"):
            StoredForm("float32").encode(torch.tensor([[0.0, bad]]))
    with pytest.raises(ValueError, match=r"fewer than the 9 classes, got top-9"):
        StoredForm("top-9").encode(logits())

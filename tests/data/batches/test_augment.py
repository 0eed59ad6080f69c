from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2 import functional

from tfkd.data.augmentation import Augmentation
from tfkd.data.batches.augment import Draws, augment, draw

ALL = Augmentation(crop_padding=4, flip=True, rotation=15.0)


def _draw(augmentation: Augmentation, n: int = 300, *, seed: int = 0, epoch: int = 0) -> Draws:
    return draw(augmentation, torch.arange(n), seed=seed, view=epoch, official_size=n)


@pytest.mark.parametrize("size", [8, 28, 32, 64])
@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(crop_padding=4),
        Augmentation(flip=True),
        Augmentation(rotation=180.0),
        Augmentation(flip=True, rotation=20.0),
        ALL,
    ],
    ids=["crop", "flip", "rotation", "tiny-imagenet", "all"],
)
def test_equals_torchvision_bit_by_bit(size: int, augmentation: Augmentation) -> None:
    torch.manual_seed(0)
    images = torch.randint(1, 256, (300, 3, size, size), dtype=torch.uint8)
    draws = _draw(augmentation)
    result = augment(images, augmentation, draws)
    assert result.dtype == torch.uint8
    differ = 0
    for n, image in enumerate(images):
        padding = augmentation.crop_padding
        image = functional.pad(image, [padding] * 4)
        image = functional.crop(image, int(draws.top[n]), int(draws.left[n]), size, size)
        image = functional.horizontal_flip(image) if draws.flip[n] else image
        if augmentation.rotation:
            image = functional.rotate(image, float(draws.angle[n]))
        differ += int((image != result[n]).any(0).sum())
    # A kernel with fused multiply-add may round a coordinate that lies within 1e-6 pixels of the
    # middle between two the other way: at most one pixel in 100 000.
    assert differ <= 300 * size * size * (1e-5 if augmentation.rotation else 0)


def test_rectangles_keep_their_shape() -> None:
    images = torch.randint(0, 256, (20, 1, 6, 9), dtype=torch.uint8)
    draws = _draw(ALL, 20)
    result = augment(images, ALL, draws)
    for n, image in enumerate(images):
        image = functional.crop(
            functional.pad(image, [4] * 4), int(draws.top[n]), int(draws.left[n]), 6, 9
        )
        image = functional.horizontal_flip(image) if draws.flip[n] else image
        assert torch.equal(functional.rotate(image, float(draws.angle[n])), result[n])


def test_a_sample_is_augmented_alike_in_any_batch() -> None:
    images = torch.randint(0, 256, (300, 3, 32, 32), dtype=torch.uint8)
    whole = augment(images, ALL, _draw(ALL))
    chosen = torch.tensor([299, 7, 8, 100])
    draws = draw(ALL, chosen, seed=0, view=0, official_size=300)
    assert torch.equal(augment(images[chosen], ALL, draws), whole[chosen])


def test_draws_cover_their_ranges_evenly() -> None:
    draws = _draw(ALL, 20_000)
    for corner in (draws.top, draws.left):
        counts = torch.bincount(corner, minlength=9)
        assert counts.shape == (9,)
        # Five standard deviations of a binomial count around 20 000 / 9.
        assert (counts - 20_000 / 9).abs().max() < 5 * (20_000 / 9 * 8 / 9) ** 0.5
    assert abs(float(draws.flip.double().mean()) - 0.5) < 5 * 0.5 / 20_000**0.5
    assert -15 <= float(draws.angle.min()) < -14.9
    assert 14.9 < float(draws.angle.max()) <= 15
    assert abs(float(draws.angle.mean())) < 5 * 15 / 3**0.5 / 20_000**0.5


def test_draws_are_independent_of_each_other() -> None:
    draws = _draw(ALL, 20_000)
    table = torch.stack([draws.top, draws.left, draws.flip, draws.angle]).double()
    correlation = torch.corrcoef(table) - torch.eye(4)
    assert correlation.abs().max() < 5 / 20_000**0.5


def test_draws_follow_seed_and_epoch() -> None:
    base = _draw(ALL)
    assert base.angle.equal(_draw(ALL).angle)
    assert not base.angle.equal(_draw(ALL, seed=1).angle)
    assert not base.angle.equal(_draw(ALL, epoch=1).angle)


def test_switching_one_off_leaves_the_others_alone() -> None:
    assert _draw(ALL).flip.equal(_draw(Augmentation(flip=True)).flip)
    assert _draw(ALL).top.equal(_draw(Augmentation(crop_padding=4)).top)


def test_none_changes_nothing() -> None:
    images = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
    assert augment(images, Augmentation(), _draw(Augmentation(), 5)) is images


@pytest.mark.parametrize("rotation", [0.0, 15.0, 180.0])
@pytest.mark.parametrize(("padding", "flip"), [(0, False), (0, True), (1, False), (4, True)])
def test_bytes_are_changed_as_numbers_of_another_type_are(padding, flip, rotation) -> None:
    augmentation = Augmentation(crop_padding=padding, flip=flip, rotation=rotation)
    drawn = torch.Generator().manual_seed(0)
    images = torch.randint(256, (90, 3, 9, 14), dtype=torch.uint8, generator=drawn)
    before, draws = images.clone(), _draw(augmentation, 90)
    result = augment(images, augmentation, draws)
    assert torch.equal(result.int(), augment(images.int(), augmentation, draws))
    assert torch.equal(images, before)

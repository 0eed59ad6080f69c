from __future__ import annotations

import dataclasses

import pytest
import torch
from torchvision.transforms.v2 import functional

from tfkd.data import Augmentation, DataSettings, ImageData, load_data, make_loader
from tfkd.data.batches.augment import draw

CROP = Augmentation(crop_padding=2, flip=True, rotation=15.0)


def _augmented(augmentation: Augmentation = CROP, **settings: int) -> ImageData:
    data = load_data(DataSettings("digits", **settings))  # type: ignore[arg-type]
    return dataclasses.replace(data, augmentation=augmentation)


def test_training_images_are_those_of_torchvision() -> None:
    data = _augmented(train_size=200)
    pixels = data.train.official.pixels  # type: ignore[attr-defined]
    for batch in make_loader(data, data.train, batch_size=64, train=True, seed=3).batches(5):
        draws = draw(CROP, batch.indices, seed=3, view=5, official_size=1201)
        for n, index in enumerate(batch.indices.tolist()):
            image = functional.pad(pixels[index], [2] * 4)
            image = functional.crop(image, int(draws.top[n]), int(draws.left[n]), 8, 8)
            image = functional.horizontal_flip(image) if draws.flip[n] else image
            image = functional.rotate(image, float(draws.angle[n]))
            expected = (image / 255 - data.mean[0]) / data.std[0]
            torch.testing.assert_close(batch.images[n], expected, rtol=1e-5, atol=1e-5)


def test_evaluation_is_not_augmented() -> None:
    data = _augmented()
    plain = _augmented(Augmentation())
    one, two = (
        next(make_loader(d, d.test, batch_size=600, train=False).batches(0)).images
        for d in (data, plain)
    )
    assert one.equal(two)


def test_augmentation_does_not_depend_on_train_size_or_split() -> None:
    small, large = _augmented(train_size=100), _augmented()
    images = [
        {
            int(index): image
            for batch in make_loader(data, data.train, batch_size=50, train=True).batches(1)
            for index, image in zip(batch.indices, batch.images, strict=True)
        }
        for data in (small, large)
    ]
    assert len(images[0]) == 100
    assert all(image.equal(images[1][index]) for index, image in images[0].items())


def test_augmentation_changes_from_epoch_to_epoch() -> None:
    data = _augmented()
    loader = make_loader(data, data.train, batch_size=1081, train=True)
    one, two = (
        batch.images[batch.indices.argsort()] for e in range(2) for batch in loader.batches(e)
    )
    assert (one != two).flatten(1).any(1).double().mean() > 0.9


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_gives_the_same_images() -> None:
    data = _augmented()
    batches = [
        next(make_loader(data, data.train, batch_size=1081, train=True, device=device).batches(0))
        for device in ("cpu", "cuda")
    ]
    assert batches[1].images.device.type == "cuda"
    assert batches[0].indices.equal(batches[1].indices.cpu())
    torch.testing.assert_close(batches[0].images, batches[1].images.cpu(), rtol=0, atol=1e-6)

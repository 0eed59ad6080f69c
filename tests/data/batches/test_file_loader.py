from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from tfkd.data import DataSettings, ImageData, load_data, make_loader
from tfkd.data.randomness import sample_seed


@pytest.fixture
def data(image_folder: Path) -> ImageData:
    settings = DataSettings("folder", image_size=14, validation_fraction=0.0)
    return load_data(settings, root=str(image_folder))


def _unit(data: ImageData, images: torch.Tensor) -> torch.Tensor:
    mean, std = torch.tensor(data.mean).view(-1, 1, 1), torch.tensor(data.std).view(-1, 1, 1)
    return (images * std + mean) * 255


def _open(data: ImageData, index: int) -> Image.Image:
    files = data.train.official
    return Image.open(files.root / files.paths[index]).convert("RGB")  # type: ignore[attr-defined]


def test_training_images_are_those_of_torchvision(data: ImageData) -> None:
    transform = v2.Compose([v2.RandomResizedCrop(14), v2.RandomHorizontalFlip(), v2.PILToTensor()])
    (batch,) = make_loader(data, data.train, batch_size=20, train=True, seed=2).batches(7)
    for index, image in zip(batch.indices.tolist(), _unit(data, batch.images), strict=True):
        with torch.random.fork_rng():
            torch.manual_seed(sample_seed(2, 7, index))
            expected = transform(_open(data, index))
        torch.testing.assert_close(image, expected.float(), rtol=0, atol=1e-2)


def test_evaluation_resizes_and_takes_the_centre(data: ImageData) -> None:
    (batch,) = make_loader(data, data.train, batch_size=20, train=False).batches(0)
    transform = v2.Compose([v2.Resize(16), v2.CenterCrop(14), v2.PILToTensor()])
    for index, image in zip(batch.indices.tolist(), _unit(data, batch.images), strict=True):
        expected = transform(_open(data, index)).float()
        torch.testing.assert_close(image, expected, rtol=0, atol=1e-2)


def test_augmentation_none_is_the_evaluation_image(image_folder: Path) -> None:
    settings = DataSettings("folder", image_size=14, augmentation="none")
    data = load_data(settings, root=str(image_folder))
    images = [
        {int(i): x for b in loader.batches(0) for i, x in zip(b.indices, b.images, strict=True)}
        for loader in (
            make_loader(data, data.train, batch_size=6, train=train) for train in (True, False)
        )
    ]
    assert images[0].keys() == images[1].keys()
    assert all(images[0][index].equal(images[1][index]) for index in images[0])


def test_workers_change_nothing(data: ImageData) -> None:
    # One is enough to leave this process; each costs seconds to start.
    plain = make_loader(data, data.train, batch_size=6, train=True)
    helped = make_loader(data, data.train, batch_size=6, train=True, workers=1)
    next(helped.batches(0))  # left half-way, with images still under way
    for epoch, skip in ((0, 0), (1, 2)):
        pairs = zip(plain.batches(epoch, skip), helped.batches(epoch, skip), strict=True)
        for one, two in pairs:
            assert one.indices.equal(two.indices)
            assert one.images.equal(two.images)


def test_a_file_that_cannot_be_decoded_is_named(data: ImageData) -> None:
    files = data.train.official
    path: Path = files.root / files.paths[0]  # type: ignore[attr-defined]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=path.name):
        list(make_loader(data, data.train, batch_size=20, train=False).batches(0))

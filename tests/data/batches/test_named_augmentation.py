"""Augmentations by name, of image files and of images in memory: a function of the sample alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from tfkd.data import Augmentation, DataSettings, ImageBatch, ImageData, load_data, make_loader
from tfkd.data.randomness import derive_seed, sample_seed

SIZE = 16
NAMED = (
    "flip",
    "crop-flip",
    "resized-crop",
    "trivial-augment",
    "rand-augment",
    "random-erasing",
    "default+trivial-augment",
    "resized-crop+flip+rand-augment+random-erasing",
)


@pytest.fixture(params=["memory", "files"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def load(kind: str, request: pytest.FixtureRequest) -> Any:
    """Load 20 or 23 training images of either kind with an augmentation."""

    def load(augmentation: str, **said: Any) -> ImageData:
        settings: dict[str, Any] = {"augmentation": augmentation, "image_size": SIZE, **said}
        if kind == "memory":
            return load_data(DataSettings("digits", train_size=23, **settings))
        folder: Path = request.getfixturevalue("image_folder")
        settings = {"validation_fraction": 0.0, **settings}
        return load_data(DataSettings("folder", **settings), root=str(folder))

    return load


def _batches(data: ImageData, epoch: int = 0, **options: Any) -> list[ImageBatch]:
    settings = {"batch_size": 6, "train": True, "seed": 3, **options}
    return list(make_loader(data, data.train, **settings).batches(epoch))


def _by_index(batches: list[ImageBatch]) -> dict[int, torch.Tensor]:
    return {
        int(index): image
        for batch in batches
        for index, image in zip(batch.indices, batch.images, strict=True)
    }


def _same(one: dict[int, torch.Tensor], other: dict[int, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(one[i].equal(other[i]) for i in one)


@pytest.mark.parametrize("augmentation", NAMED)
def test_an_image_depends_on_seed_view_and_sample_alone(load: Any, augmentation: str) -> None:
    data = load(augmentation)
    images = _by_index(_batches(data, epoch=1))
    assert _same(images, _by_index(_batches(data, epoch=1, batch_size=20)))
    assert _same(images, _by_index(_batches(data, epoch=1, train=False, augment=True)))
    ranks = [b for rank in range(3) for b in _batches(data, epoch=1, rank=rank, world_size=3)]
    assert _same(images, _by_index(ranks))
    # Whatever was drawn before.
    torch.manual_seed(99)
    assert _same(images, _by_index(_batches(data, epoch=1)))
    assert not _same(images, _by_index(_batches(data, epoch=2)))
    assert not _same(images, _by_index(_batches(data, epoch=1, seed=4)))
    plain = _by_index(_batches(load("none"), epoch=1))
    assert not _same(images, plain)
    assert all(image.shape == plain[index].shape for index, image in images.items())


def test_workers_change_nothing_of_policies(image_folder: Path) -> None:
    settings = DataSettings("folder", image_size=SIZE, augmentation=NAMED[-1])
    data = load_data(settings, root=str(image_folder))
    assert _same(_by_index(_batches(data)), _by_index(_batches(data, workers=1)))


def test_views_take_turns(load: Any) -> None:
    turns = load("rand-augment+random-erasing", views=2)
    always = load("rand-augment+random-erasing")
    assert _same(_by_index(_batches(turns, epoch=3)), _by_index(_batches(always, epoch=1)))


def _unit(data: ImageData, image: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(getattr(data, name)).view(-1, 1, 1) for name in ("mean", "std"))
    return (image * std + mean) * 255


def _drawn(seed: int, transform: Any, image: Any) -> torch.Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        drawn: torch.Tensor = transform(image)
    return drawn


@pytest.mark.parametrize(
    ("augmentation", "steps"),
    [
        ("flip", lambda: [v2.Resize(18), v2.CenterCrop(16), v2.RandomHorizontalFlip()]),
        ("resized-crop", lambda: [v2.RandomResizedCrop(16)]),
        (
            "crop-flip",  # an eighth of 16 on each side of the centre
            lambda: [
                v2.Resize(18),
                v2.CenterCrop(20),
                v2.RandomCrop(16),
                v2.RandomHorizontalFlip(),
            ],
        ),
        (
            "trivial-augment",
            lambda: [
                v2.Resize(18),
                v2.CenterCrop(16),
                v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR),
            ],
        ),
        (
            "rand-augment+flip+resized-crop",
            lambda: [
                v2.RandomResizedCrop(16),
                v2.RandomHorizontalFlip(),
                v2.RandAugment(interpolation=v2.InterpolationMode.BILINEAR),
            ],
        ),
    ],
)
def test_images_of_files_are_those_of_torchvision(
    image_folder: Path, augmentation: str, steps: Any
) -> None:
    settings = DataSettings("folder", image_size=SIZE, augmentation=augmentation)
    data = load_data(settings, root=str(image_folder))
    transform, files = v2.Compose([*steps(), v2.PILToTensor()]), data.train.official
    for index, image in _by_index(_batches(data, epoch=5)).items():
        opened = Image.open(files.root / files.paths[index])  # type: ignore[attr-defined]
        expected = _drawn(sample_seed(3, 5, index), transform, opened)
        torch.testing.assert_close(_unit(data, image), expected.float(), rtol=0, atol=1e-2)


def test_files_of_ones_own_data_are_rotated_too(image_folder: Path) -> None:
    data = load_data(DataSettings("folder", image_size=SIZE), root=str(image_folder))
    data = dataclasses.replace(data, augmentation=Augmentation(flip=True, rotation=15.0))
    steps = [v2.Resize(18), v2.CenterCrop(16), v2.RandomHorizontalFlip(), v2.RandomRotation(15)]
    transform, files = v2.Compose([*steps, v2.PILToTensor()]), data.train.official
    for index, image in _by_index(_batches(data)).items():
        opened = Image.open(files.root / files.paths[index])  # type: ignore[attr-defined]
        expected = _drawn(sample_seed(3, 0, index), transform, opened)
        torch.testing.assert_close(_unit(data, image), expected.float(), rtol=0, atol=1e-2)


@pytest.mark.parametrize("name", ["trivial-augment", "rand-augment"])
def test_policies_of_images_in_memory_are_those_of_torchvision(name: str) -> None:
    kinds = {"trivial-augment": v2.TrivialAugmentWide, "rand-augment": v2.RandAugment}
    settings = DataSettings("digits", train_size=300, augmentation=name)
    data = load_data(settings)
    transform = kinds[name](interpolation=v2.InterpolationMode.BILINEAR)
    pixels, changed = data.train.official.pixels, 0  # type: ignore[attr-defined]
    for index, image in _by_index(_batches(data, epoch=5, batch_size=300)).items():
        expected = _drawn(sample_seed(3, 5, index), transform, pixels[index].clone())
        torch.testing.assert_close(_unit(data, image), expected.float(), rtol=0, atol=1e-3)
        changed += not expected.equal(pixels[index])
    assert changed > 100


def test_crop_flip_of_images_in_memory_is_that_of_cifar() -> None:
    data = load_data(DataSettings("digits", train_size=50, image_size=32, augmentation="crop-flip"))
    assert data.augmentation.words == "random crop within 4 pixels, flip"
    cifars = dataclasses.replace(data, augmentation=Augmentation(crop_padding=4, flip=True))
    assert _same(_by_index(_batches(data)), _by_index(_batches(cifars)))


def test_erasing_sets_a_rectangle_to_the_mean_and_nothing_else(load: Any) -> None:
    plain = _by_index(_batches(load("none"), epoch=2))
    data = load("random-erasing")
    erased = 0
    for index, image in _by_index(_batches(data, epoch=2)).items():
        seed = derive_seed(3, 2, index, 0, 5)
        expected = _drawn(seed, v2.RandomErasing(), plain[index])
        assert image.equal(expected)
        differing = (image != plain[index]).any(0)
        if not differing.any():
            continue
        erased += 1
        rows, columns = (differing.any(1 - axis).nonzero().flatten() for axis in (0, 1))
        box = image[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert not box.any()
    assert 4 <= erased <= 16


def test_the_policy_leaves_the_draws_of_crop_and_flip_alone(load: Any) -> None:
    # Where the policy happens to do nothing, the image is that without it.
    without = _by_index(_batches(load("resized-crop+flip")))
    images = _by_index(_batches(load("resized-crop+flip+trivial-augment")))
    same = sum(image.equal(without[index]) for index, image in images.items())
    assert 0 < same < len(images)


def test_the_order_of_words_is_that_of_doing(load: Any) -> None:
    data = load("random-erasing+rand-augment+flip+resized-crop")
    assert data.augmentation.words == "random resized crop, flip, RandAugment, random erasing"
    assert load("none").augmentation.words == "none"


def test_what_default_stands_for_stays(image_folder: Path) -> None:
    data = load_data(DataSettings("folder", image_size=SIZE), root=str(image_folder))
    named = DataSettings("folder", image_size=SIZE, augmentation="resized-crop+flip")
    assert data.augmentation == load_data(named, root=str(image_folder)).augmentation
    assert data.augmentation.words == "random resized crop, flip"


def test_balanced_repeats_are_other_images_each_time(load: Any) -> None:
    for augmentation in ("crop-flip", "resized-crop", "trivial-augment+random-erasing"):
        data = load(augmentation, sampler="balanced")
        batches = _batches(data, epoch=4)
        indices = torch.cat([batch.indices for batch in batches]).tolist()
        images = torch.cat([batch.images for batch in batches])
        first = _by_index(_batches(load(augmentation), epoch=4))
        seen: dict[int, list[torch.Tensor]] = {}
        for index, image in zip(indices, images, strict=True):
            seen.setdefault(index, []).append(image)
        for index, shown in seen.items():
            assert shown[0].equal(first[index])  # the first time as where each comes once
        repeats = sum(len(shown) - 1 for shown in seen.values())
        assert repeats > 0
        alike = sum(image.equal(shown[0]) for shown in seen.values() for image in shown[1:])
        assert alike < repeats
        # The same for three processes, and for other batches.
        ranks = [_batches(data, epoch=4, rank=rank, world_size=3) for rank in range(3)]
        together = torch.cat([part[n].images for n in range(len(batches)) for part in ranks])
        assert together.equal(images)
        assert torch.cat([b.images for b in _batches(data, epoch=4, batch_size=20)]).equal(images)


def test_everything_at_once_works_on_one_channel() -> None:
    data = load_data(DataSettings("digits", train_size=50, augmentation=NAMED[-1]))
    batches = _batches(data, batch_size=50)
    assert batches[0].images.shape == (50, 1, 8, 8)
    assert np.isfinite(batches[0].images.numpy()).all()

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tfkd.data import Augmentation, DataSettings, ImageBatch, ImageData, load_data, make_loader


@pytest.fixture(params=["memory", "files"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> ImageData:
    """23 training images, either kind."""
    if request.param == "memory":
        return load_data(DataSettings("digits", train_size=23))
    folder: Path = request.getfixturevalue("image_folder")
    write: Callable[..., Path] = request.getfixturevalue("write_image")
    for number in range(4):
        write(folder / "dog" / f"more{number}.png", (number, 0, 0))
    settings = DataSettings("folder", validation_fraction=0.0, image_size=8)
    loaded = load_data(settings, root=str(folder))
    assert len(loaded.train) == 23
    return loaded


def _batches(data: ImageData, epoch: int = 0, skip: int = 0, **options: Any) -> list[ImageBatch]:
    settings = {"batch_size": 6, "train": True, **options}
    return list(make_loader(data, data.train, **settings).batches(epoch, skip))


def _by_index(batches: list[ImageBatch]) -> dict[int, torch.Tensor]:
    return {
        int(index): image
        for batch in batches
        for index, image in zip(batch.indices, batch.images, strict=True)
    }


def test_every_sample_comes_once_with_its_label(data: ImageData) -> None:
    batches = _batches(data)
    assert [len(batch.images) for batch in batches] == [6, 6, 6, 5]
    assert [batch.global_size for batch in batches] == [6, 6, 6, 5]
    indices = torch.cat([batch.indices for batch in batches])
    assert sorted(indices.tolist()) == sorted(data.train.indices.tolist())
    labels = torch.cat([batch.labels for batch in batches])
    assert labels.equal(data.train.official.labels[indices])
    assert batches[0].images.dtype == torch.float32
    assert batches[0].images.shape[1:] == (data.channels, 8, 8)


def test_evaluation_is_in_order(data: ImageData) -> None:
    batches = _batches(data, train=False)
    assert torch.cat([batch.indices for batch in batches]).equal(data.train.indices)


def test_order_follows_seed_and_epoch(data: ImageData) -> None:
    def order(epoch: int, seed: int) -> list[int]:
        return torch.cat([b.indices for b in _batches(data, epoch, seed=seed)]).tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(e, s)) for e in range(2) for s in range(2)}) == 4


@pytest.mark.parametrize("world_size", [2, 3, 7])
@pytest.mark.parametrize("train", [True, False])
def test_shares_of_the_ranks_make_up_the_global_batch(
    data: ImageData, world_size: int, train: bool
) -> None:
    whole = _batches(data, train=train)
    parts = [
        _batches(data, train=train, rank=rank, world_size=world_size) for rank in range(world_size)
    ]
    for number, batch in enumerate(whole):
        shares = [part[number] for part in parts]
        assert torch.cat([share.images for share in shares]).equal(batch.images)
        assert torch.cat([share.labels for share in shares]).equal(batch.labels)
        assert torch.cat([share.indices for share in shares]).equal(batch.indices)
        assert {share.global_size for share in shares} == {batch.global_size}
        sizes = [len(share.images) for share in shares]
        assert max(sizes) - min(sizes) <= 1
    assert all(len(part) == len(whole) for part in parts)


def test_skip_goes_on_where_an_epoch_was_left(data: ImageData) -> None:
    whole = _batches(data, epoch=2)
    rest = _batches(data, epoch=2, skip=3)
    assert len(rest) == 1
    assert rest[0].images.equal(whole[3].images)
    assert rest[0].indices.equal(whole[3].indices)
    assert _batches(data, epoch=2, skip=4) == []


def test_an_epoch_left_half_way_leaves_nothing_behind(data: ImageData) -> None:
    loader = make_loader(data, data.train, batch_size=6, train=True)
    next(loader.batches(0))
    got = torch.cat([batch.images for batch in loader.batches(1)])
    assert got.equal(torch.cat([batch.images for batch in _batches(data, 1)]))


def test_augmentation_does_not_depend_on_the_batch_size(data: ImageData) -> None:
    one, two = _by_index(_batches(data, batch_size=6)), _by_index(_batches(data, batch_size=23))
    assert one.keys() == two.keys()
    assert all(one[index].equal(two[index]) for index in one)


def test_a_last_batch_of_one_is_left_out_of_training_alone(data: ImageData) -> None:
    options: dict[str, Any] = {"batch_size": 11}
    assert [batch.global_size for batch in _batches(data, **options)] == [11, 11]
    assert len(make_loader(data, data.train, train=True, **options)) == 2
    assert [b.global_size for b in _batches(data, train=False, **options)] == [11, 11, 1]
    assert len(_batches(data, batch_size=1)) == 23


def test_channels_last_changes_the_layout_alone(data: ImageData) -> None:
    plain, last = _batches(data), _batches(data, channels_last=True)
    for one, two in zip(plain, last, strict=True):
        assert one.images.equal(two.images)
        assert one.images.is_contiguous()
        assert two.images.is_contiguous(memory_format=torch.channels_last)


def test_the_global_generator_is_left_alone(data: ImageData) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    _batches(data)
    assert torch.rand(3).equal(expected)


def test_normalisation_is_that_of_torchvision(data: ImageData) -> None:
    from torchvision.transforms.v2.functional import normalize

    data = load_data(DataSettings("digits", train_size=23)) if data.channels == 1 else data
    (batch,) = _batches(data, batch_size=23, train=False)
    unit = batch.images.double() * torch.tensor(data.std).view(-1, 1, 1)
    unit += torch.tensor(data.mean).view(-1, 1, 1)
    pixels = (unit * 255).round()
    assert float((unit * 255 - pixels).abs().max()) < 1e-3
    assert float(pixels.min()) >= 0
    assert float(pixels.max()) <= 255
    expected = normalize(pixels.float() / 255, list(data.mean), list(data.std))
    torch.testing.assert_close(batch.images, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` of at least 1"),
        ({"rank": 2, "world_size": 2}, "`rank` below the `world_size` of 2, got 2"),
        ({"seed": -1}, "`seed`"),
        ({"workers": -1}, "`workers`"),
        ({"workers": 99999}, "at most [0-9]+ `workers` .* got 99999"),
        ({"world_size": 0}, "`world_size`"),
    ],
)
def test_options_out_of_range(data: ImageData, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _batches(data, **options)


def test_negative_epochs_are_refused_at_once(data: ImageData) -> None:
    loader = make_loader(data, data.train, batch_size=6, train=True)
    with pytest.raises(ValueError, match="`epoch`"):
        loader.batches(-1)


def test_training_on_nothing_is_refused() -> None:
    data = load_data(DataSettings("digits", validation_fraction=0.0))
    with pytest.raises(ValueError, match="at least 2 training samples, got 0"):
        make_loader(data, data.validation, batch_size=8, train=True)
    assert list(make_loader(data, data.validation, batch_size=8, train=False).batches(0)) == []


def _augmented(data: ImageData, views: int | None) -> ImageData:
    kind = {"crop_padding": 1} if data.channels == 1 else {"resized_crop": True}
    augmentation = Augmentation(flip=True, **kind)  # type: ignore[arg-type]
    return dataclasses.replace(data, augmentation=augmentation, views=views)


def test_views_take_turns_while_the_order_goes_on(data: ImageData) -> None:
    whole = [_batches(_augmented(data, None), epoch) for epoch in range(5)]
    turns = [_batches(_augmented(data, 2), epoch) for epoch in range(5)]
    assert [[batch.view for batch in batches] for batches in whole] == [[e] * 4 for e in range(5)]
    assert [batches[0].view for batches in turns] == [0, 1, 0, 1, 0]
    for epoch in range(5):
        for one, two in zip(turns[epoch], whole[epoch], strict=True):
            assert one.indices.equal(two.indices)
        expected = _by_index(whole[epoch % 2])
        got = _by_index(turns[epoch])
        assert all(got[index].equal(expected[index]) for index in expected)
    one, two = _by_index(turns[0]), _by_index(turns[1])
    assert not all(one[index].equal(two[index]) for index in one)


def test_a_pass_in_order_shows_what_training_shows(data: ImageData) -> None:
    data = _augmented(data, None)
    trained = _by_index(_batches(data, epoch=3))
    # A last batch of one is not left out.
    passed = _batches(data, epoch=3, train=False, augment=True, batch_size=11)
    assert torch.cat([batch.indices for batch in passed]).equal(data.train.indices)
    assert {batch.view for batch in passed} == {3}
    got = _by_index(passed)
    assert all(got[index].equal(trained[index]) for index in trained)


def test_without_augmentation_there_is_one_view(data: ImageData) -> None:
    unchanged = dataclasses.replace(data, augmentation=Augmentation(), views=3)
    for batches in (
        _batches(unchanged, epoch=2),
        _batches(_augmented(data, 3), epoch=2, train=False),
        _batches(_augmented(data, None), epoch=2, augment=False),
    ):
        assert {batch.view for batch in batches} == {0}

"""What is shown beside the images of a batch: which, in which view, and in lock step with them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tfkd.data import (
    Augmentation,
    DataSettings,
    ImageBatch,
    ImageData,
    Split,
    load_data,
    make_loader,
)
from tfkd.data.batches.sampler import same_class_order

CLASS, LAST = "of the class", "the last batch"


@pytest.fixture(params=["memory", "files"])
def data(request: pytest.FixtureRequest) -> ImageData:
    """23 or 25 training images that are augmented, either kind."""
    if request.param == "memory":
        loaded = load_data(DataSettings("digits", train_size=23))
        return dataclasses.replace(loaded, augmentation=Augmentation(crop_padding=2, rotation=20.0))
    folder: Path = request.getfixturevalue("image_folder")
    settings = DataSettings("folder", validation_fraction=0.0, image_size=8)
    return load_data(settings, root=str(folder))


def _batches(data: ImageData, epoch: int = 0, skip: int = 0, **options: Any) -> list[ImageBatch]:
    settings = {"batch_size": 6, "train": True, "seed": 3, **options}
    return list(make_loader(data, data.train, **settings).batches(epoch, skip))


def _beside(batches: list[ImageBatch]) -> list[ImageBatch]:
    return [batch.partners for batch in batches if batch.partners is not None]


def _same(one: list[ImageBatch], other: list[ImageBatch]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a.images.equal(b.images) and a.indices.equal(b.indices) for a, b in pairs)


@pytest.mark.parametrize("partners", [CLASS, LAST])
def test_what_is_beside_a_batch_leaves_it_as_it_is(data: ImageData, partners: str) -> None:
    for epoch in range(2):
        assert _same(_batches(data, epoch, partners=partners), _batches(data, epoch))
    assert all(batch.partners is None for batch in _batches(data))


@pytest.mark.parametrize("partners", [CLASS, LAST])
def test_it_goes_on_where_an_epoch_was_left(data: ImageData, partners: str) -> None:
    for epoch in range(2):
        whole, rest = (_batches(data, epoch, skip, partners=partners) for skip in (0, 2))
        assert _same(_beside(whole[2:]), _beside(rest))
        assert len(_beside(rest)) == len(whole) - 2


@pytest.mark.parametrize("partners", [CLASS, LAST])
def test_any_number_of_processes_shows_the_same(data: ImageData, partners: str) -> None:
    parts = [_beside(_batches(data, 1, partners=partners, rank=r, world_size=3)) for r in range(3)]
    for number, whole in enumerate(_beside(_batches(data, 1, partners=partners))):
        shares = [part[number] for part in parts]
        assert torch.cat([share.images for share in shares]).equal(whole.images)
        assert torch.cat([share.labels for share in shares]).equal(whole.labels)
        assert {share.global_size for share in shares} == {whole.global_size}


def test_partners_are_of_the_class_and_of_the_split(data: ImageData) -> None:
    drawn = set()
    for epoch in range(3):
        for batch in _batches(data, epoch, partners=CLASS):
            assert batch.partners is not None
            assert batch.partners.labels.equal(batch.labels)
            labels = data.train.official.labels[batch.partners.indices]
            assert labels.equal(batch.labels)
            drawn |= set(batch.partners.indices.tolist())
    assert drawn <= set(data.train.indices.tolist())


def test_partners_depend_on_seed_and_epoch_alone(data: ImageData) -> None:
    def drawn(epoch: int, **options: Any) -> tuple[int, ...]:
        batches = _beside(_batches(data, epoch, partners=CLASS, **options))
        return tuple(torch.cat([batch.indices for batch in batches]).tolist())

    # 23 and 25 divide by 5 with a last batch of more than one, and so does no batch but the whole.
    assert drawn(0) == drawn(0) == drawn(0, batch_size=25)
    assert len({drawn(epoch, seed=seed) for epoch in range(2) for seed in range(2)}) == 4


def test_every_sample_of_a_class_is_as_likely_a_partner() -> None:
    labels = np.array([0, 1, 0, 2, 1, 0])
    order = np.array([5, 1, 3, 0, 2, 4])
    epochs = [same_class_order(order, labels, seed=1, epoch=epoch) for epoch in range(600)]
    drawn = np.stack(epochs)
    assert (labels[drawn] == labels[order]).all()
    for place, position in enumerate(order):
        members = np.flatnonzero(labels == labels[position])
        counts = Counter(drawn[:, place].tolist())
        assert set(counts) == set(members.tolist())  # itself among them
        share, n = 1 / len(members), len(epochs)
        spread = 5 * (n * share * (1 - share)) ** 0.5
        assert all(abs(count - n * share) <= spread for count in counts.values())


def test_an_image_that_is_its_own_partner_is_seen_in_another_view(data: ImageData) -> None:
    alone = Split(data.train.official, data.train.indices[:1])
    for epoch in range(3):
        (batch,) = make_loader(
            data, alone, batch_size=1, train=True, partners="of the class"
        ).batches(epoch)
        assert batch.partners is not None
        assert batch.partners.indices.equal(batch.indices)
        assert not batch.partners.images.equal(batch.images)


def test_the_last_batch_is_the_one_before_in_another_view(data: ImageData) -> None:
    loader = make_loader(
        data, data.train, batch_size=6, train=True, seed=3, partners="the last batch"
    )
    before = None
    for epoch in range(3):
        for batch in loader.batches(epoch):
            last = batch.partners
            if before is None:
                assert last is None
            else:
                assert last is not None
                assert last.indices.equal(before.indices)
                assert last.labels.equal(before.labels)
                assert last.global_size == before.global_size
                assert not last.images.equal(before.images)
            before = batch


def test_a_batch_larger_than_the_data_is_shown_once_more_in_the_next_epoch(
    data: ImageData,
) -> None:
    options: dict[str, Any] = {"batch_size": 100, "partners": LAST}
    (first,), (second,) = _batches(data, 0, **options), _batches(data, 1, **options)
    assert first.partners is None
    assert second.partners is not None
    assert second.partners.indices.equal(first.indices)


def test_a_last_batch_of_one_that_is_left_out_is_not_shown_once_more() -> None:
    data = load_data(DataSettings("digits", train_size=25))
    first, second = (_batches(data, epoch, partners=LAST) for epoch in range(2))
    assert [len(batch.labels) for batch in first] == [6, 6, 6, 6]
    assert second[0].partners is not None
    assert second[0].partners.indices.equal(first[-1].indices)


@pytest.mark.parametrize("partners", [CLASS, LAST])
def test_the_balanced_sampler_has_partners_too(partners: str) -> None:
    data = load_data(DataSettings("digits", train_size=40, sampler="balanced"))
    batches = [batch for epoch in range(2) for batch in _batches(data, epoch, partners=partners)]
    plain = [batch for epoch in range(2) for batch in _batches(data, epoch)]
    assert _same(batches, plain)
    for number, batch in enumerate(batches):
        if partners == CLASS:
            assert batch.partners is not None
            assert batch.partners.labels.equal(batch.labels)
        elif number > 0:
            assert batch.partners is not None
            assert batch.partners.indices.equal(batches[number - 1].indices)


@pytest.mark.long
def test_processes_that_decode_change_nothing(image_folder: Path) -> None:
    settings = DataSettings("folder", validation_fraction=0.0, image_size=8)
    data = load_data(settings, root=str(image_folder))
    plain = _batches(data, 1, partners=LAST)
    helped = _batches(data, 1, partners=LAST, workers=2)
    assert _same(plain, helped)
    assert _same(_beside(plain), _beside(helped))


def test_images_in_memory_are_held_once() -> None:
    data = load_data(DataSettings("digits", train_size=23))
    loader: Any = make_loader(data, data.train, batch_size=6, train=True, partners="of the class")
    assert loader._first._pixels is loader._second._pixels


def test_partners_of_what_is_measured_are_refused(data: ImageData) -> None:
    with pytest.raises(ValueError, match="no `partners` without `train`, got of the class"):
        make_loader(data, data.train, batch_size=6, train=False, partners="of the class")
    with pytest.raises(ValueError, match="`partners` to be one of none, of the class"):
        make_loader(data, data.train, batch_size=6, train=True, partners="x")  # type: ignore[arg-type]

"""The balanced sampler, counted by loops."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from tfkd.data import DataSettings, load_data, make_loader
from tfkd.data.batches.sampler import balanced_order, occurrences


def test_every_class_and_every_sample_of_a_class_is_drawn_equally_often(
    chance: random.Random,
) -> None:
    for _ in range(40):
        counts = [chance.choice((0, 1, 2, 5, 30)) for _ in range(chance.randint(1, 6))] + [1]
        labels = [label for label, count in enumerate(counts) for _ in range(count)]
        chance.shuffle(labels)
        seed, epoch = chance.randrange(1 << 40), chance.randrange(50)
        order = balanced_order(np.array(labels), seed=seed, epoch=epoch).tolist()
        assert len(order) == len(labels)
        drawn = Counter(labels[position] for position in order)
        assert set(drawn) == set(labels)
        assert max(drawn.values()) - min(drawn.values()) <= 1
        often = Counter(order)
        for label in drawn:
            of_class = [often[i] for i, other in enumerate(labels) if other == label]
            assert max(of_class) - min(of_class) <= 1
        assert balanced_order(np.array(labels), seed=seed, epoch=epoch).tolist() == order


def test_order_and_favoured_classes_follow_seed_and_epoch() -> None:
    labels = np.array([0] * 50 + [1] * 10 + [2] * 5)
    orders = {
        tuple(balanced_order(labels, seed=seed, epoch=epoch).tolist())
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9
    # Of 65 draws two classes have 22: over the epochs, each of them.
    most = [Counter(labels[list(order)].tolist()).most_common() for order in sorted(orders)]
    assert {label for counts in most for label, count in counts if count == 22} == {0, 1, 2}


def test_large_classes_show_others_of_their_samples_each_epoch() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    shown = {i for epoch in range(8) for i in balanced_order(labels, seed=0, epoch=epoch).tolist()}
    assert shown == set(range(100))


def test_equally_large_classes_are_shown_once() -> None:
    labels = np.tile(np.arange(4), 6)
    assert sorted(balanced_order(labels, seed=1, epoch=2).tolist()) == list(range(24))


def test_occurrences_are_counted(chance: random.Random) -> None:
    for _ in range(30):
        order = [chance.randrange(6) for _ in range(chance.randrange(25))]
        expected = [order[:place].count(position) for place, position in enumerate(order)]
        assert occurrences(np.array(order, dtype=np.int64)).tolist() == expected


def test_training_is_balanced_and_measuring_is_not() -> None:
    data = load_data(DataSettings("digits", sampler="balanced"))
    counts = Counter(data.train.labels.tolist())
    assert max(counts.values()) > min(counts.values()) + 1
    train = make_loader(data, data.train, batch_size=100, train=True)
    for epoch in range(2):
        batches = list(train.batches(epoch))
        drawn = Counter(label for batch in batches for label in batch.labels.tolist())
        assert sum(drawn.values()) == len(data.train)
        assert max(drawn.values()) - min(drawn.values()) == 1
        skipped = list(train.batches(epoch, skip=3))
        assert all(a.indices.equal(b.indices) for a, b in zip(batches[3:], skipped, strict=True))
    plain = make_loader(data, data.train, batch_size=100, train=False)
    measured = [index for batch in plain.batches(0) for index in batch.indices.tolist()]
    assert measured == data.train.indices.tolist()


@pytest.mark.parametrize("world_size", [2, 5])
def test_any_number_of_processes_draws_the_same(world_size: int) -> None:
    data = load_data(DataSettings("digits", train_size=90, sampler="balanced"))

    def indices(**options: int) -> list[list[int]]:
        loader = make_loader(data, data.train, batch_size=20, train=True, seed=7, **options)
        return [batch.indices.tolist() for batch in loader.batches(1)]

    parts = [indices(rank=rank, world_size=world_size) for rank in range(world_size)]
    together = [[i for part in parts for i in part[n]] for n in range(len(parts[0]))]
    assert together == indices()

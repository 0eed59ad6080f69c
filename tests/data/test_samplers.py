"""Samplers of partners for torch's own loader."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from tfkd.data import OverlappingSampler, PairSampler

LABELS = [0, 1, 1, 0, 2, 1, 0, 0, 1, 2, 1]


def test_a_pair_sampler_draws_partners_of_the_class(chance: random.Random) -> None:
    for _ in range(30):
        labels = [chance.randrange(4) for _ in range(chance.randint(2, 30))]
        size = chance.randint(2, 12)
        shown = list(PairSampler(labels, size, seed=chance.randrange(1 << 60)))
        new = [batch[: len(batch) // 2] for batch in shown]
        for batch in shown:
            n = len(batch) // 2
            assert [labels[i] for i in batch[:n]] == [labels[i] for i in batch[n:]]
        once = Counter(index for batch in new for index in batch)
        left_out = len(labels) % size == 1
        assert len(once) == len(labels) - left_out
        assert set(once.values()) == {1}
        assert [len(batch) for batch in new[:-1]] == [size] * (len(new) - 1)


def test_every_sample_of_the_class_is_drawn_and_itself_too() -> None:
    sampler = PairSampler(torch.tensor(LABELS), 11)
    pairs = Counter()
    for _ in range(400):
        (batch,) = sampler
        pairs.update(zip(batch[:11], batch[11:], strict=True))
    members = {k: [i for i, label in enumerate(LABELS) if label == k] for k in set(LABELS)}
    assert set(pairs) == {
        (i, j) for of_class in members.values() for i in of_class for j in of_class
    }
    for (i, _), count in pairs.items():
        share = 1 / len(members[LABELS[i]])
        assert abs(count - 400 * share) <= 5 * (400 * share * (1 - share)) ** 0.5


def test_an_overlapping_sampler_shows_every_batch_twice() -> None:
    sampler, last = OverlappingSampler(10, 4, seed=5), []
    for _ in range(3):
        seen = []
        for batch in sampler:
            assert batch[: len(last)] == last
            last = batch[len(last) :]
            seen += last
        assert sorted(seen) == list(range(10))
    assert len(sampler) == 3


@pytest.mark.parametrize(
    "make", [lambda **o: PairSampler(LABELS, 4, **o), lambda **o: OverlappingSampler(11, 4, **o)]
)
def test_an_epoch_is_a_function_of_seed_and_number(make) -> None:
    sampler = make(seed=1)
    epochs = [list(sampler) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    resumed = make(seed=1)
    resumed.set_epoch(1)
    assert [list(resumed), list(resumed)] == epochs[1:]
    resumed.set_epoch(1, skip=2)
    assert [list(resumed), list(resumed)] == [epochs[1][2:], epochs[2]]
    assert list(make(seed=2)) != epochs[0]


@pytest.mark.parametrize(
    "make", [lambda **o: PairSampler(LABELS, 4, **o), lambda **o: OverlappingSampler(11, 4, **o)]
)
@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_each_part_of_a_batch(make, world_size: int) -> None:
    whole, parts = make(), [make(rank=rank, world_size=world_size) for rank in range(world_size)]
    for _ in range(2):
        shown = [list(part) for part in parts]
        for number, batch in enumerate(whole):
            shares = [own[number] for own in shown]
            assert sorted(i for share in shares for i in share) == sorted(batch)
            assert max(map(len, shares)) - min(map(len, shares)) <= 2


def test_they_serve_torchs_loader() -> None:
    data = TensorDataset(torch.arange(11), torch.tensor(LABELS))
    loader = DataLoader(data, batch_sampler=PairSampler(LABELS, 4))
    assert len(loader) == 3
    for indices, labels in loader:
        assert labels.chunk(2)[0].equal(labels.chunk(2)[1])
        assert len(indices) in (6, 8)


def test_what_they_are_given_is_checked() -> None:
    with pytest.raises(TypeError, match="`labels` of whole numbers"):
        PairSampler(torch.rand(4), 2)
    with pytest.raises(TypeError, match=r"`labels` of whole numbers, \(n,\), got \['a', 'b'\]"):
        PairSampler(["a", "b"], 2)
    with pytest.raises(TypeError, match="`samples` to be an int, got float"):
        OverlappingSampler(4.0, 2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`batch_size` of at least 3, got 2"):
        OverlappingSampler(10, 2, world_size=3)
    with pytest.raises(ValueError, match="`drop_last`, since the last batch has 2 samples for 3"):
        OverlappingSampler(10, 4, world_size=3)
    assert [len(batch) for batch in OverlappingSampler(10, 4, drop_last=True)] == [4, 8]
    with pytest.raises(ValueError, match="`rank` below the `world_size` of 2, got 2"):
        OverlappingSampler(10, 4, rank=2, world_size=2)
    with pytest.raises(ValueError, match="samples for a batch of 4, got 1"):
        PairSampler([0], 4)
    with pytest.raises(ValueError, match="`epoch` of at least 0, got -1"):
        OverlappingSampler(10, 4).set_epoch(-1)

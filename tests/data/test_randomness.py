from __future__ import annotations

from tfkd.data.randomness import permutation, sample_seed, uniforms


def test_streams_differ_by_each_part_of_the_key() -> None:
    keys = [(0, 0, 1), (1, 0, 1), (0, 1, 1), (0, 0, 2)]
    assert len({float(uniforms((1,), *key)[0]) for key in keys}) == 4


def test_permutation_is_one() -> None:
    assert sorted(permutation(1000, 3, 4).tolist()) == list(range(1000))
    assert permutation(1000, 3, 4).tolist() != permutation(1000, 3, 5).tolist()


def test_sample_seeds_do_not_collide() -> None:
    seeds = {sample_seed(s, e, i) for s in range(3) for e in range(11) for i in range(112)}
    assert len(seeds) == 3 * 11 * 112
    assert max(seeds) < 2**64

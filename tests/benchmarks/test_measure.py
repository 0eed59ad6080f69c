import resource
import statistics

import pytest
import torch

import measure
from measure import (
    can_give_memory_back,
    compare,
    give_memory_back,
    peak_bytes,
    spread,
    summarise,
    time_interleaved,
)


def test_spread_is_the_median_and_the_quartiles():
    values = [3.0, 1.0, 2.0, 5.0, 4.0]
    assert spread(values) == (3.0, 2.0, 4.0)
    assert spread([7.0]) == (7.0, 7.0, 7.0)


def test_ratios_are_taken_within_a_repeat():
    # The machine slows down to a half: the ratio stays 2, that of the medians would not.
    times = {"a": [1.0, 2.0, 2.0], "b": [2.0, 2.0, 4.0]}
    ours = summarise(times, baseline="a", floor="b", peaks={"a": 4, "b": 6}, work=10.0, unit="x")
    b = ours[1]
    assert b.ratio.median == statistics.median([2.0, 1.0, 2.0])
    assert (b.ratio.low, b.ratio.high) == (1.5, 2.0)
    assert (b.seconds, b.repeats, b.rate) == (2.0, 3, 5.0)
    assert (b.peak_bytes, b.peak_ratio, b.over_floor) == (6, 1.5, 1.0)
    assert ours[0].ratio == (1.0, 1.0, 1.0)
    assert ours[0].over_floor == 0.5


def test_every_repeat_times_every_contender_in_rotating_order():
    called = []
    contenders = {name: lambda name=name: called.append(name) for name in "abc"}
    measured = compare(contenders, baseline="a", repeats=3, seconds=0.0)
    assert "".join(called) == "abc" + "abc" + "bca" + "cab"  # the first three warm up
    assert [m.contender for m in measured] == list("abc")
    assert all(m.repeats == 3 for m in measured)


def test_baseline_and_floor_must_be_contenders():
    with pytest.raises(ValueError, match=r"Expected `floor` to be one of \['a'\], got 'b'"):
        compare({"a": list}, baseline="a", floor="b", repeats=1)


def test_peak_of_tensors_held_at_once():
    def call():
        first = torch.empty(1000, dtype=torch.float64)
        second = torch.empty(500, dtype=torch.float64)
        del first
        third = torch.empty(250, dtype=torch.float64)
        return second, third

    # Blocks are counted as asked for: 8000 and 4000 bytes at once, never the third.
    assert peak_bytes(call) == 12_000


def test_what_comes_before_a_call_is_not_timed_and_comes_before_each(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(measure.time, "perf_counter", lambda: float(next(clock)))
    called = []
    times = time_interleaved(
        {"a": lambda: called.append("a")},
        repeats=2,
        seconds=0.0,
        device=torch.device("cpu"),
        before=lambda: called.append("-") or [next(clock) for _ in range(50)],
    )
    assert "".join(called) == "a" + "-a" + "-a"  # the first warms up
    assert times == {"a": [1.0, 1.0]}


@pytest.mark.skipif(not can_give_memory_back(), reason="no glibc")
def test_memory_that_was_given_back_is_paged_in_anew():
    def pages_taken():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        kept = [bytearray(2000) for _ in range(4000)]  # 8 MB from the heap, written to
        del kept
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    pages_taken()
    give_memory_back()
    assert pages_taken() > 1000

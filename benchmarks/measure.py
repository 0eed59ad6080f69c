"""Callables timed beside each other: interleaved, repeated, compared as ratios with their spread.

Each repeat times every contender once, the order rotating, so that what the machine does meanwhile
(clock, neighbours) meets all of them. A ratio is taken within a repeat; reported are the median and
the quartiles of the repeats' ratios. Peak memory is that of one more call of the same callable.
"""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler reports each start and stop

import torch
from torch.profiler import ProfilerActivity, profile

Contenders = Mapping[str, Callable[[], object]]


class Spread(NamedTuple):
    """Median and quartiles."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Measurement:
    """What one contender showed beside its baseline.

    Args:
        contender: its name.
        baseline: the name of the contender it is compared with.
        ratio: its seconds over the baseline's, of each repeat.
        seconds: median of one call.
        repeats: how often it was timed.
        peak_bytes: most bytes of tensors that a call held at once; None: not measured.
        peak_ratio: the same over the baseline's; None where either is unknown or the baseline's 0.
        over_floor: median of its seconds over those of the contender that moves the fewest bytes
            possible; None where there is no such contender.
        work: units of work in one call; None: not counted.
        unit: what the work is counted in.
    """

    contender: str
    baseline: str
    ratio: Spread
    seconds: float
    repeats: int
    peak_bytes: int | None = None
    peak_ratio: float | None = None
    over_floor: float | None = None
    work: float | None = None
    unit: str = ""

    @property
    def rate(self) -> float | None:
        """Units of work a second."""
        return None if self.work is None else self.work / self.seconds


def spread(values: Sequence[float]) -> Spread:
    """Return the median and the quartiles; of a single value, three times that value."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def compare(
    contenders: Contenders,
    *,
    baseline: str,
    repeats: int,
    seconds: float = 0.1,
    device: torch.device | str = "cpu",
    memory: bool = False,
    fresh: bool = False,
    floor: str | None = None,
    work: float | Mapping[str, float] | None = None,
    unit: str = "",
) -> list[Measurement]:
    """Time the contenders beside each other.

    Args:
        contenders: callables without arguments, by name.
        baseline: the one that the others are compared with.
        repeats: how often each is timed.
        seconds: at least this long for one timing, which repeats a quick callable as often as that
            takes; 0: once.
        device: where they work; synchronised around every timing if it is a GPU.
        memory: whether to measure the peak of one call of each.
        fresh: whether each call finds no memory that the ones before it have left: see
            `give_memory_back`, which is called before each and not timed.
        floor: the contender that moves the fewest bytes possible.
        work: units of work in a call, of all or of each.
        unit: what the work is counted in.

    Raises:
        ValueError: if `baseline` or `floor` is none of the contenders.
    """
    for name, role in ((baseline, "baseline"), (floor, "floor")):
        if name is not None and name not in contenders:
            raise ValueError(f"Expected `{role}` to be one of {list(contenders)}, got {name!r}.")
    device = torch.device(device)
    before = give_memory_back if fresh else None
    times = time_interleaved(
        contenders, repeats=repeats, seconds=seconds, device=device, before=before
    )
    peaks = {name: peak_bytes(call, device) for name, call in contenders.items()} if memory else {}
    return summarise(times, baseline=baseline, floor=floor, peaks=peaks, work=work, unit=unit)


def summarise(
    times: Mapping[str, Sequence[float]],
    *,
    baseline: str,
    floor: str | None = None,
    peaks: Mapping[str, int] | None = None,
    work: float | Mapping[str, float] | None = None,
    unit: str = "",
) -> list[Measurement]:
    """Return one measurement for each contender, from the seconds of each repeat."""
    peaks = peaks or {}
    result = []
    for name, own in times.items():
        over_floor = None
        if floor is not None:
            over_floor = statistics.median(_ratios(own, times[floor]))
        peak_ratio = None
        if name in peaks and peaks.get(baseline):
            peak_ratio = peaks[name] / peaks[baseline]
        result.append(
            Measurement(
                contender=name,
                baseline=baseline,
                ratio=spread(_ratios(own, times[baseline])),
                seconds=statistics.median(own),
                repeats=len(own),
                peak_bytes=peaks.get(name),
                peak_ratio=peak_ratio,
                over_floor=over_floor,
                work=work.get(name) if isinstance(work, Mapping) else work,
                unit=unit,
            )
        )
    return result


def _ratios(own: Sequence[float], other: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(own, other, strict=True)]


def time_interleaved(
    contenders: Contenders,
    *,
    repeats: int,
    seconds: float,
    device: torch.device,
    before: Callable[[], object] | None = None,
) -> dict[str, list[float]]:
    """Return the seconds of one call of each contender, for each repeat.

    `before` is called before each call, and not timed.
    """
    counts = {name: _calls_in(call, seconds, device, before) for name, call in contenders.items()}
    names = list(contenders)
    times: dict[str, list[float]] = {name: [] for name in names}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for repeat in range(repeats):
            first = repeat % len(names)
            for name in names[first:] + names[:first]:
                times[name].append(_time(contenders[name], counts[name], device, before))
            gc.collect()
    finally:
        if collecting:
            gc.enable()
    return times


def _calls_in(
    call: Callable[[], object],
    seconds: float,
    device: torch.device,
    before: Callable[[], object] | None = None,
) -> int:
    """Warm up, and return how many calls take that long."""
    if seconds == 0.0:
        call()
        return 1
    for _ in range(3):  # the first may compile, the second may still allocate
        call()
    count = 1
    while (taken := _time(call, count, device, before)) * count < seconds / 2:
        count *= 2
    return max(1, round(seconds / taken))


def _time(
    call: Callable[[], object],
    count: int,
    device: torch.device,
    before: Callable[[], object] | None = None,
) -> float:
    """Seconds of one call, the mean of `count`; with `before`, each is timed by itself."""
    if before is None:
        synchronise(device)
        started = time.perf_counter()
        for _ in range(count):
            call()
        synchronise(device)
        return (time.perf_counter() - started) / count
    taken = 0.0
    for _ in range(count):
        before()
        taken += _time(call, 1, device)
    return taken / count


def can_give_memory_back() -> bool:
    """Return whether there is a way: the C library is glibc, and its allocator is in use."""
    return _trim() is not None and "jemalloc" not in os.environ.get("LD_PRELOAD", "")


def give_memory_back() -> None:
    """Give all memory that is free in this process back to the system.

    What is allocated next has to be paged in anew, page by page, as in a training step whose other
    layers have taken what the last loss left. Called warm, a loss finds its own memory of the
    last call, which is in the cache besides.

    Raises:
        RuntimeError: where there is no way to do so.
    """
    trim = _trim()
    if trim is None:
        raise RuntimeError("Expected glibc, whose malloc_trim gives free memory back.")
    trim(0)


def _trim() -> Callable[[int], int] | None:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return None
    return found


def synchronise(device: torch.device) -> None:
    """Wait for the device's work to be done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(call: Callable[[], object], device: torch.device | str = "cpu") -> int:
    """Return the most bytes of tensors that a call holds at once, beyond those held before it.

    On the CPU it is the running maximum over the profiler's memory events, on a GPU that of
    torch's allocator. What libraries allocate past torch is not in it. The call must not free what
    was held before it, a gradient of the last call for instance, or its peak seems smaller.
    """
    device = torch.device(device)
    call()
    if device.type == "cuda":
        synchronise(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        synchronise(device)
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        call()
    events = profiler.profiler.kineto_results.events()  # type: ignore[union-attr]
    changes = [(event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"]
    held = peak = 0
    for _, change in sorted(changes, key=lambda item: item[0]):  # stable: as they were recorded
        held += change
        peak = max(peak, held)
    return peak

"""Training by two processes, held against training by one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from tfkd.teachers import Answer
from tfkd.testing.difference import answers_differ, same, states_differ
from tfkd.testing.subject import BATCH, BATCHES, LeftOut, Subject, Training, in_order

SECONDS = 300.0
SHARES = (slice(0, 5), slice(5, BATCH))
"""Samples of each process; not the same number."""

Memory = tuple[dict[str, Tensor], Answer]


def two_processes_are_one(subject: Subject) -> None:
    """Each sees its samples alone, and both remember what one would that sees all."""
    if not subject.hooks:
        raise LeftOut("it remembers nothing")
    held_against_one([subject])


def held_against_one(subjects: Sequence[Subject]) -> None:
    """Check several teachers by the same two processes."""
    for subject, *seen in zip(subjects, *by_two(subjects), strict=True):
        expected = _memories(subject, slice(None))
        for rank, memories in enumerate(seen):
            for at, (ours, theirs) in enumerate(zip(memories, expected, strict=True)):
                note = f"{subject.name}, process {rank} of 2, after {at + 1} batches"
                same(states_differ(ours[0], theirs[0]), note)
                same(answers_differ(Answer(*ours[1]), theirs[1]), note)


def by_two(subjects: Sequence[Subject]) -> list[list[list[Memory]]]:
    """Return what each process remembers of each subject, after each batch."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.save([subject.by_itself() for subject in subjects], folder / "subjects")
        paths = os.pathsep.join(path for path in sys.path if path)
        started = [
            subprocess.Popen(
                [sys.executable, "-c", f"import {__name__} as own; own._work({name!r}, {rank})"],
                env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(len(SHARES))
        ]
        try:
            said = [process.communicate(timeout=SECONDS)[1] for process in started]
        finally:
            for process in started:
                process.kill()
        failed = [words for process, words in zip(started, said, strict=True) if process.returncode]
        assert not failed, failed[0].strip().splitlines()[-1]
        return [torch.load(folder / f"{rank}", weights_only=False) for rank in range(len(SHARES))]


def _work(name: str, rank: int) -> None:
    folder = Path(name)
    place = (folder / "meeting").as_uri()
    dist.init_process_group("gloo", init_method=place, rank=rank, world_size=len(SHARES))
    subjects: list[Subject] = torch.load(folder / "subjects", weights_only=False)
    memories = [_memories(subject, SHARES[rank]) for subject in subjects]
    torch.save(memories, folder / f"{rank}")
    dist.destroy_process_group()


def _memories(subject: Subject, share: slice) -> list[Memory]:
    """What is remembered after each batch; an epoch ends by the number of its samples."""
    run = Training(subject, samples_per_epoch=BATCH * BATCHES)
    memories = []
    for seed in range(2 * BATCHES):
        run.show(in_order(subject.batch(seed=seed), torch.arange(BATCH)[share]))
        run.criterion.step_ended(run.student)
        memories.append((run.state(), run.answer()))
    return memories

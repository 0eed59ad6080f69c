"""What a loss costs that remembers an answer to each sample, as PS-KD's, at ImageNet's size.

1.28 million samples of 1000 classes; batches of 256 at random places, forward, backward and what is
remembered of them, beside cross-entropy. In memory, and on disk as `PreviousTeacher(directory=...)`
has it, in the second epoch, in which one file is read and another written. The files of float16,
2.6 GB each, are made with holes in place of zeros, so that what is on the disk is what the steps
write; they stay in the page cache, as they do on a machine with memory to spare. With the files of
a whole epoch out of memory, a step also waits for 256 places of the disk.

"epoch_ended" is the checksum of one epoch's files and the copy for the next, once an epoch; a copy
of holes costs nothing, so that for float16 it is the checksum alone.

    python benchmarks/growth_remembered.py
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch
import torch.nn.functional as F

import tfkd
from measure import compare
from records import Records, read_options

CLASSES, BATCH = 1000, 256
FORMS = ("top-10", "float16")


def with_hole(file: Path, size: int) -> None:
    """Make a file of zeros that takes no room."""
    with file.open("wb") as content:
        content.truncate(size)


def copy_with_holes(source: Path, target: Path) -> None:
    """Make a copy whose rows are unknown, which is as good here and takes no room."""
    with_hole(target, source.stat().st_size)


def step_of(
    directory: Path | None, form: str, samples: int, device: torch.device
) -> tuple[Callable[[], None], tfkd.DistillationLoss]:
    """Return a step at random rows, in the second epoch, and its loss."""
    teacher = tfkd.PreviousTeacher(samples, CLASSES, form=form, directory=directory)
    criterion = tfkd.DistillationLoss(teacher, alpha=0.8, samples_per_epoch="told").to(device)
    drawn = torch.Generator().manual_seed(0)
    logits = torch.randn(BATCH, CLASSES, generator=drawn).to(device).requires_grad_()
    labels = torch.randint(CLASSES, (BATCH,), generator=drawn).to(device)

    def step() -> None:
        indices = torch.randint(samples, (BATCH,), generator=drawn).to(device)
        logits.grad = None
        criterion(logits, labels, indices=indices).backward()

    step()
    criterion.epoch_ended()
    return step, criterion


def plain_step(device: torch.device) -> Callable[[], None]:
    """Return a step with cross-entropy."""
    logits = torch.randn(BATCH, CLASSES, device=device, requires_grad=True)
    labels = torch.randint(CLASSES, (BATCH,), device=device)

    def step() -> None:
        logits.grad = None
        F.cross_entropy(logits, labels).backward()

    return step


def main() -> None:
    """Measure each form, in memory and on disk."""
    options = read_options(__doc__, repeats=9, samples=1_281_167)
    records = Records("growth_remembered", options)
    samples = 10_000 if options.quick else options.samples
    for form in FORMS:
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
            holes = mock.patch.multiple(
                "tfkd.teachers.cache.epoch_files",
                _write_zeros=with_hole,
                shutil=mock.Mock(wraps=shutil, copyfile=copy_with_holes),
            )
            with holes if form == "float16" else mock.patch.dict({}):
                in_memory, _ = step_of(None, form, samples, options.device)
                on_disk, criterion = step_of(Path(folder), form, samples, options.device)

                def epoch_ended(step=on_disk, criterion=criterion) -> None:
                    step()
                    criterion.epoch_ended()

                measured = compare(
                    {
                        "F.cross_entropy": plain_step(options.device),
                        "in memory": in_memory,
                        "on disk": on_disk,
                    },
                    baseline="F.cross_entropy",
                    repeats=options.repeats,
                    seconds=0.02 if options.quick else 0.2,
                    device=options.device,
                    work=BATCH,
                    unit="samples",
                )
                measured += compare(
                    {"epoch_ended": epoch_ended},
                    baseline="epoch_ended",
                    repeats=min(options.repeats, 3),
                    seconds=0.0,
                    device=options.device,
                )
        records.add(f"{form}, {samples} x {CLASSES}", measured)


if __name__ == "__main__":
    main()

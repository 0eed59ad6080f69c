"""A distillation step with the teacher run each step, or looked up, beside cross-entropy.

"Logits looked up" is the least that a cache can cost: the teacher's logits of all samples in one
tensor, indexed by sample. `CachedTeacher` looks up its files. Every step asks for other samples.

    python benchmarks/teacher_cache.py
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import tfkd
from measure import compare
from records import Records, read_options
from workload import BATCH, CLASSES, network, random_batch, sgd, training_step

SAMPLES = 50_000
PAIRS = (("plain_cnn", "plain_cnn"), ("plain_cnn", "resnet18"), ("resnet18", "resnet18"))
ALPHA, TEMPERATURE = 0.5, 4.0
CACHED = hasattr(tfkd, "CachedTeacher")


def cached_criterion(folder: str) -> tfkd.DistillationLoss:
    """Return the loss with a cache of 50,000 samples.

    A quick network has filled it: looking up costs the same whoever has answered.
    """
    torch.manual_seed(0)
    inputs = torch.randn(SAMPLES, 8)
    batches = [(inputs[part], part, 0) for part in torch.arange(SAMPLES).split(4096)]
    teacher = tfkd.CachedTeacher.record(f"{folder}/cache", nn.Linear(8, CLASSES), batches)
    return tfkd.knowledge_distillation(teacher, alpha=ALPHA, temperature=TEMPERATURE)


def losses(
    teacher_name: str, images: Tensor, labels: Tensor, folder: str
) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return the losses of the student's logits, by name."""
    device = images.device
    generator = torch.Generator().manual_seed(0)
    logits_of_all = torch.randn(SAMPLES, CLASSES, generator=generator).to(device)
    order = torch.randperm(SAMPLES, generator=generator).to(device)
    batches = itertools.cycle(order.split(BATCH)[:-1])
    run_each_step = tfkd.knowledge_distillation(
        network(teacher_name, device), alpha=ALPHA, temperature=TEMPERATURE
    )
    result = {
        "cross-entropy": lambda z: F.cross_entropy(z, labels),
        "network each step": lambda z: run_each_step(z, labels, images),
        "logits looked up": lambda z: tfkd.distillation_loss(
            z, labels, logits_of_all[next(batches)], alpha=ALPHA, temperature=TEMPERATURE
        ),
    }
    if CACHED:
        cached = cached_criterion(folder)
        result["CachedTeacher"] = lambda z: cached(z, labels, indices=next(batches))
    return result


def main() -> None:
    """Measure each pair of student and teacher."""
    options = read_options(__doc__, repeats=15)
    records = Records("teacher_cache", options)
    if not CACHED:
        print("This version of tfkd has no CachedTeacher: it is left out.", flush=True)
    images, labels = random_batch(options.device)
    for student_name, teacher_name in PAIRS[: 1 if options.quick else None]:
        student = network(student_name, options.device)
        optimizer = sgd(student)
        with tempfile.TemporaryDirectory() as folder:
            steps = {
                name: training_step(student, optimizer, images, loss)
                for name, loss in losses(teacher_name, images, labels, folder).items()
            }
            measured = compare(
                steps,
                baseline="cross-entropy",
                repeats=options.repeats,
                seconds=0.0 if options.quick else 0.5,
                device=options.device,
                memory=True,
                work=len(images),
                unit="images",
            )
        records.add(f"{student_name} taught by {teacher_name}", measured)


if __name__ == "__main__":
    main()

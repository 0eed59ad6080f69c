"""A distillation step with the teacher run each step, or looked up, beside cross-entropy.

The look-up stands for the least that a cache can cost: the teacher's logits of all samples in one
tensor, indexed by sample.

    python benchmarks/teacher_cache.py
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

import tfkd
from measure import compare
from records import Records, read_options
from workload import BATCH, CLASSES, network, random_batch, sgd, training_step

SAMPLES = 50_000
PAIRS = (("plain_cnn", "plain_cnn"), ("plain_cnn", "resnet18"), ("resnet18", "resnet18"))
ALPHA, TEMPERATURE = 0.5, 4.0


def main() -> None:
    """Measure each pair of student and teacher."""
    options = read_options(__doc__, repeats=15)
    records = Records("teacher_cache", options)
    device = options.device
    images, labels = random_batch(device)
    generator = torch.Generator().manual_seed(0)
    logits_of_all = torch.randn(SAMPLES, CLASSES, generator=generator).to(device)
    indices = torch.randint(SAMPLES, (BATCH,), generator=generator).to(device)
    for student_name, teacher_name in PAIRS[: 1 if options.quick else None]:
        student = network(student_name, device)
        teach = tfkd.knowledge_distillation(
            network(teacher_name, device), alpha=ALPHA, temperature=TEMPERATURE
        )
        losses = {
            "cross-entropy": lambda z: F.cross_entropy(z, labels),
            "network each step": lambda z, teach=teach: teach(z, labels, images),
            "logits looked up": lambda z: tfkd.distillation_loss(
                z, labels, logits_of_all[indices], alpha=ALPHA, temperature=TEMPERATURE
            ),
        }
        optimizer = sgd(student)
        measured = compare(
            {name: training_step(student, optimizer, images, f) for name, f in losses.items()},
            baseline="cross-entropy",
            repeats=options.repeats,
            seconds=0.0 if options.quick else 0.5,
            device=device,
            memory=True,
            work=len(images),
            unit="images",
        )
        records.add(f"{student_name} taught by {teacher_name}", measured)


if __name__ == "__main__":
    main()

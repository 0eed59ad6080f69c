"""A training step with each loss beside one with cross-entropy: batch of 128, 3x32x32.

All losses train one and the same network in turn, so that nothing but the loss differs.

    python benchmarks/step.py
"""

from __future__ import annotations

import torch.nn.functional as F

import tfkd
from measure import compare
from records import Records, read_options
from workload import network, random_batch, sgd, training_step

NETWORKS = ("plain_cnn", "resnet18")


def main() -> None:
    """Measure each network."""
    options = read_options(__doc__, repeats=25)
    records = Records("step", options)
    images, labels = random_batch(options.device)
    losses = {
        "F.cross_entropy": F.cross_entropy,
        "label_smoothing": tfkd.label_smoothing(0.1),
        "tf_kd_reg, τ = 20": tfkd.tf_kd_reg(alpha=0.1, temperature=20.0),
    }
    for name in NETWORKS[: 1 if options.quick else None]:
        model = network(name, options.device)
        optimizer = sgd(model)
        steps = {
            title: training_step(
                model, optimizer, images, lambda logits, loss=loss: loss(logits, labels)
            )
            for title, loss in losses.items()
        }
        measured = compare(
            steps,
            baseline="F.cross_entropy",
            repeats=options.repeats,
            seconds=0.0 if options.quick else 1.0,
            device=options.device,
            memory=True,
            work=len(images),
            unit="images",
        )
        records.add(name, measured)


if __name__ == "__main__":
    main()

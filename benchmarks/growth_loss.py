"""How the loss grows: with classes, with samples, with dense pixels.

Forward and backward in float32, beside cross-entropy and beside a copy of the logits.

    python benchmarks/growth_loss.py
"""

from __future__ import annotations

import math

import torch

from loss import BASELINE, contenders
from measure import compare
from records import Records, read_options

CLASSES = [(256, classes) for classes in (10, 100, 1000, 10_000, 128_000, 1_000_000)]
SAMPLES = [(samples, 1000) for samples in (16, 64, 256, 1024, 4096)]
PIXELS = [(8, 21, side, side) for side in (32, 64, 128, 256)]
SHOWN = (BASELINE, "tf_kd_reg, τ = 20", "copy")


def main() -> None:
    """Measure each series."""
    options = read_options(__doc__, repeats=9)
    records = Records("growth_loss", options)
    for shapes in (CLASSES, SAMPLES, PIXELS):
        for shape in shapes[: 2 if options.quick else None]:
            calls = contenders(shape, torch.float32, "eager", options.device)
            measured = compare(
                {name: calls[name] for name in SHOWN},
                baseline=BASELINE,
                repeats=options.repeats,
                seconds=0.02 if options.quick else 0.1,
                device=options.device,
                memory=True,
                floor="copy",
                work=2 * math.prod(shape) * torch.float32.itemsize,
                unit="bytes",
            )
            records.add(str(shape), measured)


if __name__ == "__main__":
    main()

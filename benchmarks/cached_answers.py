"""The loss of a teacher's stored answers: its time beside cross-entropy, and what it is off by.

Forward and backward in float32 of answers that are at hand. "All logits" are float32's; "top-10,
all logits built" is how few logits would be used without a loss of their own. The errors go to
`cached_errors.csv`; they are those of `cached_errors.py`.

    python benchmarks/cached_answers.py
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

import tfkd
from cached_errors import falling_with_rank, in_full, measure_errors, stored
from measure import compare
from records import Records, read_options

SHAPES = ((256, 1000), (1024, 1000), (512, 32_000))
TEMPERATURES = (1.0, 4.0)
BASELINE = "F.cross_entropy"
ALPHA = 0.5


def calls(
    shape: tuple[int, int], temperature: float, device: torch.device
) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name."""
    samples, num_classes = shape
    answers = falling_with_rank(num_classes, samples)
    z = answers.student.to(device).requires_grad_()
    labels = answers.teacher.argmax(1).to(device)
    few = stored("top-10", answers.teacher.to(device), temperature)
    drawn = stored("sampled-12", answers.teacher.to(device), temperature)
    logits = answers.teacher.to(device)

    def taught(said: Callable[[], object]) -> Callable[[Tensor], Tensor]:
        return lambda z: tfkd.distillation_loss(
            z, labels, said(), alpha=ALPHA, temperature=temperature
        )

    losses: dict[str, Callable[[Tensor], Tensor]] = {
        BASELINE: lambda z: F.cross_entropy(z, labels),
        "all logits": taught(lambda: logits),
        "top-10, all logits built": taught(lambda: in_full(few, num_classes)),
        "top-10": taught(lambda: few),
        "sampled-12": taught(lambda: drawn),
    }

    def call(loss: Callable[[Tensor], Tensor]) -> Callable[[], None]:
        def run() -> None:
            loss(z).backward()
            z.grad = None

        return run

    return {name: call(loss) for name, loss in losses.items()}


def main() -> None:
    """Measure times, then errors."""
    options = read_options(__doc__, repeats=15)
    records = Records("cached_answers", options)
    for shape in SHAPES[: 1 if options.quick else None]:
        for temperature in TEMPERATURES:
            measured = compare(
                calls(shape, temperature, options.device),
                baseline=BASELINE,
                repeats=options.repeats,
                seconds=0.02 if options.quick else 0.1,
                device=options.device,
                memory=True,
            )
            records.add(f"{shape}, τ = {temperature:g}", measured)
    measure_errors(options.quick)


if __name__ == "__main__":
    main()

"""The loss of large logits on a GPU: forward and backward, time and peak memory.

Our losses as they are called, without `torch.compile`, beside torch's cross-entropy, the same
compiled, Liger-Kernel's, which overwrites its logits by their gradient, and distillation as it is
written by hand, also compiled. The floor is a copy: logits read once, their gradient written once.

    python benchmarks/loss_on_gpu.py
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

import tfkd
from loss import compiled, forward_backward, liger
from measure import compare
from records import Records, read_options

CASES = (
    ((16384, 1000), torch.float32),
    ((16384, 1000), torch.bfloat16),
    ((8192, 32000), torch.float32),
    ((8192, 32000), torch.bfloat16),
    ((8192, 128256), torch.bfloat16),
)
BASELINE = "F.cross_entropy"
ALPHA, TEMPERATURE = 0.1, 4.0


def contenders(
    shape: tuple[int, int], dtype: torch.dtype, device: torch.device
) -> dict[str, Callable[[], object]]:
    """Return the calls of a case, by name."""
    generator = torch.Generator(device).manual_seed(0)
    z, t = (3.0 * torch.randn(shape, generator=generator, device=device) for _ in range(2))
    z, t = z.to(dtype), t.to(dtype)
    labels = torch.randint(shape[1], shape[:1], generator=generator, device=device)

    def by_hand(z: Tensor, labels: Tensor) -> Tensor:
        student, teacher = F.log_softmax(z / TEMPERATURE, 1), F.softmax(t / TEMPERATURE, 1)
        divergence = F.kl_div(student, teacher, reduction="batchmean")
        return (1.0 - ALPHA) * F.cross_entropy(z, labels) + ALPHA * TEMPERATURE**2 * divergence

    def distilled(z: Tensor, labels: Tensor) -> Tensor:
        return tfkd.distillation_loss(z, labels, t, alpha=ALPHA, temperature=TEMPERATURE)

    reg = tfkd.tf_kd_reg(alpha=ALPHA, temperature=20.0)
    losses: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        BASELINE: lambda z, y: F.cross_entropy(z, y),
        "F.cross_entropy, compiled": compiled(lambda z, y: F.cross_entropy(z, y)),
        "label_smoothing": tfkd.label_smoothing(ALPHA),
        "tf_kd_reg, τ = 1": tfkd.tf_kd_reg(alpha=ALPHA, temperature=1.0),
        "tf_kd_reg, τ = 20": reg,
        "tf_kd_reg, τ = 20, compiled": compiled(reg),
        "KD by hand": by_hand,
        "KD by hand, compiled": compiled(by_hand),
        "knowledge distillation": distilled,
    }
    kernel = liger() if device.type == "cuda" else None
    if kernel is not None:
        losses["Liger-Kernel"] = kernel
    calls: dict[str, Callable[[], object]] = {}
    for name, loss in losses.items():
        # Liger's overwrites its logits; no other may see them.
        own = (z.clone() if name == "Liger-Kernel" else z.detach()).requires_grad_()
        calls[name] = forward_backward(loss, own, labels)
    copied = torch.empty_like(z)
    calls["copy"] = lambda: copied.copy_(z)
    return calls


def main() -> None:
    """Measure every case."""
    options = read_options(__doc__, repeats=15)
    if options.device.type == "cpu" and not options.quick:
        print("No GPU: nothing is measured.")
        return
    records = Records("loss_on_gpu", options)
    for shape, dtype in CASES[:1] if options.quick else CASES:
        torch.compiler.reset()
        name = str(dtype).removeprefix("torch.")
        shape = (128, 100) if options.quick else shape
        measurements = compare(
            contenders(shape, dtype, options.device),
            baseline=BASELINE,
            repeats=options.repeats,
            seconds=0.02,
            device=options.device,
            memory=True,
            floor="copy",
            work=2 * shape[0] * shape[1] * dtype.itemsize,
            unit="bytes",
        )
        records.add(f"{name}, {shape}", measurements)


if __name__ == "__main__":
    main()

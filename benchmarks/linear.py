"""A vocabulary head: the loss of hidden states and of the head, with every teacher, side by side.

Each call is forward and backward, of the hidden states and of the head, whose gradients are thrown
away after it. Beside ours are torch's own fused cross-entropy (from 2.13 on, with the chunks that
it chooses and with ours), Liger's where it is installed and on a GPU, cross-entropy of the whole
logits, and a teacher's whole logits. The baseline is the fused cross-entropy of others at its
best, ours without a teacher where there is none. "By composition" is label smoothing made of that
baseline and a dot product a token.

    python benchmarks/linear.py
    python benchmarks/linear.py --device cuda
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import tfkd
from measure import compare
from records import Records, read_options
from tfkd.loss.linear.chunks import tokens_of_a_chunk

ALPHA = 0.1
LIGER = "Liger-Kernel"
TORCHS = "F.linear_cross_entropy, our chunks"
OURS = "tfkd, cross-entropy"

Loss = Callable[[Tensor, Tensor], Tensor]


class Size(NamedTuple):
    """Tokens, classes, width of the hidden states and their dtype."""

    tokens: int
    classes: int
    width: int
    dtype: torch.dtype

    def __str__(self) -> str:
        dtype = str(self.dtype).removeprefix("torch.")
        return f"N {self.tokens}, K {self.classes}, D {self.width}, {dtype}"


QUICK = (Size(256, 1000, 64, torch.float32),)
ON_CPU = (Size(512, 32000, 256, torch.float32), Size(512, 32000, 256, torch.bfloat16))
ON_GPU = (Size(4096, 32000, 2048, torch.bfloat16), Size(8192, 128256, 2048, torch.bfloat16))


def others(labels: Tensor, size: Size) -> dict[str, Loss]:
    """Return the fused cross-entropies of others that are there, the best of them last."""
    found: dict[str, Loss] = {}
    torchs = getattr(F, "linear_cross_entropy", None)
    if torchs is not None:
        chunk = min(tokens_of_a_chunk(size.classes, labels.device), size.tokens)
        own = torch.nn.LinearCrossEntropyOptions()
        same = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=chunk)
        found["F.linear_cross_entropy"] = lambda x, w: torchs(x, w, labels, options=own)
        found[TORCHS] = lambda x, w: torchs(x, w, labels, options=same)
    if labels.is_cuda:
        try:
            from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss
        except ModuleNotFoundError:
            return found
        for name, dtype in ((f"{LIGER}, float32 sums", torch.float32), (LIGER, None)):
            criterion = LigerFusedLinearCrossEntropyLoss(accum_dtype=dtype)
            found[name] = lambda x, w, criterion=criterion: criterion(w, x, labels)
    return found


def losses(
    labels: Tensor, size: Size, teacher: tuple[Tensor, Tensor]
) -> tuple[dict[str, Loss], str]:
    """Return the losses of hidden states and of the head's weight by name, and the baseline's."""
    found = others(labels, size)
    baseline = next((name for name in (LIGER, TORCHS) if name in found), OURS)

    def ours(taught: object, **options: float) -> Loss:
        return lambda x, w: tfkd.linear_distillation_loss(x, w, labels, taught, **options)

    def whole_kd(x: Tensor, w: Tensor) -> Tensor:
        with torch.no_grad():
            taught = F.linear(*teacher)
        logits = F.linear(x, w)
        return tfkd.distillation_loss(logits, labels, taught, alpha=ALPHA, temperature=2.0)

    gap = tfkd.VirtualTeacher(0.99).gap(size.classes)
    found[OURS] = ours(0.0, alpha=0.0)
    found["tfkd, label smoothing"] = ours(0.0, alpha=ALPHA)
    found["tfkd, tf_kd_reg, τ = 1"] = ours(gap, alpha=ALPHA)
    found["tfkd, tf_kd_reg, τ = 20"] = ours(gap, alpha=ALPHA, temperature=20.0)
    found["tfkd, a teacher's head"] = ours(teacher, alpha=ALPHA, temperature=2.0)
    fused = found[baseline]

    def composed(x: Tensor, w: Tensor) -> Tensor:
        """H(q', p) = H(q, p) + α·x·(W_y − W̄)."""
        ahead = x * (w.index_select(0, labels) - w.mean(0))
        return fused(x, w) + ALPHA * ahead.sum(1, dtype=torch.float32).mean()

    found["label smoothing by composition"] = composed
    found["whole logits, F.cross_entropy"] = lambda x, w: F.cross_entropy(F.linear(x, w), labels)
    found["whole logits, label_smoothing"] = lambda x, w: tfkd.distillation_loss(
        F.linear(x, w), labels, 0.0, alpha=ALPHA
    )
    found["whole logits, a teacher's too"] = whole_kd
    return found, baseline


def forward_backward(loss: Loss, hidden: Tensor, weight: Tensor) -> Callable[[], None]:
    """Return the call that is timed."""

    def call() -> None:
        loss(hidden, weight).backward()
        hidden.grad = weight.grad = None

    return call


def main() -> None:
    """Measure every size."""
    options = read_options(__doc__, repeats=7)
    sizes = ON_GPU if options.device.type == "cuda" else ON_CPU
    records = Records("linear", options)
    for size in QUICK if options.quick else sizes:
        generator = torch.Generator(options.device).manual_seed(0)

        def drawn(*shape: int, size: Size = size, generator: torch.Generator = generator) -> Tensor:
            values = torch.randn(shape, generator=generator, device=generator.device)
            return values.to(size.dtype)

        hidden = drawn(size.tokens, size.width).requires_grad_()
        weight = (drawn(size.classes, size.width) / size.width**0.5).requires_grad_()
        labels = torch.randint(
            size.classes, (size.tokens,), generator=generator, device=options.device
        )
        width = size.width * 2  # of a teacher, which is larger
        teacher = drawn(size.tokens, width), drawn(size.classes, width) / width**0.5
        contenders, baseline = losses(labels, size, teacher)
        measurements = compare(
            {name: forward_backward(loss, hidden, weight) for name, loss in contenders.items()},
            baseline=baseline,
            repeats=options.repeats,
            seconds=0.02 if options.quick else 0.1,
            device=options.device,
            memory=True,
            work=size.tokens,
            unit="tokens",
        )
        records.add(str(size), measurements)
        del hidden, weight, labels, teacher, contenders


if __name__ == "__main__":
    main()

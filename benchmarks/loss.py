"""Forward and backward of the loss beside those that anyone would take instead.

The logits require a gradient, which is thrown away after each call. The copy reads the logits and
writes their like: the bytes that any loss with a gradient must move; `over_floor` is the time of a
loss over that of the copy. torchdistill's loss is handed its dense target, which the time and the
memory of building it are not counted for; timm's and the released formula take no dense pixels. A
teacher's logits are made once, and not counted either.

Each case is measured warm, where every call finds the memory of the last one, and with fresh
memory, which has to be paged in at every call: a step of training lies between the two.

    python benchmarks/loss.py
    python benchmarks/loss.py --mode compiled
    python benchmarks/loss.py --memory warm
"""

from __future__ import annotations

import itertools
import math
import types
import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import tfkd
from measure import can_give_memory_back, compare
from records import Records, read_options

SHAPES = ((128, 10), (128, 100), (256, 1000), (1024, 1000), (512, 32000), (8, 21, 256, 256))
GPU_SHAPES = (*SHAPES, (4096, 128256))
DTYPES = (torch.float32, torch.bfloat16)
BASELINE = "F.cross_entropy"
CONFIDENCE, ALPHA = 0.99, 0.1
KD_ALPHA, KD_TEMPERATURE, DKD_WEIGHTS = 0.5, 4.0, (1.0, 8.0)

Loss = Callable[[Tensor, Tensor], Tensor]


def losses(shape: tuple[int, ...], labels: Tensor, dtype: torch.dtype) -> dict[str, Loss]:
    """Return the losses of logits of a shape, by name; those that need a dense target hold it."""
    result: dict[str, Loss] = {
        BASELINE: lambda z, y: F.cross_entropy(z, y),
        "F.cross_entropy, smoothing": lambda z, y: F.cross_entropy(z, y, label_smoothing=ALPHA),
        "label_smoothing": tfkd.label_smoothing(ALPHA),
        "tf_kd_reg, τ = 1": tfkd.tf_kd_reg(alpha=ALPHA, temperature=1.0),
        "tf_kd_reg, τ = 20": tfkd.tf_kd_reg(alpha=ALPHA, temperature=20.0),
    }
    generator = torch.Generator().manual_seed(1)
    said = (3.0 * torch.randn(shape, generator=generator)).to(labels.device, dtype)
    result["KD by hand, τ = 4"] = lambda z, y: distillation_by_hand(z, y, said)
    result["KD, τ = 4"] = taught(said, temperature=KD_TEMPERATURE)
    result["DKD, τ = 4"] = taught(said, temperature=KD_TEMPERATURE, decoupled=DKD_WEIGHTS)
    result["teacher's logits, τ = 1"] = taught(said)
    if len(shape) == 2:
        result["released formula"] = released_formula
        timm = _timm()
        if timm is not None:
            result["timm"] = timm
    torchdistill = _torchdistill(shape, labels, dtype)
    if torchdistill is not None:
        result["torchdistill, τ = 20"] = torchdistill
    liger = _liger() if labels.is_cuda and len(shape) == 2 else None
    if liger is not None:
        result["Liger-Kernel"] = liger
    return result


class Says(tfkd.Teacher):
    """Answers with the same logits each time."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, batch: tfkd.Batch) -> Tensor:
        """Return them."""
        return self.logits


def taught(said: Tensor, **options: Any) -> tfkd.DistillationLoss:
    """Return the loss of a teacher that says this."""
    return tfkd.DistillationLoss(Says(said), alpha=KD_ALPHA, **options)


def distillation_by_hand(z: Tensor, labels: Tensor, said: Tensor) -> Tensor:
    """Knowledge distillation as it is mostly written."""
    log_p = F.log_softmax(z / KD_TEMPERATURE, 1)
    t = F.softmax(said / KD_TEMPERATURE, 1)
    divergence = F.kl_div(log_p, t, reduction="sum") / labels.numel()
    kept = (1.0 - KD_ALPHA) * F.cross_entropy(z, labels)
    return kept + KD_ALPHA * KD_TEMPERATURE**2 * divergence


def released_formula(z: Tensor, labels: Tensor) -> Tensor:
    """Tf-KD_reg computed as the code released with the paper does, target by target.

    Source: the formula of github.com/yuanli2333/Teacher-free-Knowledge-Distillation at d000ab3,
    written anew: a dense teacher filled in a loop over the batch, softened as probabilities, and a
    divergence averaged over samples and classes.
    """
    num_classes = z.shape[1]
    teacher = torch.full_like(z, (1.0 - CONFIDENCE) / (num_classes - 1))
    for sample in range(len(labels)):
        teacher[sample, labels[sample]] = CONFIDENCE
    divergence = F.kl_div(F.log_softmax(z, 1), F.softmax(teacher / 20.0, 1), reduction="mean")
    return (1.0 - ALPHA) * F.cross_entropy(z, labels) + ALPHA * divergence


def _timm() -> Loss | None:
    try:
        from timm.loss import LabelSmoothingCrossEntropy
    except ModuleNotFoundError:
        return None
    return LabelSmoothingCrossEntropy(ALPHA)


def _torchdistill(shape: tuple[int, ...], labels: Tensor, dtype: torch.dtype) -> Loss | None:
    try:
        from torchdistill.losses.mid_level import KDLoss
    except ModuleNotFoundError:
        return None
    # Its alpha weighs the labels.
    criterion = KDLoss("", "", "", "", temperature=20.0, alpha=1.0 - ALPHA)
    others = math.log((1.0 - CONFIDENCE) / (shape[1] - 1))
    target = torch.full(shape, others, dtype=dtype, device=labels.device)
    target.scatter_(1, labels.unsqueeze(1), math.log(CONFIDENCE))
    teacher = {"": {"": target}}
    return lambda z, y: criterion({"": {"": z}}, teacher, y)


def _liger() -> Loss | None:
    """Liger-Kernel's cross-entropy, which overwrites its logits by their gradient."""
    try:
        from liger_kernel.transformers import LigerCrossEntropyLoss
    except ModuleNotFoundError:
        return None
    return LigerCrossEntropyLoss()


def compiled(loss: Loss) -> Loss:
    """Compile a loss on its own: code that several share would be told apart by guards."""

    def call(z: Tensor, labels: Tensor) -> Tensor:
        return loss(z, labels)

    code = call.__code__.replace(co_name=f"loss_{id(loss)}")
    own = types.FunctionType(code, globals(), None, None, call.__closure__)
    return torch.compile(own, dynamic=False)


def forward_backward(loss: Loss, logits: Tensor, labels: Tensor) -> Callable[[], None]:
    """Return the call that is timed."""

    def call() -> None:
        loss(logits, labels).backward()
        logits.grad = None

    return call


def contenders(
    shape: tuple[int, ...], dtype: torch.dtype, mode: str, device: torch.device
) -> dict[str, Callable[[], object]]:
    """Return the calls of a case, by name."""
    generator = torch.Generator().manual_seed(0)
    z = 3.0 * torch.randn(shape, generator=generator)
    labels = torch.randint(shape[1], (shape[0], *shape[2:]), generator=generator).to(device)
    z = z.to(device, dtype)
    calls: dict[str, Callable[[], object]] = {}
    for name, loss in losses(shape, labels, dtype).items():
        if mode == "compiled" and name in ("released formula", "Liger-Kernel"):
            continue  # a loop over the batch would be unrolled; Liger's is a kernel already
        # Liger's overwrites its logits; no other may see them.
        logits = (z.clone() if name == "Liger-Kernel" else z.detach()).requires_grad_()
        loss = compiled(loss) if mode == "compiled" else loss
        calls[name] = forward_backward(loss, logits, labels)
    copied = torch.empty_like(z)
    calls["copy"] = lambda: copied.copy_(z)
    return calls


def main() -> None:
    """Measure every shape, dtype and mode."""
    options = read_options(__doc__, repeats=15, mode="both", memory="both")
    modes = ("eager", "compiled") if options.mode == "both" else (options.mode,)
    shapes = GPU_SHAPES if options.device.type == "cuda" else SHAPES
    memories = ("warm", "fresh") if options.memory == "both" else (options.memory,)
    if options.device.type == "cuda" or not can_give_memory_back():
        memories = ("warm",)
    if options.quick:
        shapes = ((128, 10), (256, 1000))
    warnings.filterwarnings("ignore", message="reduction: 'mean' divides", category=UserWarning)
    records = Records("loss", options)
    for mode, shape, dtype in itertools.product(modes, shapes, DTYPES):
        torch.compiler.reset()
        name = str(dtype).removeprefix("torch.")
        size = math.prod(shape) * dtype.itemsize
        calls = contenders(shape, dtype, mode, options.device)
        for memory in memories:
            measurements = compare(
                calls,
                baseline=BASELINE,
                repeats=options.repeats,
                seconds=0.02 if options.quick else 0.1,
                device=options.device,
                memory=memory == "warm",
                fresh=memory == "fresh",
                floor="copy",
                work=2 * size,  # the logits read once, their gradient written once
                unit="bytes",
            )
            which = ", fresh memory" if memory == "fresh" else ""
            records.add(f"{mode}, {name}, {shape}{which}", measurements)


if __name__ == "__main__":
    main()

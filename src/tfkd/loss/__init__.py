"""The one loss. Open `equation.py` first: there it is whole, in tensors, in under 60 lines.

Users call `distillation`, the function and the module, or `binary` where labels do not exclude one
another, or `linear` where the logits would not fit. The equation is written with `terms`, and
`checks` say what is refused. A criterion is `told` of steps and epochs where its settings follow
`schedules` or its teacher counts them. What `kernels` compute faster, `without_kernels` leaves to
the equation.
"""

from tfkd.loss import schedules
from tfkd.loss.binary import BinaryDistillationLoss, binary_distillation_loss
from tfkd.loss.criterion import Criterion
from tfkd.loss.distillation import DistillationLoss, distillation_loss
from tfkd.loss.kernels import without_kernels
from tfkd.loss.linear import LinearDistillationLoss, linear_distillation_loss

__all__ = [
    "BinaryDistillationLoss",
    "Criterion",
    "DistillationLoss",
    "LinearDistillationLoss",
    "binary_distillation_loss",
    "distillation_loss",
    "linear_distillation_loss",
    "schedules",
    "without_kernels",
]

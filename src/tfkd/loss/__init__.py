"""The one loss. Open `equation.py` first: there it is whole, in tensors, in under 60 lines.

Users call `distillation`, the function and the module. The equation is written with `terms`, and
`checks` say what is refused. A criterion is `told` of steps and epochs where its settings follow
`schedules` or its teacher counts them. What `kernels` compute faster, `without_kernels` leaves to
the equation.
"""

from tfkd.loss import schedules
from tfkd.loss.criterion import Criterion
from tfkd.loss.distillation import DistillationLoss, distillation_loss
from tfkd.loss.kernels import without_kernels

__all__ = ["Criterion", "DistillationLoss", "distillation_loss", "schedules", "without_kernels"]

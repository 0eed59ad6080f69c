"""The one loss. Open `equation.py` first: there it is whole, in tensors, in under 60 lines.

Users call `distillation`, the function and the module. The equation is written with `terms`, and
`checks` say what is refused. What `kernels` compute faster, `without_kernels` leaves to the
equation.
"""

from tfkd.loss.distillation import DistillationLoss, distillation_loss
from tfkd.loss.kernels import without_kernels

__all__ = ["DistillationLoss", "distillation_loss", "without_kernels"]

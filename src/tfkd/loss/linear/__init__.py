"""The one loss of a linear head, of whose logits no more than a chunk of tokens exists at once."""

from tfkd.loss.linear.criterion import LinearDistillationLoss
from tfkd.loss.linear.distillation import linear_distillation_loss

__all__ = ["LinearDistillationLoss", "linear_distillation_loss"]

"""The one loss."""

from tfkd.loss.distillation import DistillationLoss, distillation_loss

__all__ = ["DistillationLoss", "distillation_loss"]

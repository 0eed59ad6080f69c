"""The one loss for labels that do not exclude one another: at two classes, present and absent."""

from tfkd.loss.binary.distillation import BinaryDistillationLoss, binary_distillation_loss

__all__ = ["BinaryDistillationLoss", "binary_distillation_loss"]

"""Hugging Face's `Trainer`: a loss for its `compute_loss_func`, and a mixin that does the rest."""

from tfkd.adapters.hugging_face.loss import compute_loss_func
from tfkd.adapters.hugging_face.mixin import STATE_FILE, CriterionMixin

__all__ = ["STATE_FILE", "CriterionMixin", "compute_loss_func"]

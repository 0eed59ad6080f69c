"""What is no teacher: a penalty beside the cross-entropy, or a cross-entropy that is weighed anew.

Baselines. Each is a file, its function first, then the module that holds its settings; `penalty`
is what they share. Class weights count as torch's do in the label term, and the penalty of a sample
is weighed by its label, Σ_k q_k·w_k, over the same divisor. Logits of half precision are computed
and answered in float32. With nothing to add, each is `torch.nn.functional.cross_entropy` to the
last bit.
"""

from tfkd.penalties.confidence_penalty import ConfidencePenalty, confidence_penalty_loss
from tfkd.penalties.dual_focal import DualFocalLoss, dual_focal_loss
from tfkd.penalties.focal import FocalLoss, focal_loss
from tfkd.penalties.logit_norm import LogitNorm, logit_norm_loss
from tfkd.penalties.margin import MarginLabelSmoothing, margin_label_smoothing_loss
from tfkd.penalties.max_sup import MaxSup, max_sup_loss
from tfkd.penalties.penalty import Optimum, Penalty

__all__ = [
    "ConfidencePenalty",
    "DualFocalLoss",
    "FocalLoss",
    "LogitNorm",
    "MarginLabelSmoothing",
    "MaxSup",
    "Optimum",
    "Penalty",
    "confidence_penalty_loss",
    "dual_focal_loss",
    "focal_loss",
    "logit_norm_loss",
    "margin_label_smoothing_loss",
    "max_sup_loss",
]

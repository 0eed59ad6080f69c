"""Named methods: each is one composition of a teacher, a weight and a temperature, or a penalty."""

from tfkd.methods.by_penalty import (
    confidence_penalty,
    dual_focal,
    focal,
    logit_norm,
    margin_label_smoothing,
    max_sup,
)
from tfkd.methods.by_tf_kd import (
    cross_entropy,
    knowledge_distillation,
    label_smoothing,
    tf_kd_reg,
    tf_kd_self,
)

__all__ = [
    "confidence_penalty",
    "cross_entropy",
    "dual_focal",
    "focal",
    "knowledge_distillation",
    "label_smoothing",
    "logit_norm",
    "margin_label_smoothing",
    "max_sup",
    "tf_kd_reg",
    "tf_kd_self",
]

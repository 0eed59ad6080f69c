"""Named methods: each is one composition of a teacher, a weight and a temperature."""

from tfkd.methods.by_partner import cs_kd, dlb
from tfkd.methods.by_tf_kd import (
    cross_entropy,
    knowledge_distillation,
    label_smoothing,
    tf_kd_reg,
    tf_kd_self,
)

__all__ = [
    "cross_entropy",
    "cs_kd",
    "dlb",
    "knowledge_distillation",
    "label_smoothing",
    "tf_kd_reg",
    "tf_kd_self",
]

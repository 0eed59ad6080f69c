"""Named methods: each is one composition of a teacher, a weight and a temperature."""

from tfkd.methods.by_tf_kd import (
    cross_entropy,
    knowledge_distillation,
    label_smoothing,
    tf_kd_reg,
    tf_kd_self,
)

__all__ = [
    "cross_entropy",
    "knowledge_distillation",
    "label_smoothing",
    "tf_kd_reg",
    "tf_kd_self",
]

"""Named methods: each is one composition of a teacher, a weight and a temperature."""

from tfkd.methods.by_tf_kd import (
    cross_entropy,
    knowledge_distillation,
    label_smoothing,
    tf_kd_reg,
    tf_kd_self,
)
from tfkd.methods.remembering import class_label_smoothing, online_label_smoothing, ps_kd

__all__ = [
    "class_label_smoothing",
    "cross_entropy",
    "knowledge_distillation",
    "label_smoothing",
    "online_label_smoothing",
    "ps_kd",
    "tf_kd_reg",
    "tf_kd_self",
]

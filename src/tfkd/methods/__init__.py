"""Named methods: each is one composition of a teacher, a weight and a temperature."""

from tfkd.methods.averaging import (
    beta_smoothing,
    born_again,
    instance_specific_label_smoothing,
    mean_teacher,
)
from tfkd.methods.by_tf_kd import (
    cross_entropy,
    knowledge_distillation,
    label_smoothing,
    tf_kd_reg,
    tf_kd_self,
)

__all__ = [
    "beta_smoothing",
    "born_again",
    "cross_entropy",
    "instance_specific_label_smoothing",
    "knowledge_distillation",
    "label_smoothing",
    "mean_teacher",
    "tf_kd_reg",
    "tf_kd_self",
]

"""Named methods: each is one composition of a teacher, a weight and a temperature."""

from tfkd.methods.by_partner import cs_kd, dlb
from tfkd.methods.by_tf_kd import (
    cross_entropy,
    knowledge_distillation,
    label_smoothing,
    tf_kd_reg,
    tf_kd_self,
)
from tfkd.methods.views import (
    ensemble_kd,
    function_matching,
    logit_standardization_kd,
    top_two_kd,
    transformed_teacher_matching,
    weighted_transformed_teacher_matching,
)
from tfkd.methods.weak_to_strong import (
    weak_to_strong_kd,
)
from tfkd.methods.wrong_classes import (
    decoupled_kd,
    normalized_kd,
    zipf_label_smoothing,
)

__all__ = [
    "cross_entropy",
    "cs_kd",
    "decoupled_kd",
    "dlb",
    "ensemble_kd",
    "function_matching",
    "knowledge_distillation",
    "label_smoothing",
    "logit_standardization_kd",
    "normalized_kd",
    "tf_kd_reg",
    "tf_kd_self",
    "top_two_kd",
    "transformed_teacher_matching",
    "weak_to_strong_kd",
    "weighted_transformed_teacher_matching",
    "zipf_label_smoothing",
]

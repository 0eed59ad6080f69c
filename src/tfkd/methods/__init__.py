"""Named methods: each is one composition of a teacher, a weight and a temperature, or a penalty."""

from tfkd.methods.averaging import (
    beta_smoothing,
    born_again,
    instance_specific_label_smoothing,
    mean_teacher,
)
from tfkd.methods.binary import (
    binary_cross_entropy,
    binary_knowledge_distillation,
    binary_label_smoothing,
    binary_tf_kd_reg,
    binary_tf_kd_self,
)
from tfkd.methods.by_partner import cs_kd, dlb
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
    uniform_kd,
)
from tfkd.methods.remembering import class_label_smoothing, online_label_smoothing, ps_kd
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
    "beta_smoothing",
    "binary_cross_entropy",
    "binary_knowledge_distillation",
    "binary_label_smoothing",
    "binary_tf_kd_reg",
    "binary_tf_kd_self",
    "born_again",
    "class_label_smoothing",
    "confidence_penalty",
    "cross_entropy",
    "cs_kd",
    "decoupled_kd",
    "dlb",
    "dual_focal",
    "ensemble_kd",
    "focal",
    "function_matching",
    "instance_specific_label_smoothing",
    "knowledge_distillation",
    "label_smoothing",
    "logit_norm",
    "logit_standardization_kd",
    "margin_label_smoothing",
    "max_sup",
    "mean_teacher",
    "normalized_kd",
    "online_label_smoothing",
    "ps_kd",
    "tf_kd_reg",
    "tf_kd_self",
    "top_two_kd",
    "transformed_teacher_matching",
    "uniform_kd",
    "weak_to_strong_kd",
    "weighted_transformed_teacher_matching",
    "zipf_label_smoothing",
]

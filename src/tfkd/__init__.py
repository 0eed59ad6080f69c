"""tfkd: one loss, many teachers."""

from tfkd.dialects import (
    paper_kd,
    paper_tf_kd_reg,
    released_kd,
    released_label_smoothing,
    released_tf_kd_reg,
)
from tfkd.explain import Explanation, explain
from tfkd.loss import DistillationLoss, distillation_loss
from tfkd.methods import (
    cross_entropy,
    knowledge_distillation,
    label_smoothing,
    tf_kd_reg,
    tf_kd_self,
)
from tfkd.teachers import Batch, NetworkTeacher, Teacher, UniformTeacher, VirtualTeacher

__all__ = [
    "Batch",
    "DistillationLoss",
    "Explanation",
    "NetworkTeacher",
    "Teacher",
    "UniformTeacher",
    "VirtualTeacher",
    "cross_entropy",
    "distillation_loss",
    "explain",
    "knowledge_distillation",
    "label_smoothing",
    "paper_kd",
    "paper_tf_kd_reg",
    "released_kd",
    "released_label_smoothing",
    "released_tf_kd_reg",
    "tf_kd_reg",
    "tf_kd_self",
]

"""tfkd: one loss, many teachers."""

import typing as _typing

from tfkd._lazy import lazy_names as _lazy_names

if _typing.TYPE_CHECKING:
    from tfkd.dialects import (
        paper_kd,
        paper_tf_kd_reg,
        released_kd,
        released_label_smoothing,
        released_tf_kd_reg,
    )
    from tfkd.explanation import Explanation, explain
    from tfkd.loss import DistillationLoss, distillation_loss
    from tfkd.methods import (
        confidence_penalty,
        cross_entropy,
        dual_focal,
        focal,
        knowledge_distillation,
        label_smoothing,
        logit_norm,
        margin_label_smoothing,
        max_sup,
        tf_kd_reg,
        tf_kd_self,
    )
    from tfkd.teachers import (
        Answer,
        Batch,
        CachedTeacher,
        NetworkTeacher,
        Teacher,
        UniformTeacher,
        VirtualTeacher,
    )

__all__ = [
    "Answer",
    "Batch",
    "CachedTeacher",
    "DistillationLoss",
    "Explanation",
    "NetworkTeacher",
    "Teacher",
    "UniformTeacher",
    "VirtualTeacher",
    "confidence_penalty",
    "cross_entropy",
    "distillation_loss",
    "dual_focal",
    "explain",
    "focal",
    "knowledge_distillation",
    "label_smoothing",
    "logit_norm",
    "margin_label_smoothing",
    "max_sup",
    "paper_kd",
    "paper_tf_kd_reg",
    "released_kd",
    "released_label_smoothing",
    "released_tf_kd_reg",
    "tf_kd_reg",
    "tf_kd_self",
]

__getattr__ = _lazy_names(
    __name__,
    {
        "dialects": (
            "paper_kd",
            "paper_tf_kd_reg",
            "released_kd",
            "released_label_smoothing",
            "released_tf_kd_reg",
        ),
        "explanation": ("Explanation", "explain"),
        "loss": ("DistillationLoss", "distillation_loss"),
        "methods": (
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
        ),
        "teachers": (
            "Answer",
            "Batch",
            "CachedTeacher",
            "NetworkTeacher",
            "Teacher",
            "UniformTeacher",
            "VirtualTeacher",
        ),
    },
    modules=(
        "data",
        "dialects",
        "explanation",
        "loss",
        "method_table",
        "methods",
        "metrics",
        "models",
        "paper",
        "penalties",
        "report",
        "runs",
        "study",
        "teachers",
        "train",
    ),
)


def __dir__() -> list[str]:
    return __all__

"""tfkd: one loss, many teachers."""

import typing as _typing

from tfkd._lazy import lazy_names as _lazy_names

if _typing.TYPE_CHECKING:
    from tfkd.dialects import (
        paper_kd,
        paper_tf_kd_reg,
        released_kd,
        released_label_smoothing,
        released_online_label_smoothing,
        released_tf_kd_reg,
    )
    from tfkd.explanation import Explanation, explain
    from tfkd.loss import DistillationLoss, distillation_loss
    from tfkd.methods import (
        class_label_smoothing,
        cross_entropy,
        knowledge_distillation,
        label_smoothing,
        online_label_smoothing,
        ps_kd,
        tf_kd_reg,
        tf_kd_self,
    )
    from tfkd.teachers import (
        Answer,
        Batch,
        CachedTeacher,
        ClassTeacher,
        NetworkTeacher,
        OnlineTeacher,
        PreviousTeacher,
        Teacher,
        TemperedTeacher,
        UniformTeacher,
        VirtualTeacher,
    )

__all__ = [
    "Answer",
    "Batch",
    "CachedTeacher",
    "ClassTeacher",
    "DistillationLoss",
    "Explanation",
    "NetworkTeacher",
    "OnlineTeacher",
    "PreviousTeacher",
    "Teacher",
    "TemperedTeacher",
    "UniformTeacher",
    "VirtualTeacher",
    "class_label_smoothing",
    "cross_entropy",
    "distillation_loss",
    "explain",
    "knowledge_distillation",
    "label_smoothing",
    "online_label_smoothing",
    "paper_kd",
    "paper_tf_kd_reg",
    "ps_kd",
    "released_kd",
    "released_label_smoothing",
    "released_online_label_smoothing",
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
            "released_online_label_smoothing",
            "released_tf_kd_reg",
        ),
        "explanation": ("Explanation", "explain"),
        "loss": ("DistillationLoss", "distillation_loss"),
        "methods": (
            "class_label_smoothing",
            "cross_entropy",
            "knowledge_distillation",
            "label_smoothing",
            "online_label_smoothing",
            "ps_kd",
            "tf_kd_reg",
            "tf_kd_self",
        ),
        "teachers": (
            "Answer",
            "Batch",
            "CachedTeacher",
            "ClassTeacher",
            "NetworkTeacher",
            "OnlineTeacher",
            "PreviousTeacher",
            "Teacher",
            "TemperedTeacher",
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
        "report",
        "runs",
        "study",
        "teachers",
        "train",
    ),
)


def __dir__() -> list[str]:
    return __all__

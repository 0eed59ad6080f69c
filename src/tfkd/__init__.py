"""tfkd: one loss, many teachers."""

import typing as _typing
from importlib import import_module as _import_module

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
        cross_entropy,
        knowledge_distillation,
        label_smoothing,
        tf_kd_reg,
        tf_kd_self,
    )
    from tfkd.teachers import (
        Batch,
        CachedTeacher,
        NetworkTeacher,
        Teacher,
        UniformTeacher,
        VirtualTeacher,
    )

__all__ = [
    "Batch",
    "CachedTeacher",
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

_MODULES = ("dialects", "explanation", "loss", "methods", "teachers")


def __getattr__(name: str) -> object:
    """Import what is asked for, so that the command line can answer without loading torch."""
    if name in __all__:
        for module in _MODULES:
            names = vars(_import_module(f"{__name__}.{module}"))
            if name in names:
                globals()[name] = names[name]
                return names[name]
    if name in _MODULES:
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

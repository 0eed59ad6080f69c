"""What a run is: its settings, its directory, its files, its environment."""

from typing import TYPE_CHECKING

from tfkd._lazy import lazy_names

if TYPE_CHECKING:
    from tfkd.runs.circumstances import Circumstances
    from tfkd.runs.contents import EpochRecord, Metrics, Result
    from tfkd.runs.directory import RunDirectory
    from tfkd.runs.optimizers import SGD, AdamW, TimmOptimizer
    from tfkd.runs.recipes import defaults
    from tfkd.runs.schedules import Constant, Cosine, OneCycle, Step
    from tfkd.runs.settings import (
        MethodSettings,
        Recipe,
        RunSettings,
        RunTeacher,
        WeightsTeacher,
    )
    from tfkd.runs.written import make_run

__all__ = [
    "SGD",
    "AdamW",
    "Circumstances",
    "Constant",
    "Cosine",
    "EpochRecord",
    "MethodSettings",
    "Metrics",
    "OneCycle",
    "Recipe",
    "Result",
    "RunDirectory",
    "RunSettings",
    "RunTeacher",
    "Step",
    "TimmOptimizer",
    "WeightsTeacher",
    "defaults",
    "make_run",
]

__getattr__ = lazy_names(
    __name__,
    {
        "circumstances": ("Circumstances",),
        "contents": ("EpochRecord", "Metrics", "Result"),
        "directory": ("RunDirectory",),
        "written": ("make_run",),
        "recipes": ("defaults",),
        "optimizers": ("SGD", "AdamW", "TimmOptimizer"),
        "schedules": ("Constant", "Cosine", "OneCycle", "Step"),
        "settings": ("MethodSettings", "Recipe", "RunSettings", "RunTeacher", "WeightsTeacher"),
    },
)

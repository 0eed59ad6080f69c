"""What a run is: its settings, its directory, its files, its environment."""

from tfkd.runs.directory import RunDirectory
from tfkd.runs.settings import (
    MethodSettings,
    OptimizerSettings,
    RunSettings,
    ScheduleSettings,
    TeacherSettings,
)

__all__ = [
    "MethodSettings",
    "OptimizerSettings",
    "RunDirectory",
    "RunSettings",
    "ScheduleSettings",
    "TeacherSettings",
]

"""Training: settings, the loop, and the directory of a run."""

from tfkd.train.evaluate import evaluate_run
from tfkd.train.progress import show_progress
from tfkd.train.run import train_run
from tfkd.train.run_directory import RunDirectory
from tfkd.train.settings import (
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
    "evaluate_run",
    "show_progress",
    "train_run",
]

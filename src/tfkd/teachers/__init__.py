"""Teachers: one interface, one file each."""

from tfkd.teachers.base import Answer, Batch, Teacher
from tfkd.teachers.by_class import ClassTeacher
from tfkd.teachers.cached import CachedTeacher
from tfkd.teachers.network import NetworkTeacher
from tfkd.teachers.online import OnlineTeacher
from tfkd.teachers.previous import PreviousTeacher
from tfkd.teachers.tempered import TemperedTeacher
from tfkd.teachers.uniform import UniformTeacher
from tfkd.teachers.virtual import VirtualTeacher

__all__ = [
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
]

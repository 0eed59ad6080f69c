"""Teachers: one interface, one file each."""

from tfkd.teachers.base import Answer, Batch, Teacher
from tfkd.teachers.cached import CachedTeacher
from tfkd.teachers.network import NetworkTeacher
from tfkd.teachers.tempered import TemperedTeacher
from tfkd.teachers.uniform import UniformTeacher
from tfkd.teachers.virtual import VirtualTeacher

__all__ = [
    "Answer",
    "Batch",
    "CachedTeacher",
    "NetworkTeacher",
    "Teacher",
    "TemperedTeacher",
    "UniformTeacher",
    "VirtualTeacher",
]

"""Teachers: one interface, one file each."""

from tfkd.teachers.base import Answer, Batch, Teacher
from tfkd.teachers.cached import CachedTeacher
from tfkd.teachers.last_batch import LastBatchTeacher
from tfkd.teachers.network import NetworkTeacher
from tfkd.teachers.student import StudentTeacher
from tfkd.teachers.uniform import UniformTeacher
from tfkd.teachers.virtual import VirtualTeacher

__all__ = [
    "Answer",
    "Batch",
    "CachedTeacher",
    "LastBatchTeacher",
    "NetworkTeacher",
    "StudentTeacher",
    "Teacher",
    "UniformTeacher",
    "VirtualTeacher",
]

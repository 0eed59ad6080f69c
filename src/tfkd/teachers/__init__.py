"""Teachers: one interface, one file each."""

from tfkd.teachers.base import Batch, Teacher
from tfkd.teachers.network import NetworkTeacher
from tfkd.teachers.uniform import UniformTeacher
from tfkd.teachers.virtual import VirtualTeacher

__all__ = ["Batch", "NetworkTeacher", "Teacher", "UniformTeacher", "VirtualTeacher"]

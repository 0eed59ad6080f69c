"""Teachers: one interface, one file each."""

from tfkd.teachers.base import Answer, Batch, Teacher
from tfkd.teachers.beta import BetaTeacher
from tfkd.teachers.by_class import ClassTeacher
from tfkd.teachers.cached import CachedTeacher
from tfkd.teachers.ensemble import EnsembleTeacher
from tfkd.teachers.few_logits import FewLogits
from tfkd.teachers.last_batch import LastBatchTeacher
from tfkd.teachers.mean import MeanTeacher
from tfkd.teachers.network import NetworkTeacher
from tfkd.teachers.normalized import NormalizedTeacher
from tfkd.teachers.online import OnlineTeacher
from tfkd.teachers.previous import PreviousTeacher
from tfkd.teachers.student import StudentTeacher
from tfkd.teachers.tempered import TemperedTeacher
from tfkd.teachers.top_two import TopTwoTeacher
from tfkd.teachers.uniform import UniformTeacher
from tfkd.teachers.until_passed import UntilPassedTeacher
from tfkd.teachers.virtual import VirtualTeacher
from tfkd.teachers.zipf import ZipfTeacher

__all__ = [
    "Answer",
    "Batch",
    "BetaTeacher",
    "CachedTeacher",
    "ClassTeacher",
    "EnsembleTeacher",
    "FewLogits",
    "LastBatchTeacher",
    "MeanTeacher",
    "NetworkTeacher",
    "NormalizedTeacher",
    "OnlineTeacher",
    "PreviousTeacher",
    "StudentTeacher",
    "Teacher",
    "TemperedTeacher",
    "TopTwoTeacher",
    "UniformTeacher",
    "UntilPassedTeacher",
    "VirtualTeacher",
    "ZipfTeacher",
]

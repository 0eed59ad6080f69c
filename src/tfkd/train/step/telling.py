"""What is seen to before a loss is told of a step."""

from __future__ import annotations

from torch import nn

from tfkd.loss import Criterion
from tfkd.teachers import Teacher
from tfkd.teachers.base import wants
from tfkd.teachers.processes import take_from_first


def share_buffers(network: nn.Module, criterion: Criterion) -> None:
    """Give every process the buffers of the first, where the loss will look at the network.

    Batch norm's running averages are those of each process's own samples until the next forward
    pass, before which DistributedDataParallel does the same.
    """
    teachers = [own for own in criterion.modules() if isinstance(own, Teacher)]
    looks = any(wants(own, "step_ended") for own in teachers)
    if looks:
        take_from_first(list(network.buffers()))

"""The average of a student's weights, kept beside the student."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from tfkd._checks import check_fraction
from tfkd.teachers.asking import logits_of_network
from tfkd.teachers.base import Batch, Teacher
from tfkd.teachers.copies import copy_of
from tfkd.teachers.processes import take_from_first


class AverageTeacher(Teacher):
    """A teacher whose network is the exponential average of the student's weights over its steps.

    After the n-th step the average goes to d·average + (1 − d)·student, with d the smaller of
    1 − 1/(n + 1) and `decay`: at first all that it saw counts alike. It starts as the copy of the
    student that it is given. Steps are counted on the device, which is not waited for.

    The network is in `state_dict()` and follows `.to()`, but `parameters()` has none of it, and its
    mode is its own.

    Args:
        student: the network that is trained, whole on each process.
        decay: in [0, 1).

    Raises:
        TypeError: if `student` is no module or is sharded, or when a batch comes without `inputs`.
        ValueError: for a `decay` out of its range, or when another network is told of.
    """

    steps: Tensor

    def __init__(self, student: nn.Module, *, decay: float) -> None:
        super().__init__()
        self.decay = check_fraction("decay", decay)
        if self.decay == 1.0:
            raise ValueError(f"Expected `decay` below 1, at which nothing is learnt, got {decay}.")
        if not isinstance(student, nn.Module):
            raise TypeError(
                f"Expected `student` to be a torch.nn.Module, got {type(student).__name__}."
            )
        # In a tuple, torch does not register the network as a sub-module.
        self._network = (copy_of(_whole(student)).requires_grad_(False),)
        self._is_everybodys = False
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64, device=_device(student)))

    @property
    def network(self) -> nn.Module:
        """The averaged network."""
        return self._network[0]

    @torch.no_grad()
    def step_ended(self, student: nn.Module) -> None:
        """Take the student's weights into the average."""
        self._begin_alike()
        student = _whole(student)
        own, new = dict(self.network.named_parameters()), dict(student.named_parameters())
        if {n: p.shape for n, p in own.items()} != {n: p.shape for n, p in new.items()}:
            raise ValueError(
                "Expected `student` to be the network whose weights are averaged, as it was when "
                "the teacher was made, got one with other parameters."
            )
        self.steps += 1
        for name, average in own.items():
            share = (1.0 / (self.steps + 1).to(average.dtype)).clamp(min=1.0 - self.decay)
            average.lerp_(new[name].to(average.dtype), share)
        self._take_buffers(student)
        # Each process has seen its own part of a batch, and there is to be one state.
        take_from_first(list(self.network.buffers()))

    @torch.no_grad()
    def _begin_alike(self) -> None:
        """Take the first process's network: each may have drawn its student by a seed of its own.

        A parallel student is the first one's everywhere, but its copy may be older than that.
        """
        if not self._is_everybodys:
            take_from_first([*self.network.parameters(), *self.network.buffers()])
            self._is_everybodys = True

    def _take_buffers(self, student: nn.Module) -> None:
        """Take over what the student has beside its weights, if that is taken over."""

    def _ask(self, batch: Batch) -> Tensor:
        """The network's logits of `batch.inputs`."""
        if batch.inputs is None:
            raise TypeError(
                f"Expected `inputs`, which the network of a {type(self).__name__} looks at, got "
                "None. Call the loss as `criterion(student_logits, labels, inputs)`."
            )
        if self.training:
            self._begin_alike()
        with torch.no_grad():
            return logits_of_network(
                self.network, batch.inputs, whose="the `student`", class_dim=batch.class_dim
            )

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> AverageTeacher:
        self.network._apply(fn, recurse)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        self.network.state_dict(
            destination=destination, prefix=f"{prefix}network.", keep_vars=keep_vars
        )

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, *lists: list[str]
    ) -> None:
        missing, unexpected, errors = lists
        of_network = f"{prefix}network."
        own = {name: value for name, value in state_dict.items() if name.startswith(of_network)}
        rest = {name: value for name, value in state_dict.items() if name not in own}
        super()._load_from_state_dict(rest, prefix, local_metadata, strict, *lists)
        weights = {name.removeprefix(of_network): value for name, value in own.items()}
        try:
            found = self.network.load_state_dict(weights, strict=False)
        except RuntimeError as error:  # shapes of another network
            errors.append(str(error))
            return
        missing += [of_network + name for name in found.missing_keys if strict]
        unexpected += [of_network + name for name in found.unexpected_keys if strict]

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        return f"decay={self.decay:g}"


def _whole(student: nn.Module) -> nn.Module:
    """The network itself, out of what it is wrapped in to be trained; `TypeError` if sharded."""
    while True:
        if isinstance(student, DataParallel | DistributedDataParallel):
            student = student.module
        elif isinstance(compiled := getattr(student, "_orig_mod", None), nn.Module):
            student = compiled
        else:
            break
    sharded = any(hasattr(parameter, "device_mesh") for parameter in student.parameters())
    if sharded or any(type(m).__name__ == "FullyShardedDataParallel" for m in student.modules()):
        raise TypeError(
            "Expected a `student` that is whole on each process, got one that is sharded (FSDP), "
            "whose weights no process can average. Train it in parallel without sharding."
        )
    return student


def _device(student: nn.Module) -> torch.device | None:
    parameter = next(student.parameters(), None)
    return None if parameter is None else parameter.device

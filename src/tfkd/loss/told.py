"""A criterion that is told of steps and epochs, which its settings and its teacher follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from tfkd._checks import check_integer
from tfkd.loss.checks import CHECKED
from tfkd.loss.criterion import Criterion
from tfkd.loss.schedules import Progress, ends, looked_at
from tfkd.loss.step_watch import StepWatch
from tfkd.teachers.base import (
    HOOKS,
    Batch,
    Teacher,
    check_is_teacher,
    is_transformed,
    replaced,
    wants,
)
from tfkd.teachers.processes import (
    are_several,
    gathered,
    sizes_of_all,
    total_over_processes,
)

Setting = float | Callable[[Progress], float]
"""A number, or a function from `tfkd.loss.schedules.Progress` to one."""

SamplesPerEpoch = int | Literal["told"] | None


class ToldCriterion(Criterion):
    """Keeps its numbers, and a teacher if it has one, up with training.

    Args:
        teacher: whose hooks are called; None where nobody teaches.
        settings: by name, all numbers of `checked`.
        samples_per_epoch: as of `DistillationLoss`.
        options: of `Criterion`.
    """

    checked: ClassVar[Mapping[str, Callable[[str, float], float]]] = CHECKED
    """The numbers that may follow a schedule, and how each is checked."""

    alpha: float
    temperature: float
    scale: float

    def __init__(
        self,
        teacher: Teacher | None,
        settings: dict[str, Setting],
        samples_per_epoch: SamplesPerEpoch,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._wants = dict.fromkeys(HOOKS, False)
        if teacher is not None:
            self.teacher = teacher
        self.progress = Progress()
        self.schedules: dict[str, Callable[[Progress], float]] = {}
        # By schedule, which fields of progress it has looked at.
        self._follows: dict[str, frozenset[str]] = {}
        self._changed = False
        # Read in place of the numbers where they change and are compiled: one graph for all values.
        self._values = torch.zeros(len(self.checked), dtype=torch.float64)
        for name, setting in settings.items():
            setattr(self, name, setting)
        self._changed = False
        self._samples = 0  # of the epoch, as they are counted
        self._untold = 0  # since `epoch_ended` was last called, or since the first
        self._watch = StepWatch()
        self.samples_per_epoch = samples_per_epoch

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.checked:
            self._assign(name, value)
            return
        if name == "samples_per_epoch":
            _check_samples_per_epoch(value)
            self._check_told(samples_per_epoch=value)
        elif name == "teacher":
            check_is_teacher(value)
            self._check_told(teacher=value)
            self._wants = {hook: wants(value, hook) for hook in HOOKS}
        super().__setattr__(name, value)

    def _assign(self, name: str, value: Setting) -> None:
        schedules = {other: own for other, own in self.schedules.items() if other != name}
        follows = {other: own for other, own in self._follows.items() if other != name}
        if callable(value):
            schedules[name] = value
            for progress in ends(value):
                self.checked[name](name, _asked(name, value, progress)[0])
            value, follows[name] = _asked(name, value, self.progress)
        self.checked[name](name, value)
        self._check_told(_follows=follows)
        self._set(name, value)
        self.schedules, self._follows = schedules, follows

    def _set(self, name: str, value: float) -> None:
        number = float(self.checked[name](name, value))
        self._changed |= number != self.__dict__.get(name)
        self.__dict__[name] = number
        self._values[list(self.checked).index(name)] = number

    def _look_at_teachers(self) -> None:
        """Learn which hooks are wanted, since a wrapper may have been given another teacher."""
        if torch.compiler.is_compiling() or not self._is_taught or not self.teacher._modules:
            return
        now = {hook: wants(self.teacher, hook) for hook in HOOKS}
        if now != self._wants:
            self._check_told()
            self._wants = now

    def _check_told(self, **changed: Any) -> None:
        """Refuse what would never learn of the end of an epoch, once all is known."""
        now = {**self.__dict__, **self._modules, **changed}
        if now.get("samples_per_epoch", "told") is not None:
            return
        by_epochs = [name for name, fields in now["_follows"].items() if "epochs" in fields]
        who = [f"the schedule of `{name}`" for name in by_epochs]
        teacher = now.get("teacher")
        if teacher is not None and wants(teacher, "epoch_ended"):
            who.append(type(teacher).__name__)
        if who:
            raise ValueError(
                f"Expected `samples_per_epoch`, since {who[0]} counts epochs: how many samples an "
                'epoch shows, over all processes together; or "told", and call '
                "`criterion.epoch_ended()` after each epoch."
            )

    def _now(self) -> list[Tensor | float]:
        """The numbers in their order, or tensors where they change and are compiled."""
        if torch.compiler.is_compiling() and (self._changed or self.schedules):
            return [self._values[at] for at in range(len(self.checked))]
        return [getattr(self, name) for name in self.checked]

    def _said(self, name: str) -> str:
        """A setting as `repr` has it."""
        schedule = self.schedules.get(name)
        return f"{getattr(self, name):g}" if schedule is None else repr(schedule)

    @property
    def _is_taught(self) -> bool:
        return "teacher" in self._modules

    @property
    def _counts_steps(self) -> bool:
        by_steps = any("steps" in fields for fields in self._follows.values())
        return by_steps or self._wants["step_ended"]

    @property
    def _counts_epochs(self) -> bool:
        by_epochs = any("epochs" in fields for fields in self._follows.values())
        return by_epochs or self._wants["epoch_ended"]

    @property
    def _counts_samples(self) -> bool:
        return isinstance(self.samples_per_epoch, int) and self._counts_epochs

    def _is_trained_by(self, student_logits: Tensor) -> bool:
        """Whether a gradient will be taken of a batch, in training."""
        return self.training and student_logits.requires_grad and torch.is_grad_enabled()

    def batch_begins(self, student_logits: Tensor) -> None:
        """Before a batch of training is answered, end the epoch that lies behind it."""
        self._look_at_teachers()
        if self._wants["observe"] and is_transformed() and not torch.compiler.is_compiling():
            raise RuntimeError(
                f"Expected `loss.backward()` or torch.autograd where {type(self.teacher).__name__} "
                "remembers what it sees, got a transform of torch.func, out of which nothing can "
                "be kept. For derivatives alone, with nothing remembered, call `criterion.eval()`."
            )
        if self._counts_samples:
            self._end_epoch()
        if not torch.compiler.is_compiling() and self._counts_steps:
            missed = self._watch.look(student_logits)
            if missed is not None:
                raise RuntimeError(
                    "Expected `criterion.step_ended(model)` after each step of the optimiser, but "
                    f"{missed} without it."
                )

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _end_epoch(self) -> None:
        assert isinstance(self.samples_per_epoch, int)
        if self._samples >= self.samples_per_epoch:
            self._next_epoch()

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _count(self, student_logits: Tensor) -> None:
        own = len(student_logits) if student_logits.dim() > 1 else 1
        all_own = total_over_processes(own, student_logits.device)
        self._samples += all_own
        self._untold += all_own

    def batch_ended(self, batch: Batch) -> None:
        """Count a batch of training that was answered, and let the teacher observe it."""
        if self._counts_samples:
            self._count(batch.student_logits)
        if not self._wants["observe"]:
            return
        batch = replaced(batch, student_logits=batch.student_logits.detach())
        if are_several():
            self._observe_all(batch)
            return
        with torch.no_grad():
            self.teacher.observe(batch)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _observe_all(self, batch: Batch) -> None:
        logits, labels, indices = batch.student_logits, batch.labels, batch.indices
        if logits.dim() == 1:  # of each process one sample: together they are a batch
            logits, labels = logits.unsqueeze(0), labels.unsqueeze(0)
            indices = None if indices is None else indices.reshape(1)
        with torch.no_grad():
            sizes = sizes_of_all(len(labels), labels.device)
            indices = None if indices is None else gathered(indices.to(labels.device), sizes)
            self.teacher.observe(
                replaced(
                    batch,
                    student_logits=gathered(logits, sizes),
                    labels=gathered(labels, sizes),
                    indices=indices,
                    sizes=sizes,
                )
            )

    def step_ended(self, student: nn.Module) -> None:
        """Tell of a step of the optimiser, after it.

        Args:
            student: the network that is trained, with its new weights.
        """
        self._look_at_teachers()
        progress = self.progress._replace(steps=self.progress.steps + 1)
        numbers = self._numbers_at(progress)  # refused, if at all, before anything has changed
        if self._is_taught:
            with torch.no_grad():
                self.teacher.step_ended(student)
        self._watch.told()
        self._goes_on(progress, numbers)

    def epoch_ended(self) -> None:
        """Tell that all samples of an epoch were seen.

        Raises:
            RuntimeError: if `samples_per_epoch` is fewer than were shown since it was last called,
                so that an epoch among them was ended by their count already.
        """
        if self._counts_samples and self._untold != self._samples:
            raise RuntimeError(
                "Expected `criterion.epoch_ended()` after each epoch of the "
                f"{self.samples_per_epoch} `samples_per_epoch`, got {self._untold} samples since "
                "the last one: they would end epochs by their count, and once more now. Write "
                '`samples_per_epoch="told"` to end them by the call alone, or leave the call out.'
            )
        self._next_epoch()
        self._untold = 0

    def _next_epoch(self) -> None:
        self._look_at_teachers()
        progress = self.progress._replace(epochs=self.progress.epochs + 1)
        numbers = self._numbers_at(progress)
        if self._is_taught:
            with torch.no_grad():
                self.teacher.epoch_ended()
        self._samples = 0
        self._goes_on(progress, numbers)

    def _numbers_at(self, progress: Progress) -> dict[str, float]:
        """What the schedules give there; nothing is changed but what they are seen to follow."""
        numbers, follows = {}, dict(self._follows)
        for name, schedule in self.schedules.items():
            value, fields = _asked(name, schedule, progress)
            numbers[name] = self.checked[name](name, value)
            follows[name] = follows[name] | fields
        if follows != self._follows:
            self._check_told(_follows=follows)
            self._follows = follows
        return numbers

    def _goes_on(self, progress: Progress, numbers: dict[str, float]) -> None:
        self.progress = progress
        for name, number in numbers.items():
            self._set(name, number)

    @property
    def _is_counted(self) -> bool:
        self._look_at_teachers()
        return self._counts_epochs or self._counts_steps

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self._is_counted:
            destination[prefix + "progress"] = torch.tensor(
                [*self.progress, self._samples, self._untold]
            )

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, *lists: list[str]
    ) -> None:
        key = prefix + "progress"
        if self._is_counted and key in state_dict:
            epochs, steps, self._samples, *untold = state_dict[key].tolist()
            self._untold = untold[0] if untold else self._samples  # a state of before has none
            progress = Progress(epochs, steps)
            self._goes_on(progress, self._numbers_at(progress))
            self._watch.told()
        elif self._is_counted and strict:
            lists[0].append(key)
        if self._is_counted:
            state_dict = {name: value for name, value in state_dict.items() if name != key}
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, *lists)


def _check_samples_per_epoch(value: object) -> None:
    if isinstance(value, int) and not isinstance(value, bool):
        check_integer("samples_per_epoch", value, minimum=1)
    elif value is not None and value != "told":
        got = repr(value) if isinstance(value, (str, float)) else type(value).__name__
        raise TypeError(
            f'Expected `samples_per_epoch` to be an int of at least 1, or "told", got {got}.'
        )


def _asked(
    name: str, schedule: Callable[[Progress], float], progress: Progress
) -> tuple[float, frozenset[str]]:
    """The value of a schedule, and what it looked at."""
    expected = (
        f"Expected `{name}` to be a number or a function, which takes a "
        "tfkd.loss.schedules.Progress of `epochs` and `steps` and returns a number, got"
    )
    try:
        value, fields = looked_at(schedule, progress)
    except Exception as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        said = f"{schedule!r}, which raises {type(error).__name__} for {progress}: {error}"
        raise kind(f"{expected} {said}") from error
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{expected} {schedule!r}, which returns {type(value).__name__}.")
    return value, fields

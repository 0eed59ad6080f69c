"""A criterion that is told of steps and epochs, which its settings and its teacher follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from tfkd._checks import check_integer
from tfkd.loss.checks import CHECKED
from tfkd.loss.criterion import Criterion
from tfkd.loss.schedules import Progress, counts_steps
from tfkd.loss.step_watch import StepWatch
from tfkd.teachers.base import Batch, Teacher, wants
from tfkd.teachers.processes import are_several, gathered, total_over_processes

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
        if teacher is not None:
            self.teacher = teacher
        self.progress = Progress()
        self.schedules: dict[str, Callable[[Progress], float]] = {}
        self._changed = False
        # Read in place of the numbers where they change and are compiled: one graph for all values.
        self._values = torch.zeros(len(self.checked), dtype=torch.float64)
        for name, setting in settings.items():
            setattr(self, name, setting)
        self._changed = False
        self._samples = 0
        self._watch = StepWatch()
        self._observed = self._hears("observe")
        self.samples_per_epoch = samples_per_epoch
        self._check_told()

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.checked:
            super().__setattr__(name, value)
            return
        schedule = value if callable(value) else None
        self._set(name, value if schedule is None else schedule(self.progress))
        self.schedules.pop(name, None)  # only now: what is refused changes nothing
        if schedule is not None:
            self.schedules[name] = schedule

    def _set(self, name: str, value: float) -> None:
        number = float(self.checked[name](name, value))
        self._changed |= number != self.__dict__.get(name)
        self.__dict__[name] = number
        self._values[list(self.checked).index(name)] = number

    def _now(self) -> list[Tensor | float]:
        """The numbers in their order, or tensors where they change and are compiled."""
        if torch.compiler.is_compiling() and (self._changed or self.schedules):
            return [self._values[at] for at in range(len(self.checked))]
        return [getattr(self, name) for name in self.checked]

    @property
    def _is_taught(self) -> bool:
        return "teacher" in self._modules

    def _hears(self, hook: str) -> bool:
        return self._is_taught and wants(self.teacher, hook)

    @property
    def _counts_steps(self) -> bool:
        by_steps = any(counts_steps(schedule) for schedule in self.schedules.values())
        return by_steps or self._hears("step_ended")

    @property
    def _counts_epochs(self) -> bool:
        by_epochs = any(not counts_steps(schedule) for schedule in self.schedules.values())
        return by_epochs or self._hears("epoch_ended")

    def _said(self, name: str) -> str:
        """A setting as `repr` has it."""
        schedule = self.schedules.get(name)
        return f"{getattr(self, name):g}" if schedule is None else repr(schedule)

    def _check_told(self) -> None:
        if self.samples_per_epoch is not None and self.samples_per_epoch != "told":
            check_integer("samples_per_epoch", self.samples_per_epoch, minimum=1)
        elif self.samples_per_epoch is None and self._counts_epochs:
            who = [name for name, own in self.schedules.items() if not counts_steps(own)]
            what = f"the schedule of `{who[0]}`" if who else f"{type(self.teacher).__name__}"
            raise ValueError(
                f"Expected `samples_per_epoch`, since {what} counts epochs: how many samples an "
                'epoch shows, over all processes together; or "told", and call '
                "`criterion.epoch_ended()` after each epoch."
            )

    def batch_begins(self, student_logits: Tensor) -> None:
        """Count a batch of training, before it is answered; end the epoch that lies behind it."""
        if isinstance(self.samples_per_epoch, int) and self._counts_epochs:
            self._count(student_logits)
        if not torch.compiler.is_compiling() and self._counts_steps:
            missed = self._watch.look(student_logits)
            if missed is not None:
                raise RuntimeError(
                    "Expected `criterion.step_ended(model)` after each step of the optimiser, but "
                    f"{missed} without it."
                )

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _count(self, student_logits: Tensor) -> None:
        assert isinstance(self.samples_per_epoch, int)
        if self._samples >= self.samples_per_epoch:
            self.epoch_ended()
        own = len(student_logits) if student_logits.dim() > 1 else 1
        self._samples += total_over_processes(own, student_logits.device)

    def batch_ended(self, batch: Batch) -> None:
        """Let the teacher observe a batch of training that it has answered."""
        if not self._observed:
            return
        batch = batch._replace(student_logits=batch.student_logits.detach())
        if are_several():
            self._observe_all(batch)
            return
        with torch.no_grad():
            self.teacher.observe(batch)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _observe_all(self, batch: Batch) -> None:
        with torch.no_grad():
            indices = batch.indices
            self.teacher.observe(
                batch._replace(
                    student_logits=gathered(batch.student_logits),
                    labels=gathered(batch.labels),
                    indices=None if indices is None else gathered(indices.to(batch.labels.device)),
                )
            )

    def step_ended(self, student: nn.Module) -> None:
        """Tell of a step of the optimiser, after it.

        Args:
            student: the network that is trained, with its new weights.
        """
        if self._is_taught:
            with torch.no_grad():
                self.teacher.step_ended(student)
        self._watch.told()
        self._goes_on(self.progress._replace(steps=self.progress.steps + 1))

    def epoch_ended(self) -> None:
        """Tell that all samples of an epoch were seen."""
        if self._is_taught:
            with torch.no_grad():
                self.teacher.epoch_ended()
        self._samples = 0
        self._goes_on(self.progress._replace(epochs=self.progress.epochs + 1))

    def _goes_on(self, progress: Progress) -> None:
        self.progress = progress
        for name, schedule in self.schedules.items():
            self._set(name, schedule(progress))

    @property
    def _is_counted(self) -> bool:
        return self._counts_epochs or self._counts_steps

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self._is_counted:
            destination[prefix + "progress"] = torch.tensor([*self.progress, self._samples])

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, *lists: list[str]
    ) -> None:
        key = prefix + "progress"
        if self._is_counted and key in state_dict:
            epochs, steps, self._samples = state_dict[key].tolist()
            self._goes_on(Progress(epochs, steps))
            self._watch.told()
        elif self._is_counted and strict:
            lists[0].append(key)
        rest = {name: value for name, value in state_dict.items() if name != key}
        super()._load_from_state_dict(rest, prefix, local_metadata, strict, *lists)

"""timm's training tasks, with any criterion and any teacher."""

from __future__ import annotations

from functools import cache
from typing import Any

from torch import Tensor, nn

from tfkd._extras import pip_line
from tfkd.loss.criterion import Criterion, as_criterion


def criterion_task(model: nn.Module, criterion: Criterion, **options: Any) -> Any:
    """Return a `timm.task.ClassificationTask` whose criterion sees the inputs, too.

    The criterion learns of each step from `update_ema`, which timm's loop calls after it whether
    or not there is an average of the weights, and its memory is part of the task's checkpoints.
    The end of an epoch is not told there: give `samples_per_epoch` as a number.

    Args:
        model: that is trained, on its device.
        criterion: any of this package.
        **options: `device`, `dtype`, `verbose` of the task.

    Raises:
        ImportError: without timm, or with one that has no `timm.task.ClassificationTask`.
        TypeError: for a loss that is none of this package.
    """
    as_criterion("criterion", criterion)
    return _task_class()(model, criterion, **options)


@cache
def _task_class() -> Any:
    try:
        from timm.task import ClassificationTask
        from timm.utils.model import unwrap_model
    except ImportError as error:
        line = f"tfkd.adapters.timm needs a timm that has timm.task: {pip_line('hosts')}"
        raise ImportError(line, name="timm") from error

    class CriterionTask(ClassificationTask):
        criterion: Criterion

        def forward(self, input: Tensor, target: Tensor, **samples: Any) -> dict[str, Tensor]:
            output = self.trainable_module(input)
            return {"loss": self.criterion(output, target, input, **samples), "output": output}

        def update_ema(self, step: int | None = None) -> None:
            super().update_ema(step)
            student = unwrap_model(self.trainable_module)  # type: ignore[no-untyped-call]
            self.criterion.step_ended(student)

        def get_task_state(self, module: nn.Module | None = None, ema: bool = False) -> Any:
            return {} if ema else self.criterion.state_dict()

        def load_task_state(
            self, state: Any, strict: bool = True, module: Any = None, ema: bool = False
        ) -> None:
            if ema:
                return
            if strict and not state and self.criterion.state_dict():
                raise RuntimeError(
                    "Expected a `task_state` in the checkpoint, what the criterion remembers, got "
                    "none: it was made without `criterion_task`, or with a criterion that "
                    "remembers nothing. Resume with that one; or begin anew with its weights, as "
                    "`timm.models.load_checkpoint(model, ...)` reads them."
                )
            self.criterion.load_state_dict(state or {}, strict=strict)

    return CriterionTask

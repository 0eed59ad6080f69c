"""Lightning's `Trainer` tells a criterion of its steps and epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from tfkd._extras import stand_in
from tfkd.loss.criterion import as_criterion

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer
try:
    from lightning.pytorch import Callback
except ImportError:
    Callback = stand_in("Lightning", "hosts")


class CriterionCallback(Callback):  # type: ignore[misc]
    """Tells the criterion of a `LightningModule` of steps and epochs, also where one is resumed.

    The criterion is an attribute of the module, and so is saved with every checkpoint. A step is
    told of after the optimiser's, whatever is accumulated; the end of an epoch when the next one
    begins, or training ends behind its last batch. For Lightning does not call `on_train_epoch_end`
    where it goes on from a checkpoint that was made after the last batch of an epoch and before
    that hook.

    Args:
        criterion: name of the attribute that is the criterion.
        student: name of the one that is the network it trains.

    Raises:
        ImportError: without Lightning.
        TypeError: when `fit` begins, if one of the two is something else.
        ValueError: when `fit` begins, if the module has no attribute of that name.
    """

    def __init__(self, criterion: str = "criterion", student: str = "model") -> None:
        super().__init__()
        self.criterion, self.student = criterion, student
        # Epochs that the criterion has seen beyond the trainer's own, in an earlier `fit`.
        self._before: int | None = None
        self._steps = 0
        # Whether the last batch trained on left others of its epoch.
        self._is_inside_epoch = False

    def state_dict(self) -> dict[str, Any]:
        """Return what is saved with a checkpoint."""
        return {"before": self._before, "is_inside_epoch": self._is_inside_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what a checkpoint has."""
        self._before = state_dict["before"]
        self._is_inside_epoch = state_dict.get("is_inside_epoch", False)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Forget an earlier `fit`; a checkpoint is loaded later."""
        self._before, self._is_inside_epoch = None, False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check that both are there, before anything is trained."""
        for option in ("criterion", "student"):
            name = getattr(self, option)
            if not hasattr(pl_module, name):
                raise ValueError(
                    f"Expected `{option}` to name an attribute of {type(pl_module).__name__}, got "
                    f"{name!r}, which it has not. Write "
                    f"`CriterionCallback({option}=...)` with the name that it has."
                )
        as_criterion(self.criterion, getattr(pl_module, self.criterion))
        student = getattr(pl_module, self.student)
        if not isinstance(student, nn.Module):
            raise TypeError(
                f"Expected `{self.student}`, the student, to be a torch.nn.Module, got "
                f"{type(student).__name__}."
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note where training begins, or goes on."""
        self._steps = trainer.global_step
        if self._before is None:
            epochs = getattr(pl_module, self.criterion).progress.epochs
            self._before = epochs - trainer.current_epoch

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Tell that the epoch before has ended, unless that was told."""
        criterion = getattr(pl_module, self.criterion)
        if criterion.progress.epochs < trainer.current_epoch + (self._before or 0):
            criterion.epoch_ended()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Tell of a step, if there was one."""
        if trainer.global_step > self._steps:
            getattr(pl_module, self.criterion).step_ended(getattr(pl_module, self.student))
        self._steps = trainer.global_step
        self._is_inside_epoch = not trainer.is_last_batch

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell that the last epoch has ended, unless training ended inside of it."""
        if not self._is_inside_epoch:
            self.on_train_batch_start(trainer, pl_module)

    # Of a checkpoint made at the end of the last epoch Lightning trains nothing, and calls this.
    on_fit_end = on_train_end

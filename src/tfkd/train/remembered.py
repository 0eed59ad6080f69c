"""What a loss remembers of its training, to be kept and found again."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from tfkd.loss import Criterion
from tfkd.teachers import Teacher
from tfkd.teachers.base import HOOKS, wants


def remembered(criterion: Criterion) -> dict[str, Tensor]:
    """Return what training changes of a loss, by its names in `state_dict`; most have nothing.

    The weights of classes are no part of it, nor is what a teacher without hooks holds: both are
    made anew from the settings.
    """
    constant = tuple(
        f"{name}."
        for name, own in criterion.named_modules()
        if isinstance(own, Teacher) and not any(wants(own, hook) for hook in HOOKS)
    )
    return {
        name: value
        for name, value in criterion.state_dict().items()
        if name != "weight" and not name.startswith(constant)
    }


def load_remembered(criterion: Criterion, found: Mapping[str, Tensor]) -> None:
    """Load what was kept of a loss, after it was checked; what is constant stays as it is."""
    if found:
        criterion.load_state_dict({**criterion.state_dict(), **found})


def may_be_longer(criterion: Criterion, name: str) -> bool:
    """Return whether more or fewer rows may be kept of a tensor than there are now.

    So it is where a teacher loads its state in a way of its own: how much it remembers depends on
    what it saw.
    """
    owner = criterion.get_submodule(name.rpartition(".")[0])
    own = type(owner)._load_from_state_dict is not nn.Module._load_from_state_dict
    return own and isinstance(owner, Teacher)

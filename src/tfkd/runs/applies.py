"""Whether a method can be trained as a recipe asks: its loss is tried with labels as they come."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from tfkd.method_table import find_method

CLASSES = 10
"""Of the batch that a loss is tried with."""


def check_applies(
    name: str,
    dialect: str,
    numbers: Mapping[str, float],
    *,
    mixtures: Mapping[str, float],
    weighted: bool,
) -> None:
    """Check that the loss of a method takes what it will be called with.

    Args:
        name: of the method.
        dialect: whose formula it has.
        numbers: all that it takes.
        mixtures: by name, how much labels are mixed; 0: not at all.
        weighted: whether classes have weights.

    Raises:
        ValueError: with what the loss itself says of labels that are mixtures, or of weights.
    """
    method, own = find_method(name), tuple(numbers.items())
    for option, value in mixtures.items():
        if value > 0.0 and method.partners == "none":  # whose own reason is another
            said = _refused(name, dialect, own, mixed=True, weighted=False)
            if said is not None:
                raise ValueError(
                    f"Expected no `{option}` for the method {name}, got {value:g}, which makes "
                    f"labels mixtures: {said}"
                )
    if weighted:
        method.check_takes_weight(dialect)
        said = _refused(name, dialect, own, mixed=False, weighted=True)
        if said is not None:
            raise ValueError(f"Expected `class_weights` none for the method {name}: {said}")


@cache
def _refused(
    name: str, dialect: str, numbers: tuple[tuple[str, float], ...], *, mixed: bool, weighted: bool
) -> str | None:
    """What a loss says of a batch that it does not take; None where it takes it.

    Of a loss that does not take the stand-ins here at all nothing is said: training will tell.
    """
    import torch

    takes_plain = False
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            _try(name, dialect, dict(numbers), mixed=False, weighted=False)
            takes_plain = True
            _try(name, dialect, dict(numbers), mixed=mixed, weighted=weighted)
    except (TypeError, ValueError) as error:
        # One sentence with what it is a reason of; its arguments are no options.
        said = re.sub("^Expected ", "its loss expects ", str(error)).replace("`", "")
        return said if takes_plain else None
    except Exception:  # of one's own
        return None
    return None


def _try(
    name: str, dialect: str, numbers: Mapping[str, float], *, mixed: bool, weighted: bool
) -> None:
    """Call a loss twice, the second time with what it remembers of the first.

    It is not in training, where other processes would be asked.
    """
    import torch
    from torch import nn

    from tfkd.teachers import Batch, Teacher

    method = find_method(name)
    criterion = method.build(
        dialect,
        numbers,
        num_classes=CLASSES,
        teacher=nn.Identity() if method.has_teacher else None,
        weight=torch.ones(CLASSES) if weighted else None,
        student=nn.Identity(),
        num_samples=4,
    ).eval()
    indices = torch.arange(4)
    labels = torch.full((4, CLASSES), 1.0 / CLASSES) if mixed else indices
    logits = torch.linspace(-1.0, 1.0, 4 * CLASSES).reshape(4, CLASSES)
    for _ in range(2):
        criterion(logits, labels, logits, indices=indices, view=0)
        for own in criterion.children():
            if isinstance(own, Teacher):
                own.observe(Batch(logits, labels, logits, indices, 0))


def sampling_temperature(name: str, dialect: str, numbers: Mapping[str, float]) -> float:
    """Return the temperature at which the answers of a method's teacher may be drawn.

    Draws are right on average where the loss is linear in the probabilities that they stand for:
    in the divergence as it is, at one temperature, from the network itself.

    Args:
        name: of the method.
        dialect: whose formula it has.
        numbers: all that it takes.

    Raises:
        ValueError: for another method.
    """
    temperature = _sampled_at(name, dialect, tuple(numbers.items()))
    if temperature is None:
        raise ValueError(
            f"Expected no `teacher_cache` of draws with the method {name}: they are right on "
            "average only where the loss is the divergence from the network's own probabilities, "
            "at one temperature. Take float32, float16 or top-K."
        )
    return temperature


@cache
def _sampled_at(name: str, dialect: str, numbers: tuple[tuple[str, float], ...]) -> float | None:
    import torch
    from torch import nn

    from tfkd.loss import DistillationLoss
    from tfkd.teachers import NetworkTeacher

    method = find_method(name)
    try:
        with torch.random.fork_rng(devices=[]):
            criterion = method.build(
                dialect,
                dict(numbers),
                num_classes=CLASSES,
                teacher=nn.Identity() if method.has_teacher else None,
                student=nn.Identity(),
                num_samples=4,
            )
    except Exception:  # of one's own
        return None
    if type(criterion) is not DistillationLoss or not isinstance(criterion.teacher, NetworkTeacher):
        return None
    plain = criterion.decoupled is None and not criterion.standardize
    fixed = plain and isinstance(criterion.temperature, int | float)
    return float(criterion.temperature) if fixed else None

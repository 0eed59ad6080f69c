"""Whether a method can be trained as a recipe asks: its loss is tried with labels as they come."""

from __future__ import annotations

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
                    f"labels mixtures. {said}"
                )
    if weighted:
        method.check_takes_weight(dialect)
        said = _refused(name, dialect, own, mixed=False, weighted=True)
        if said is not None:
            raise ValueError(f"Expected `class_weights` none for the method {name}. {said}")


@cache
def _refused(
    name: str, dialect: str, numbers: tuple[tuple[str, float], ...], *, mixed: bool, weighted: bool
) -> str | None:
    """What a loss says of a batch that it does not take; None where it takes it.

    Processes are not asked: it is tried apart from training, by each of them or by one alone.
    """
    import torch
    from torch import nn

    from tfkd.loss.told import ToldCriterion
    from tfkd.teachers import Batch

    row = find_method(name)
    labels = torch.arange(4)
    if mixed:
        labels = torch.full((4, CLASSES), 1.0 / CLASSES)
    logits = torch.linspace(-1.0, 1.0, 4 * CLASSES).reshape(4, CLASSES)
    try:
        criterion = row.build(
            dialect,
            dict(numbers),
            num_classes=CLASSES,
            teacher=nn.Identity() if row.has_teacher else None,
            weight=torch.ones(CLASSES) if weighted else None,
            student=nn.Identity(),
            num_samples=4,
        ).eval()
    except ValueError as error:  # by its weights, or of a number that fits other data
        return str(error) if weighted else None
    try:
        for _ in range(2):  # of the second, it remembers the first
            indices = torch.arange(4)
            criterion(logits, labels, logits, indices=indices, view=0)
            if isinstance(criterion, ToldCriterion):
                with torch.no_grad():
                    criterion.teacher.observe(Batch(logits, labels, logits, indices, 0))
    except (TypeError, ValueError) as error:
        return str(error)
    return None

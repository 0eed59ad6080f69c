"""Whether a teacher that gains its weight over epochs is given the time to have it."""

from __future__ import annotations

from tfkd.runs import MethodSettings

MOST = 0.25
"""Of a training, the share over which a teacher gains its weight without a word."""


def remark_on_warm_up(method: MethodSettings, epochs: int) -> str | None:
    """Return a sentence where the teacher gains its weight over much of a training, or None.

    Args:
        method: with its numbers.
        epochs: of the training.

    Example:
        >>> remark = remark_on_warm_up(MethodSettings("decoupled_kd"), epochs=20)
        >>> remark.partition(": ")[0]
        'decoupled_kd gives its teacher the whole weight only after 20 epochs, of 20 in all'
        >>> remark_on_warm_up(MethodSettings("decoupled_kd"), epochs=240)
    """
    for name in ("warm_up", "ramp_up"):
        length = method.numbers.get(name, 0.0)
        if length > max(MOST * epochs, 1.0):
            return (
                f"{method.name} gives its teacher the whole weight only after {length:g} epochs, "
                f"of {epochs} in all: choose --{name.replace('_', '-')} with the length of the "
                "training."
            )
    return None

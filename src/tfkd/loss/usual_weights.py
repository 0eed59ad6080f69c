"""What the terms of a loss weigh together, where a teacher speaks of some samples more loudly."""

from __future__ import annotations

from typing import NamedTuple

from tfkd.teachers import Teacher


class UsualWeights(NamedTuple):
    """The weights of a loss, counting how loudly its teacher speaks.

    Attributes:
        alpha: weight of the teacher term, the weights of both terms adding up to 1.
        scale: what they add up to before.
    """

    alpha: float
    scale: float


def usual_weights(teacher: Teacher, alpha: float, scale: float) -> UsualWeights:
    """Return s·[(1 − α)·label share + α·share], and α as the teacher term's part of it.

    Args:
        teacher: whose usual shares count; one that depends on the sample is taken as 1.
        alpha: α of the loss.
        scale: s of the loss.

    Example:
        >>> import tfkd
        >>> usual_weights(tfkd.LastBatchTeacher(), alpha=0.5, scale=4.0)
        UsualWeights(alpha=0.3333333333333333, scale=3.0)
    """
    share, label_share = teacher.usual_share, teacher.usual_label_share
    share = 1.0 if share is None else share
    label_share = 1.0 if label_share is None else label_share
    if share == label_share == 1.0:
        return UsualWeights(alpha, scale)
    kept, taught = (1.0 - alpha) * label_share, alpha * share
    return UsualWeights(taught / (kept + taught), scale * (kept + taught))

"""The check of the two arguments that every network here takes."""

from __future__ import annotations

from tfkd._checks import check_num_classes


def check_sizes(*, num_classes: int, in_channels: int) -> None:
    """Accept at least 2 classes and at least 1 channel.

    Raises:
        TypeError: if either is not an int.
        ValueError: if `num_classes` is below 2 or `in_channels` below 1.
    """
    check_num_classes(num_classes)
    if isinstance(in_channels, bool) or not isinstance(in_channels, int):
        raise TypeError(f"Expected `in_channels` to be an int, got {type(in_channels).__name__}.")
    if in_channels < 1:
        raise ValueError(f"Expected `in_channels` of at least 1, got {in_channels}.")

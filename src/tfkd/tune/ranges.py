"""Where learning rate and weight decay are searched, for every method alike."""

from __future__ import annotations

from tfkd._checks import check_positive
from tfkd.runs.settings import LARGEST_RATE

Range = tuple[float, float]
"""Smallest and largest value that is tried."""

RATES = (1 / 10, 3.0)
"""Times the recipe's own learning rate: where it is searched unless a range is said."""

DECAYS = (1 / 10, 10.0)
"""Times the recipe's own weight decay, likewise."""


def range_around(name: str, said: Range | None, own: float, factors: Range) -> Range:
    """Return a range as it was said, or around the recipe's own value.

    Args:
        name: of the option that says it.
        said: None: it was not.
        own: value of the recipe.
        factors: times that, from where to where.

    Raises:
        ValueError: for no range of numbers above 0, or for one around 0.

    Example:
        >>> range_around("learning_rates", None, 0.1, RATES)
        (0.01, 0.3)
    """
    if said is None:
        if own == 0.0:
            raise ValueError(
                f"Expected a range of `{name}` as tfkd tune takes it, as in 1e-5:1e-2, or a "
                f"`{name.removesuffix('s')}` above 0, around which it is searched; got 0."
            )
        said = (float(f"{own * factors[0]:.6g}"), float(f"{own * factors[1]:.6g}"))
    low, high = (check_positive(name, value) for value in said)
    if not low <= high <= LARGEST_RATE:
        raise ValueError(
            f"Expected `{name}` from a smaller to a larger one, of at most {LARGEST_RATE:g}, got "
            f"{low:g}:{high:g}."
        )
    return low, high


def parse_range(name: str, text: str) -> Range:
    """Return the range that was typed as LOW:HIGH; one number alone is no search.

    Example:
        >>> parse_range("learning_rates", "0.01:0.3"), parse_range("learning_rates", "0.1")
        ((0.01, 0.3), (0.1, 0.1))
    """
    parts = text.split(":")
    try:
        low, high = (float(part) for part in (parts if len(parts) == 2 else parts * 2))
    except ValueError:
        raise ValueError(
            f"Expected `{name}` as LOW:HIGH, as in 0.01:0.3, got {text[:80]!r}."
        ) from None
    return low, high

"""Results in a few plain lines, for people and for pipes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from tfkd._counted import number_of
from tfkd._few_images import FEW, LEAST
from tfkd.report.terminal.rows import WIDTH
from tfkd.runs import Metrics, RunDirectory

# Name, as printed, factor and decimals.
_METRICS = {
    "accuracy": ("accuracy", "%", 100, 2),
    "nll": ("NLL", "nats", 1, 4),
    "ece": ("ECE", "%", 100, 2),
    "smooth_ece": ("smoothed", "%", 100, 2),
    "brier": ("Brier", "", 1, 4),
    "aurc": ("AURC", "%", 100, 2),
    "augrc": ("AUGRC", "%", 100, 2),
}
_FEW = ("accuracy", "nll", "ece", "brier", "aurc")


EXPLAINED = "A page with pictures, which explains NLL, ECE, Brier and AURC: tfkd report"
"""Before the directory of a run."""


def print_metrics(
    metrics: Metrics,
    *,
    title: str,
    support: Sequence[int] = (),
    after: Metrics | None = None,
    temperature: float | None = None,
) -> None:
    """Print the metrics of a split, one a line.

    Args:
        metrics: of the split.
        title: what they were measured on.
        support: images of each class; empty if that is not known.
        after: the same after a temperature; None without one.
        temperature: that was fitted on the validation split.

    Example:
        >>> metrics = Metrics(accuracy=0.975, nll=0.1, ece=0.02, brier=0.04, aurc=0.003)
        >>> print_metrics(metrics, title="test split", support=[10, 30])
        test split
          accuracy   97.50 %  (75.00 % by always guessing the largest class)
          NLL         0.1000 nats
          ECE         2.00 %
          Brier       0.0400
          AURC        0.30 %
    """
    print(title)
    accuracy, *others = metric_lines(metrics, support, after=after)
    print(accuracy)
    if after is not None and temperature is not None:
        print(heading_of(temperature))
    print("\n".join(others))


MUCH = 1000.0
"""From such a temperature on all classes are about equally probable."""


def on_temperature(
    images: int, temperature: float, before: Metrics | None = None, after: Metrics | None = None
) -> list[str]:
    r"""Return lines on what a temperature was fitted on, and what that is worth.

    Args:
        images: of the validation split.
        temperature: that was fitted on it.
        before: metrics of other images, as they come.
        after: the same after the temperature.

    Example:
        >>> print("\n".join(on_temperature(1, 1.2)))
        T, fitted on 1 validation image, divides the logits. So few fit it badly: tfkd
        predict --calibrated and tfkd export leave it out.
    """
    text = fitted_on(images)
    if images < LEAST:
        text = f"{text[:-1]}: tfkd predict --calibrated and tfkd export leave it out."
    elif temperature >= MUCH:
        text = (
            f"{_fitted_on(images)} So large a one makes all classes equally probable: what the "
            "network says of these images is worth nothing."
        )
    if before is not None and after is not None and after.nll > before.nll:
        text += " Here it makes the NLL worse."
    return textwrap.wrap(text, WIDTH)


def fitted_on(images: int) -> str:
    """Return what a temperature was fitted on, and whether that is little.

    Args:
        images: of the validation split.

    Example:
        >>> fitted_on(120)
        'T, fitted on 120 validation images, divides the logits. So few fit it badly.'
    """
    return _fitted_on(images) + (" So few fit it badly." if images < FEW else "")


def _fitted_on(images: int) -> str:
    return f"T, fitted on {number_of(images, 'validation image')}, divides the logits."


def heading_of(temperature: float) -> str:
    """Return what stands above the metrics after a temperature."""
    size = f"> {MUCH:.0f}" if temperature >= MUCH else f"= {temperature:.4g}"
    return f"{'':<22}after T {size}"


def metric_lines(
    metrics: Metrics,
    support: Sequence[int] = (),
    *,
    after: Metrics | None = None,
    all_of_them: bool = False,
) -> Iterator[str]:
    """Yield the metrics, one a line, aligned at the decimal point, with what guessing would get.

    Args:
        metrics: of the images.
        support: images of each class; empty if that is not known.
        after: of the same images, after one temperature, which leaves the accuracy alone.
        all_of_them: also those that are told to whoever asks.
    """
    for key, (name, unit, factor, decimals) in _METRICS.items():
        if getattr(metrics, key) is None or (key not in _FEW and not all_of_them):
            continue
        number, then = (
            "" if one is None else f"{factor * getattr(one, key):{decimals + 5}.{decimals}f} {unit}"
            for one in (metrics, after)
        )
        if key == "accuracy":
            then = guessing(support)
        elif then:
            number = f"{number:<15}"
        yield f"  {name:<8} {number}{then}".rstrip()


def test_support(directory: RunDirectory) -> list[int]:
    """Return how many test images of each class a run has; empty if it does not tell."""
    try:
        found = directory.test_logits()
    except (OSError, ValueError):  # damaged since
        return []
    if found is None:
        return []
    logits, labels = found
    return labels.bincount(minlength=logits.shape[1]).tolist()


def guessing(support: Sequence[int]) -> str:
    """Return how often is right who always says the same class.

    Args:
        support: images of each class.

    Example:
        >>> guessing([5, 5]), guessing([])
        ('  (50.00 % by always guessing one class)', '')
    """
    if not sum(support):
        return ""
    which = "the largest class" if min(support) < max(support) else "one class"
    return f"  ({100 * max(support) / sum(support):.2f} % by always guessing {which})"

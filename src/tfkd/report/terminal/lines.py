"""Results in a few plain lines, for people and for pipes."""

from __future__ import annotations

from collections.abc import Iterator

from tfkd.runs import Metrics

# Name, as printed, factor and decimals.
_METRICS = {
    "accuracy": ("accuracy", "%", 100, 2),
    "nll": ("NLL", "nats", 1, 4),
    "ece": ("ECE", "%", 100, 2),
    "brier": ("Brier", "", 1, 4),
    "aurc": ("AURC", "%", 100, 2),
}


def print_metrics(metrics: Metrics, *, title: str) -> None:
    """Print the metrics of a split, one a line.

    Args:
        metrics: of the split.
        title: what they were measured on.

    Example:
        >>> metrics = Metrics(accuracy=0.975, nll=0.1, ece=0.02, brier=0.04, aurc=0.003)
        >>> print_metrics(metrics, title="test split")
        test split
          accuracy   97.50 %
          NLL         0.1000 nats
          ECE         2.00 %
          Brier       0.0400
          AURC        0.30 %
    """
    print(title)
    for line in metric_lines(metrics):
        print(line)


def metric_lines(metrics: Metrics) -> Iterator[str]:
    """Yield the metrics, one a line, aligned at the decimal point."""
    for key, (name, unit, factor, decimals) in _METRICS.items():
        number = f"{factor * getattr(metrics, key):{decimals + 5}.{decimals}f}"
        yield f"  {name:<8} {number} {unit}".rstrip()

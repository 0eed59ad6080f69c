"""Results in a few plain lines, for people and for pipes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tfkd.runs import Metrics

if TYPE_CHECKING:
    from tfkd.train.predict import Prediction

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
    for key, (name, unit, factor, decimals) in _METRICS.items():
        # Aligned at the decimal point.
        number = f"{factor * getattr(metrics, key):{decimals + 5}.{decimals}f}"
        print(f"  {name:<8} {number} {unit}".rstrip())


def print_prediction(prediction: Prediction, *, as_json: bool = False) -> None:
    """Print the classes of an image and their probabilities, in one line."""
    if as_json:
        classes = [{"label": c, "probability": p} for c, p in prediction.classes]
        print(json.dumps({"file": str(prediction.file), "predictions": classes}))
        return
    classes_text = "  ".join(f"{name} {100 * p:.1f} %" for name, p in prediction.classes)
    # A file's name may have bytes that are no text.
    file = str(prediction.file).encode(errors="backslashreplace").decode()
    print(f"{file}  {classes_text}")

"""How good a network's logits are where an image may have several labels, each of its own sigmoid.

| file | what it tells |
|---|---|
| `ranking` | average precision and AUROC, which need no threshold |
| `decisions` | F1, subset and Hamming accuracy at a probability of 0.5 |
| `scores` | NLL, Brier score and calibration error of the probabilities |

Every function takes logits `(N, K)` and labels of the same shape: 1, 0, or -100 where nobody has
said, which counts in nothing. Probabilities are float64.
"""

from tfkd.metrics.multi_label.annotated import MISSING, check_annotations
from tfkd.metrics.multi_label.decisions import (
    f1_by_class,
    hamming_accuracy,
    macro_f1,
    micro_f1,
    subset_accuracy,
)
from tfkd.metrics.multi_label.ranking import (
    auroc,
    auroc_by_class,
    average_precision_by_class,
    mean_average_precision,
)
from tfkd.metrics.multi_label.scores import (
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
)
from tfkd.metrics.multi_label.together import all_metrics

__all__ = [
    "MISSING",
    "all_metrics",
    "auroc",
    "auroc_by_class",
    "average_precision_by_class",
    "brier_score",
    "check_annotations",
    "expected_calibration_error",
    "f1_by_class",
    "hamming_accuracy",
    "macro_f1",
    "mean_average_precision",
    "micro_f1",
    "negative_log_likelihood",
    "subset_accuracy",
]

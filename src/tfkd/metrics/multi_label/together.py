"""All metrics of images with several labels."""

from __future__ import annotations

from torch import Tensor

from tfkd._checks import check_integer
from tfkd.metrics.multi_label.annotated import Annotated, mean_of
from tfkd.metrics.multi_label.decisions import (
    f1s_of,
    hamming_accuracy_of,
    micro_f1_of,
    subset_accuracy_of,
)
from tfkd.metrics.multi_label.ranking import aurocs_of, average_precisions_of
from tfkd.metrics.multi_label.scores import brier_of, ece_of, nll_of


def all_metrics(logits: Tensor, labels: Tensor, *, num_bins: int = 15) -> dict[str, float | None]:
    """The nine metrics of images with several labels.

    Args:
        logits: `(N, K)`, floating point.
        labels: `(N, K)`, 1, 0, or -100 where nobody has said.
        num_bins: bins of the expected calibration error, at least 1.

    Returns:
        `mean_average_precision`, `auroc`, `micro_f1`, `macro_f1`, `subset_accuracy`,
        `hamming_accuracy`, `nll`, `ece` and `brier`, equal to those of the single functions; of the
        first four None where no class has the labels that they need.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, another label, none that is known, `num_bins` below 1, or
            logits with NaN.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[2.0, -1.0], [1.0, -1.0], [-1.0, 0.5]])
        >>> values = all_metrics(logits, torch.tensor([[1, 0], [0, 1], [1, 1]]))
        >>> for name, value in values.items():
        ...     print(f"{name:<22} {value:.4f}")
        mean_average_precision 0.8333
        auroc                  0.6250
        micro_f1               0.5714
        macro_f1               0.5833
        subset_accuracy        0.3333
        hamming_accuracy       0.5000
        nll                    0.8090
        ece                    0.4035
        brier                  0.3054
    """
    check_integer("num_bins", num_bins, minimum=1)
    batch = Annotated(logits, labels)
    return {
        "mean_average_precision": mean_of(average_precisions_of(batch)),
        "auroc": mean_of(aurocs_of(batch)),
        "micro_f1": micro_f1_of(batch),
        "macro_f1": mean_of(f1s_of(batch)),
        "subset_accuracy": subset_accuracy_of(batch),
        "hamming_accuracy": hamming_accuracy_of(batch),
        "nll": nll_of(batch),
        "ece": ece_of(batch, num_bins),
        "brier": brier_of(batch),
    }

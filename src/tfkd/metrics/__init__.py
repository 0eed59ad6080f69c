"""How good a classifier's logits are, one metric or family a file.

| file | what it tells |
|---|---|
| `hits` | accuracy; agreement of two networks |
| `likelihood`, `brier` | proper scores: NLL, Brier |
| `binned_ece`, `smooth_ece`, `classwise_ece` | calibration |
| `chance` | how far an error of calibration is from chance |
| `risk_coverage`, `normalized_logit` | selective prediction: AURC, AUGRC; another confidence |

Every function takes logits `(N, K)`, in any floating dtype, and answers with one Python float,
where it says nothing else. Probabilities are float64 on the logits' device (Apple's MPS, which has
no float64, hands over to the CPU), and the device is waited for once, when the float is read. A
logit of -inf is a masked class.

Where logits are equal, the class of the lower index is ranked first, as `torch.argmax` does it.
"""

from tfkd.metrics.batch import check_logits_and_labels
from tfkd.metrics.binned_ece import expected_calibration_error
from tfkd.metrics.brier import brier_score
from tfkd.metrics.chance import CalibrationBand, calibration_band
from tfkd.metrics.classwise_ece import calibration_error_by_class, classwise_calibration_error
from tfkd.metrics.hits import accuracy, agreement
from tfkd.metrics.likelihood import negative_log_likelihood
from tfkd.metrics.normalized_logit import choose_norm, normalized_max_logit
from tfkd.metrics.risk_coverage import (
    area_under_generalized_risk_coverage,
    area_under_risk_coverage,
)
from tfkd.metrics.smooth_ece import smooth_calibration_error
from tfkd.metrics.together import all_metrics

__all__ = [
    "CalibrationBand",
    "accuracy",
    "agreement",
    "all_metrics",
    "area_under_generalized_risk_coverage",
    "area_under_risk_coverage",
    "brier_score",
    "calibration_band",
    "calibration_error_by_class",
    "check_logits_and_labels",
    "choose_norm",
    "classwise_calibration_error",
    "expected_calibration_error",
    "negative_log_likelihood",
    "normalized_max_logit",
    "smooth_calibration_error",
]

"""What of a run goes together where an image may have several labels, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from tfkd.data.settings import DataSettings
from tfkd.method_table import METHODS, Method


class MultiLabelMetrics(Struct, frozen=True):
    """Of one split, as `tfkd.metrics.multi_label.all_metrics` has them; fractions and nats.

    Attributes:
        mean_average_precision: mean over the labels that an image has; None without any.
        auroc: area under the ROC curve, mean over the labels that some images have and some not.
        micro_f1: of all labels together, at a probability of 0.5.
        macro_f1: mean over the labels that an image has.
        subset_accuracy: share of the images of which all labels are right.
        hamming_accuracy: share of the labels that are right.
        nll: mean over the labels of their negative log-likelihood in nats.
        ece: expected calibration error of their probabilities.
        brier: mean over the labels of their Brier score.
    """

    mean_average_precision: float | None
    auroc: float | None
    micro_f1: float | None
    macro_f1: float | None
    subset_accuracy: float
    hamming_accuracy: float
    nll: float
    ece: float
    brier: float


class MultiLabelCalibrated(Struct, frozen=True):
    """What one temperature, fitted on the validation split, makes of a network.

    Attributes:
        temperature: that its logits are divided by.
        test: metrics of the test split after that; None where it was not looked at.
        validation: of the validation split, on which it was fitted.
    """

    temperature: float
    test: MultiLabelMetrics | None
    validation: MultiLabelMetrics


class MultiLabelResult(Struct, frozen=True):
    """Of a run whose images may have several labels.

    Attributes:
        test: metrics of the test split; None where it was not looked at.
        validation: of the validation split; None if there is none.
        calibrated: the same after temperature scaling; None without a validation split.
    """

    test: MultiLabelMetrics | None
    validation: MultiLabelMetrics | None
    calibrated: MultiLabelCalibrated | None = None

    @property
    def by_split(self) -> dict[str, MultiLabelMetrics | None]:
        """All that was measured, by where it stands."""
        splits = {"test": self.test, "validation": self.validation}
        if self.calibrated is not None:
            splits["calibrated.test"] = self.calibrated.test
            splits["calibrated.validation"] = self.calibrated.validation
        return splits


def check_not_mixed(mixtures: Mapping[str, float]) -> None:
    """Check that no images are mixed where one may have several labels.

    Args:
        mixtures: by name, how much labels are mixed; 0: not at all.

    Raises:
        ValueError: naming the setting.
    """
    for name, value in mixtures.items():
        if value > 0.0:
            raise ValueError(
                f"Expected no `{name}` where an image may have several labels, got {value:g}: a "
                "label that nobody knows cannot be mixed."
            )


def check_has_several(method: Method, dialect: str, cache: str) -> None:
    """Check that there is a method for images that may have several labels.

    Args:
        method: that is asked for.
        dialect: likewise.
        cache: form in which answers of its teacher are stored.

    Raises:
        ValueError: naming those that there are; for another dialect, or a cache.
    """
    if method.binary is None:
        there = ", ".join(name for name, row in METHODS.items() if row.binary is not None)
        raise ValueError(
            f"Expected a `method` for images that may have several labels, {there}, got "
            f"{method.name}, which is for one label."
        )
    if dialect != "tfkd":
        raise ValueError(
            "Expected the `dialect` tfkd where an image may have several labels, got "
            f"{dialect}: the others have no such formula."
        )
    if cache != "none":
        raise ValueError(
            f"Expected no `teacher_cache` where an image may have several labels, got {cache}."
        )


def check_one_label(data: DataSettings, purpose: str) -> None:
    """Refuse what is for images with one label.

    Args:
        data: that are asked for.
        purpose: what is asked for, as in `to compare methods`.

    Raises:
        ValueError: for data whose images may have several labels.
    """
    form = data.label_form
    if form is not None:
        option = "label_separator" if form.separator is not None else "label_columns"
        raise ValueError(
            f"Expected images with one label each {purpose}, got `{option}`. With several labels "
            "an image `tfkd train`, `evaluate`, `predict` and `export` work, and nothing else yet."
        )

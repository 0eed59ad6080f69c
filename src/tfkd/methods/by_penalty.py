"""The methods that nobody teaches: a penalty beside the cross-entropy, or one weighed anew."""

from __future__ import annotations

from typing_extensions import Unpack  # torch depends on it

from tfkd.loss.schedules import Linear
from tfkd.loss.told import SamplesPerEpoch, Setting
from tfkd.methods.options import LossOptions, ScheduledOptions, checks_options
from tfkd.penalties import (
    ConfidencePenalty,
    DualFocalLoss,
    FocalLoss,
    LogitNorm,
    MarginLabelSmoothing,
    MaxSup,
)


@checks_options
def max_sup(
    *,
    added: Setting = 0.1,
    epochs: int | None = None,
    samples_per_epoch: SamplesPerEpoch = None,
    **options: Unpack[LossOptions],
) -> MaxSup:
    """MaxSup: cross-entropy + λ · (largest logit − mean logit), see `tfkd.penalties.MaxSup`.

    Here λ stays as it is unless `epochs` are said. The commands know the epochs and say them: there
    `--added` is what λ is in the first epoch, and it grows to twice that in the last.

    Args:
        added: λ, at least 0, or without `epochs` a function of `tfkd.loss.schedules.Progress`; the
            default is the source's. 0 is plain cross-entropy.
        epochs: of the training, over which λ grows evenly to twice `added`, as in the source's
            runs, from 0.1 in the first epoch to 0.2 in the last; None: it stays as it is. (Three of
            its folders divide by E − 1; ffcv by its own number of epochs, 90 by default.)
        samples_per_epoch: with `epochs`, as of `DistillationLoss`.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`.

    Source: Zhou et al., 2025, arXiv 2502.15798;
    github.com/ZhouYuxuanYX/Maximum-Suppression-Regularization at 5b7c0db.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.max_sup()
        >>> round(criterion(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])).item(), 4)
        0.3365
    """
    if epochs is None:
        return MaxSup(added=added, samples_per_epoch=samples_per_epoch, **options)
    if callable(added):
        raise TypeError("Expected `added` to be a number beside `epochs`, got a function.")
    growing = Linear(start=added, end=2.0 * added, epochs=epochs)
    return MaxSup(added=growing, samples_per_epoch=samples_per_epoch, **options)


@checks_options
def confidence_penalty(
    *, added: Setting = 0.1, **options: Unpack[ScheduledOptions]
) -> ConfidencePenalty:
    """The confidence penalty: cross-entropy − β · H(p), see `tfkd.penalties.ConfidencePenalty`.

    Args:
        added: β, at least 0; 0.1 is usual for images. Of the codes that have it none has a default
            for all: 0.1/K, 1, or none. Or a function of `tfkd.loss.schedules.Progress`.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, `samples_per_epoch`.

    Source: Pereyra et al., 2017, arXiv 1701.06548.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.confidence_penalty()
        >>> round(criterion(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])).item(), 4)
        0.1174
    """
    return ConfidencePenalty(added=added, **options)


@checks_options
def margin_label_smoothing(
    *, added: Setting = 0.1, margin: float = 10.0, **options: Unpack[ScheduledOptions]
) -> MarginLabelSmoothing:
    """Margin-based label smoothing (MbLS), see `tfkd.penalties.MarginLabelSmoothing`.

    Args:
        added: weight of the penalty, at least 0; λ/K for each class. The source's. Or a function of
            `tfkd.loss.schedules.Progress`.
        margin: that logits may lie below the largest, at least 0. The source's.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`, `samples_per_epoch`.

    Source: Liu et al., 2022, arXiv 2111.15430; github.com/by-liu/MbLS at dc86503.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.margin_label_smoothing(margin=1.0)
        >>> round(criterion(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])).item(), 4)
        0.2698
    """
    return MarginLabelSmoothing(added=added, margin=margin, **options)


@checks_options
def focal(*, focusing: float = 3.0, **options: Unpack[LossOptions]) -> FocalLoss:
    """The focal loss (1 − p_y)^γ · (−log p_y), mean over samples, see `tfkd.penalties.FocalLoss`.

    Args:
        focusing: γ, at least 0; 3 is the fixed one of the source that calibrates best (FL-3). Its
            code has 1 unless told otherwise.
            `tfkd.penalties.FocalLoss(focusing=3.0, unsure_focusing=5.0)` is its FLSD-53.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`.

    Source: Lin et al., 2017, arXiv 1708.02002; for calibration Mukhoti et al., 2020,
    arXiv 2002.09437.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.focal(focusing=1.0)
        >>> round(criterion(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])).item(), 4)
        0.0265
    """
    return FocalLoss(focusing=focusing, **options)


@checks_options
def dual_focal(*, focusing: float = 5.0, **options: Unpack[LossOptions]) -> DualFocalLoss:
    """The dual focal loss, mean over samples, see `tfkd.penalties.DualFocalLoss`.

    Args:
        focusing: γ, at least 0. The source chooses it on validation data; its code has no other
            default than 0, which is cross-entropy, and this package takes 5.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`.

    Source: Tao et al., 2023, arXiv 2305.13665.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.dual_focal(focusing=1.0)
        >>> round(criterion(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])).item(), 4)
        0.0459
    """
    return DualFocalLoss(focusing=focusing, **options)


@checks_options
def logit_norm(*, temperature: float = 0.04, **options: Unpack[LossOptions]) -> LogitNorm:
    """Logit normalisation: cross-entropy of z / (‖z‖·τ), see `tfkd.penalties.LogitNorm`.

    Args:
        temperature: τ, positive. 0.04 is recalled from the paper, for CIFAR-10, and not verified;
            the class of its code has 1, the command in its README 0.01.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction`.

    Source: Wei et al., 2022, arXiv 2205.09310.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.logit_norm(temperature=1.0)
        >>> round(criterion(torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([0])).item(), 4)
        0.513
    """
    return LogitNorm(temperature=temperature, **options)

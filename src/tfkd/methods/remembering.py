"""Methods whose student is taught by what it said before, or by a matrix of such answers."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor
from typing_extensions import Unpack  # torch depends on it

from tfkd._checks import check_fraction
from tfkd.loss import DistillationLoss
from tfkd.loss.schedules import WarmUp
from tfkd.loss.told import SamplesPerEpoch
from tfkd.methods.options import LossOptions, checks_options
from tfkd.teachers import ClassTeacher, OnlineTeacher, PreviousTeacher


@checks_options
def online_label_smoothing(
    *,
    num_classes: int,
    samples_per_epoch: SamplesPerEpoch = None,
    alpha: float = 0.5,
    **options: Unpack[LossOptions],
) -> DistillationLoss:
    """Online label smoothing (OLS): soft labels of each class that the student made itself.

        (1 − α) · H(q, p)  +  α · KL(S[y] ‖ p)

    S[k] is the mean of what the student said in the last epoch of the samples of class k that it
    got right, uniform in the first epoch. How mixtures, dense outputs and ignored positions count
    is said at `OnlineTeacher`.

    Args:
        num_classes: K, at least 2.
        samples_per_epoch: how many samples an epoch shows, over all processes together; or
            `"told"`, and `criterion.epoch_ended()` is called after each epoch.
        alpha: weight of the teacher term, in [0, 1]. The default 0.5 is that of the source.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: Zhang et al., 2021, arXiv 2011.12562; github.com/zhangchbin/OnlineLabelSmoothing at
    7eaf70c, whose fine-grained part differs: `released_online_label_smoothing`.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.online_label_smoothing(num_classes=2, samples_per_epoch=1)
        >>> logits, labels = torch.tensor([[1.0, 0.0]], requires_grad=True), torch.tensor([0])
        >>> for _ in range(2):  # taught by the uniform teacher, then by itself
        ...     round(criterion(logits, labels).item(), 4)
        0.2167
        0.1566
    """
    teacher = OnlineTeacher(num_classes)
    return DistillationLoss(teacher, alpha=alpha, samples_per_epoch=samples_per_epoch, **options)


@checks_options
def ps_kd(
    *,
    num_classes: int,
    num_samples: int,
    epochs: int,
    alpha: float = 0.8,
    form: str = "float32",
    directory: Path | str | None = None,
    samples_per_epoch: SamplesPerEpoch = None,
    **options: Unpack[LossOptions],
) -> DistillationLoss:
    """Progressive self-knowledge distillation (PS-KD): taught by what it said an epoch ago.

        (1 − α_e) · H(q, p)  +  α_e · KL(P[i] ‖ p)        α_e = α · (e + 1) / epochs,  e from 0

    P[i] is what the student said of sample i when it last saw it; before that it is the label, so
    that the first epoch is cross-entropy. The loss is called with `indices`, which number the
    samples. How it is kept, and what it takes, is said at `PreviousTeacher`.

    Args:
        num_classes: K, at least 2.
        num_samples: how many samples there are; `indices` lie below it.
        epochs: of the training.
        alpha: weight of the teacher term in the last epoch, in [0, 1]. The default 0.8 is that of
            the source.
        form: how answers are kept: `float32`, `float16` or `top-K`, as `top-10`.
        directory: where they lie if not in memory.
        samples_per_epoch: how many samples an epoch shows, over all processes together; or
            `"told"`, and `criterion.epoch_ended()` is called after each epoch. None: `num_samples`,
            which is too many where the last, smaller batch is left out.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: Kim et al., 2021, arXiv 2006.12000; github.com/lgcnsai/PS-KD-Pytorch at 9aa0828.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.ps_kd(num_classes=2, num_samples=1, epochs=4)
        >>> logits, labels = torch.tensor([[1.0, 0.0]], requires_grad=True), torch.tensor([0])
        >>> for _ in range(2):
        ...     loss = criterion(logits, labels, indices=torch.tensor([0]))
        ...     print(round(criterion.alpha, 2), round(loss.item(), 4))
        0.2 0.3133
        0.4 0.188
    """
    check_fraction("alpha", alpha)
    return DistillationLoss(
        PreviousTeacher(num_samples, num_classes, form=form, directory=directory),
        alpha=WarmUp(value=alpha, epochs=epochs),
        samples_per_epoch=num_samples if samples_per_epoch is None else samples_per_epoch,
        **options,
    )


@checks_options
def class_label_smoothing(
    matrix: Tensor, *, alpha: float, temperature: float = 1.0, **options: Unpack[LossOptions]
) -> DistillationLoss:
    """Label smoothing with a matrix: each class is taught the probabilities of its row.

    With rows of 1/K it is `label_smoothing`, with those of a designed teacher `tf_kd_reg`. A row
    that gives its own class nothing smooths over the wrong ones alone.

    Args:
        matrix: `(K, K)` probabilities, as `ClassTeacher` takes them; how counts become such is said
            there.
        alpha: weight of the teacher term, in [0, 1].
        temperature: τ, positive, which softens the logarithms of the probabilities.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: with means of a network's own answers, Zhang et al., 2021, arXiv 2011.12562.

    Example:
        >>> import torch, tfkd
        >>> rows = torch.tensor([[0.8, 0.2, 0.0], [0.2, 0.8, 0.0], [0.0, 0.0, 1.0]])
        >>> criterion = tfkd.class_label_smoothing(rows, alpha=0.5)
        >>> round(criterion(torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([0])).item(), 4)
        0.4012
    """
    teacher = ClassTeacher(matrix)
    return DistillationLoss(teacher, alpha=alpha, temperature=temperature, **options)

"""Taught by the student's own past: by the average of its weights, or by itself once trained."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from typing_extensions import Unpack  # torch depends on it

from tfkd._checks import check_at_least_0, check_whole
from tfkd.loss import DistillationLoss
from tfkd.loss.schedules import Progress, RampUp, Times
from tfkd.loss.told import SamplesPerEpoch, Setting
from tfkd.methods.options import LossOptions, ReductionOptions, as_teacher, checks_options
from tfkd.methods.options import added as weights_of_added
from tfkd.teachers import BetaTeacher, MeanTeacher, Teacher, TemperedTeacher


@checks_options
def mean_teacher(
    student: nn.Module,
    *,
    decay: float = 0.999,
    added: Setting = 10.0,
    ramp_up: float = 5.0,
    samples_per_epoch: SamplesPerEpoch = None,
    scale: float = 1.0,
    **options: Unpack[ReductionOptions],
) -> DistillationLoss:
    """Mean teacher: taught by the average of the student's weights over its steps, at τ = 1.

        H(q, p) + λ_e · KL(t ‖ p),  λ_e = added · exp(−5·(1 − e/ramp_up)²) in epoch e from 0

    The source's consistency cost is this KL on ImageNet (pytorch/experiments/imagenet_valid.py at
    621b537), with the defaults here but for its decay of 0.9997; on CIFAR-10 it is 100 times the
    mean squared difference of the probabilities, which this is not. It is made for images without
    labels; here all have one.

    Args:
        student: the network that is trained; of it, and of `criterion.step_ended(student)` after
            every step, the average is made. See `MeanTeacher`.
        decay: of the average, in [0, 1).
        added: weight λ of the teacher term beside the whole cross-entropy, at least 0; or a
            function of `tfkd.loss.schedules.Progress`, which is ramped up as a number is.
        ramp_up: epochs after which the weight is `added`, a whole number of at least 1, to be
            chosen with the length of the training.
        samples_per_epoch: as of `DistillationLoss`; `"told"` where `epoch_ended()` is called.
        scale: factor on the whole loss, positive.
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`.

    Source: Tarvainen and Valpola, 2017, arXiv 1703.01780; CuriousAI/mean-teacher 546348f.

    Example:
        >>> import torch, tfkd
        >>> student = torch.nn.Linear(2, 2)
        >>> criterion = tfkd.mean_teacher(student, samples_per_epoch="told")
        >>> for _ in range(5):
        ...     criterion.epoch_ended()
        >>> round(criterion.alpha, 4), criterion.scale
        (0.9091, 11.0)
    """
    epochs = check_whole("ramp_up", ramp_up)
    weight: Callable[[Progress], float]
    if callable(added):
        weight = Times(added, RampUp(value=1.0, epochs=epochs))
    else:
        weight = RampUp(value=check_at_least_0("added", added), epochs=epochs)
    return DistillationLoss(
        MeanTeacher(student, decay=decay),
        samples_per_epoch=samples_per_epoch,
        **weights_of_added(weight, scale),
        **options,
    )


@checks_options
def beta_smoothing(
    student: nn.Module,
    *,
    alpha: float = 0.6,
    concentration: float = 3.0,
    decay: float = 0.999,
    **options: Unpack[LossOptions],
) -> DistillationLoss:
    """Beta smoothing: random smoothing, by less where the averaged student is surer.

        (1 − α)·H(q, p) + α·KL(q_b ‖ p),  q_b = b_i on the true class, (1 − b_i)/(K − 1) elsewhere,

    b drawn from Beta(concentration, 1) and given out by `BetaTeacher`; the source has H(q_b, p),
    which differs by what has no gradient. Its code adds 1e-8 to p inside of the logarithm, which
    caps the push on classes below 1e-8; here nothing does.

    Args:
        student: the network that is trained; of it, and of `criterion.step_ended(student)` after
            every step, the average is made.
        alpha: weight of the teacher term, in [0, 1].
        concentration: β of Beta(β, 1), positive.
        decay: of the average, in [0, 1).
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: Zhang and Sabuncu, 2020, arXiv 2006.05065; the defaults are those of
    ZhiluZhang123/neurips_2020_distillation f913a07.

    Example:
        >>> import torch, tfkd
        >>> student = torch.nn.Linear(2, 2)
        >>> criterion = tfkd.beta_smoothing(student)
        >>> inputs = torch.ones(3, 2)
        >>> loss = criterion(student(inputs), torch.tensor([0, 1, 1]), inputs)
        >>> criterion.step_ended(student)
    """
    teacher = BetaTeacher(student, concentration=concentration, decay=decay)
    return DistillationLoss(teacher, alpha=alpha, **options)


@checks_options
def instance_specific_label_smoothing(
    model: nn.Module | Teacher,
    *,
    alpha: float = 0.4,
    temperature: float = 4.0,
    **options: Unpack[LossOptions],
) -> DistillationLoss:
    """Self-distillation as smoothing by sample: the teacher is tempered, the student is not.

        (1 − α)·H(q, p) + α·KL(softmax(t/T) ‖ p)

    There is no T²: not a loss of knowledge distillation at T. The source has H in the place of KL,
    which differs by what has no gradient. Its code adds 1e-8 to p inside of the logarithm, which
    caps the push on classes below 1e-8; here nothing does.

    Args:
        model: the trained network, of the student's own architecture, of which a frozen copy is
            kept; or a `Teacher`, such as `CachedTeacher`.
        alpha: weight of the teacher term, in [0, 1].
        temperature: T of the teacher alone, positive.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: Zhang and Sabuncu, 2020, arXiv 2006.05065; the defaults are those of
    ZhiluZhang123/neurips_2020_distillation f913a07.

    Example:
        >>> import torch, tfkd
        >>> trained, inputs = torch.nn.Identity(), torch.tensor([[4.0, 0.0]])
        >>> criterion = tfkd.instance_specific_label_smoothing(trained, alpha=1.0)
        >>> criterion(inputs / 4.0, torch.tensor([0]), inputs).item()
        0.0
    """
    teacher = TemperedTeacher(as_teacher(model), temperature)
    return DistillationLoss(teacher, alpha=alpha, **options)


@checks_options
def born_again(
    model: nn.Module | Teacher,
    *,
    alpha: float = 1.0,
    temperature: float = 1.0,
    **options: Unpack[LossOptions],
) -> DistillationLoss:
    """Born-again networks: taught by the generation before, of the same architecture.

    By default without labels. With them, the source's "BAN+L", the cross-entropy is added:
    `alpha=0.5, scale=2.0`. The generation before is the first of all, trained with cross-entropy,
    or one that was born again itself: `tfkd compare --methods born_again --generations 3` trains
    such a chain, and says what the mean of its generations' probabilities is worth.

    Args:
        model: the generation before, of which a frozen copy is kept; or a `Teacher`, such as
            `CachedTeacher`.
        alpha: weight of the teacher term, in [0, 1].
        temperature: τ, positive.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: Furlanello et al., 2018, arXiv 1805.04770.

    Example:
        >>> import torch, tfkd
        >>> first, inputs = torch.nn.Linear(2, 2), torch.ones(1, 2)
        >>> criterion = tfkd.born_again(first)
        >>> criterion(first(inputs), torch.tensor([0]), inputs).item()
        0.0
    """
    return DistillationLoss(as_teacher(model), alpha=alpha, temperature=temperature, **options)

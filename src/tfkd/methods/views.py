"""Knowledge distillation with another look at the logits, or with other teachers of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn
from typing_extensions import Unpack  # torch depends on it

from tfkd._checks import check_positive
from tfkd.loss import DistillationLoss
from tfkd.loss.told import Setting
from tfkd.methods.by_tf_kd import knowledge_distillation
from tfkd.methods.options import (
    AddedOptions,
    LossOptions,
    ReductionOptions,
    as_teacher,
    checks_options,
)
from tfkd.methods.options import added as weights_of_added
from tfkd.teachers import EnsembleTeacher, Teacher, TemperedTeacher, TopTwoTeacher


@checks_options
def logit_standardization_kd(
    model: nn.Module | Teacher,
    *,
    alpha: float = 90.0 / 91.0,
    temperature: float = 2.0,
    scale: float = 9.1,
    **options: Unpack[ReductionOptions],
) -> DistillationLoss:
    """Logit standardisation: the teacher term sees logits of mean 0 and deviation 1.

        L = s · [(1 − α) · H(q, p) + α · τ² · KL(softmax(f(t)/τ) ‖ softmax(f(z)/τ))]
        f(z) = (z − mean) / (1e-7 + sd)

    over the classes of a sample, sd with K − 1; gradients flow through mean and sd. So the student
    need not have the teacher's range of logits, but its shape. The defaults are the official
    0.1 · H + 9 · τ² · KL. The smaller the spread of a student's logits, the larger its gradient: of
    logits that are all equal, as those of a head of zeros, some 10⁷ times as large.

    Masked classes, of minus infinity, count in neither mean nor sd and stay masked. Half precision
    is standardised in float32. Labels may be probabilities.

    Args:
        model: the trained network, of which a frozen copy is kept; or a `Teacher`.
        alpha: weight of the teacher term, in [0, 1].
        temperature: τ, positive.
        scale: factor on the whole loss, positive. Officially 9.1, where KD has 1, and tuned by pair
            of networks.
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`.

    Source: Sun et al., 2024, arXiv 2403.01427; sunshangquan/logit-standardization-KD f6e5aa5.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.logit_standardization_kd(torch.nn.Identity(), alpha=1.0)
        >>> logits = torch.tensor([[2.0, 1.0, 0.0]])
        >>> round(criterion(logits, torch.tensor([0]), 5.0 * logits + 3.0).item(), 4)
        0.0
    """
    return DistillationLoss(
        as_teacher(model),
        alpha=alpha,
        temperature=temperature,
        scale=scale,
        standardize=True,
        **options,
    )


@checks_options
def transformed_teacher_matching(
    model: nn.Module | Teacher,
    *,
    power: float = 0.1,
    added: Setting = 45.0,
    scale: float = 1.0,
    **options: Unpack[AddedOptions],
) -> DistillationLoss:
    """Transformed teacher matching (TTM): the teacher alone is softened.

        L = H(q, p) + added · KL(t^γ / Σ_k t_k^γ ‖ p),   γ = power

    It is KD without a temperature of the student: KD and, beside it, an entropy that keeps the
    student from being too sure. There is no τ².

    Labels may be probabilities; shapes, masks and half precision are those of
    `distillation_loss` and `TemperedTeacher`.

    Args:
        model: the trained network, of which a frozen copy is kept; or a `Teacher`.
        power: γ, positive; one over the teacher's temperature. The official example has 0.1.
        added: weight of the teacher term, at least 0, or a function of
            `tfkd.loss.schedules.Progress`; 45 in the official example, so that the whole loss is
            46 times as large as cross-entropy.
        scale: factor on the whole loss, positive.
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`; its
            `samples_per_epoch`, where `added` follows epochs.

    Source: Zheng and Yang, 2024, arXiv 2402.11148; zkxufo/TTM fe457b3.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.transformed_teacher_matching(torch.nn.Identity())
        >>> student, teacher = torch.tensor([[2.0, 0.0]]), torch.tensor([[20.0, 0.0]])
        >>> round(criterion(student, torch.tensor([0]), teacher).item(), 4)
        0.1269
    """
    teacher = _tempered(model, power, weighted=False)
    return DistillationLoss(teacher, **weights_of_added(added, scale), **options)


@checks_options
def weighted_transformed_teacher_matching(
    model: nn.Module | Teacher,
    *,
    power: float = 0.2,
    added: Setting = 4.0,
    scale: float = 1.0,
    **options: Unpack[AddedOptions],
) -> DistillationLoss:
    """Weighted transformed teacher matching (WTTM): louder where the teacher is less sure.

        L = H(q, p) + added · U · KL(t^γ / U ‖ p),   U = Σ_k t_k^γ,  γ = power

    U is a number of each sample, from 1 of a certain teacher to K^(1 − γ) of one that knows
    nothing, and is not normalised: on average the teacher counts several times `added`.

    Labels may be probabilities; shapes, masks and half precision are those of
    `distillation_loss` and `TemperedTeacher`.

    Args:
        model: the trained network, of which a frozen copy is kept; or a `Teacher`.
        power: γ, positive.
        added: weight of the teacher term, at least 0, or a function of
            `tfkd.loss.schedules.Progress`. The defaults are those of the official example, in which
            a term on features is added besides.
        scale: factor on the whole loss, positive.
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`; its
            `samples_per_epoch`, where `added` follows epochs.

    Source: Zheng and Yang, 2024, arXiv 2402.11148; zkxufo/TTM fe457b3.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.weighted_transformed_teacher_matching(torch.nn.Identity())
        >>> student, teacher = torch.tensor([[2.0, 0.0]]), torch.tensor([[20.0, 0.0]])
        >>> round(criterion(student, torch.tensor([0]), teacher).item(), 4)
        0.4235
    """
    teacher = _tempered(model, power, weighted=True)
    return DistillationLoss(teacher, **weights_of_added(added, scale), **options)


def _tempered(model: nn.Module | Teacher, power: float, *, weighted: bool) -> TemperedTeacher:
    temperature = 1.0 / check_positive("power", power)
    return TemperedTeacher(as_teacher(model), temperature, weighted=weighted)


@checks_options
def function_matching(
    model: nn.Module | Teacher,
    *,
    temperature: float = 1.0,
    **options: Unpack[LossOptions],
) -> DistillationLoss:
    """Function matching: the student is to be the teacher, on whatever images, without labels.

        L = τ² · KL(t_τ ‖ p_τ),   α = 1

    Teacher and student see the very same pixels: the criterion hands `inputs`, mixed and cropped as
    they are, to the teacher. The source mixes every batch (mixup, evenly) and trains for very long;
    the loss is the easy part. What the labels are does not matter, but where they are ignored.

    Args:
        model: the trained network, of which a frozen copy is kept; or a `Teacher`. A
            `CachedTeacher` knows no mixed images.
        temperature: τ, positive.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: Beyer et al., 2022, arXiv 2106.05237; google-research/big_vision 0127fb6.

    Example:
        >>> import torch, tfkd
        >>> teacher = torch.nn.Linear(2, 2)
        >>> inputs = torch.rand(4, 2)
        >>> mixed = 0.3 * inputs + 0.7 * inputs.flip(0)
        >>> criterion = tfkd.function_matching(teacher)
        >>> criterion(teacher(mixed), torch.tensor([0, 1, 1, 0]), mixed).item() == 0.0
        True
    """
    return knowledge_distillation(model, alpha=1.0, temperature=temperature, **options)


@checks_options
def top_two_kd(
    model: nn.Module | Teacher,
    *,
    alpha: float = 1.0,
    **options: Unpack[LossOptions],
) -> DistillationLoss:
    """Taught by the two classes that a trained network finds most likely, one half each.

    Which of the two is the true one is left open. Under noisy labels one round of it is said to do
    what many rounds of self-distillation do.

    Args:
        model: the trained network, of which a frozen copy is kept; or a `Teacher` that answers
            with logits.
        alpha: weight of the teacher term, in [0, 1]; at 1 labels do not count.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: Jeong and Chung, 2025, arXiv 2402.10482, after its abstract.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.top_two_kd(torch.nn.Identity())
        >>> student, teacher = torch.tensor([[4.0, 4.0, -9.0]]), torch.tensor([[0.1, 0.5, 0.0]])
        >>> round(criterion(student, torch.tensor([1]), teacher).item(), 4)
        0.0
    """
    return DistillationLoss(TopTwoTeacher(as_teacher(model)), alpha=alpha, **options)


@checks_options
def ensemble_kd(
    models: Sequence[nn.Module | Teacher],
    *,
    average: Literal["probabilities", "logits"] = "probabilities",
    alpha: float = 0.5,
    temperature: float = 2.0,
    **options: Unpack[LossOptions],
) -> DistillationLoss:
    """Knowledge distillation by several networks, which are averaged.

    With `average="probabilities"` it is the mean of the losses with each of them, but for a
    constant. It is in no table of methods: a study has one teacher.

    Args:
        models: trained networks, of which frozen copies are kept; or `Teacher`s.
        average: of what: see `EnsembleTeacher`.
        alpha: weight of the teacher term, in [0, 1].
        temperature: τ, positive.
        **options: `scale`, `weight`, `ignore_index`, `class_dim`, `reduction` of
            `DistillationLoss`.

    Source: Hinton et al., 2015, arXiv 1503.02531, section 3.

    Example:
        >>> import torch, tfkd
        >>> networks = [torch.nn.Identity(), torch.nn.Identity()]
        >>> criterion = tfkd.ensemble_kd(networks, alpha=1.0, temperature=1.0)
        >>> logits = torch.tensor([[2.0, 0.0]])
        >>> round(criterion(logits, torch.tensor([0]), logits).item(), 4)
        0.0
    """
    teacher = EnsembleTeacher([as_teacher(model) for model in models], average)
    return DistillationLoss(teacher, alpha=alpha, temperature=temperature, **options)

"""What a teacher says of the wrong classes, weighed apart from what it says of the true one."""

from __future__ import annotations

from torch import nn
from typing_extensions import Unpack  # torch depends on it

from tfkd._checks import check_whole
from tfkd.loss import DistillationLoss
from tfkd.loss.schedules import WarmUp
from tfkd.loss.told import SamplesPerEpoch, Setting
from tfkd.methods.options import AddedOptions, ReductionOptions, as_teacher, checks_options
from tfkd.methods.options import added as weights_of_added
from tfkd.teachers import NormalizedTeacher, Teacher, ZipfTeacher


@checks_options
def decoupled_kd(
    model: nn.Module | Teacher,
    *,
    temperature: float = 4.0,
    target: float = 1.0,
    non_target: float = 8.0,
    warm_up: float = 20.0,
    samples_per_epoch: SamplesPerEpoch = None,
    scale: float = 1.0,
    **options: Unpack[ReductionOptions],
) -> DistillationLoss:
    """Decoupled knowledge distillation (DKD): the wrong classes weighed apart, and more.

        L = H(q, p) + λ(e) · τ² · [target · kl(t_y ‖ p_y) + non_target · KL(t̂ ‖ p̂)]

    The first part is binary, of the true class y against all others, all softened by τ; hats are
    softmaxed among the wrong classes alone. λ(e) = min((e + 1) / warm_up, 1) in the epoch e from 0.
    With non_target = 1 − t_y it would be KD.

    Labels are class indices; probabilities, as of mixup, are refused. Everything else is as in
    `distillation_loss`. In half precision it is computed in float32, by logarithms of softmaxes
    (the official code takes the logarithm of a sum of probabilities, and masks by −1000).

    Args:
        model: the trained network, of which a frozen copy is kept; or a `Teacher`.
        temperature: τ, positive.
        target: weight of what is said of the true class, at least 0.
        non_target: weight of what is said among the wrong ones, at least 0. The official 8 is for
            some pairs of networks on CIFAR-100, 2 and 6 for others. On ImageNet the official
            numbers are temperature 1, target 1 and warm_up 1, with non_target 0.5 for ResNet-34 →
            18 and 2 for ResNet-50 → MobileNet-V1.
        warm_up: over so many epochs the teacher's weight grows; a whole number, to be chosen with
            the length of the training: the official 20 are of 240. Of 20 epochs they would leave
            one, the last, at the whole weight.
        samples_per_epoch: by which epochs are counted, as of `DistillationLoss`; needed unless
            `warm_up` is 1.
        scale: factor on the whole loss, positive.
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`.

    Source: Zhao et al., 2022, arXiv 2203.08679; megvii-research/mdistiller a08d46f.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.decoupled_kd(torch.nn.Identity(), temperature=1.0, warm_up=1)
        >>> student, teacher = torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([[2.0, 0.0, 1.0]])
        >>> round(criterion(student, torch.tensor([0]), teacher).item(), 4)
        4.1045
    """
    epochs = check_whole("warm_up", warm_up)
    weight = 1.0 if epochs == 1 else WarmUp(value=1.0, epochs=epochs)
    return DistillationLoss(
        as_teacher(model),
        temperature=temperature,
        decoupled=(target, non_target),
        samples_per_epoch=samples_per_epoch,
        **weights_of_added(weight, scale),
        **options,
    )


@checks_options
def normalized_kd(
    model: nn.Module | Teacher,
    *,
    added: Setting = 1.5,
    temperature: float = 1.0,
    scale: float = 1.0,
    **options: Unpack[AddedOptions],
) -> DistillationLoss:
    """Normalised knowledge distillation (NKD): the wrong classes among themselves.

        L = (1 + t_y) · H(q, p) + added · τ² · KL(t̂ ‖ p̂)

    t_y is what the teacher gives the true class at temperature 1; hats are softmaxed, at τ, among
    the wrong classes alone. The official loss has the cross-entropy H(t̂, p̂), which differs by a
    constant.

    Labels are class indices. Probabilities, as of mixup, are refused; the official code takes the
    largest of them for the true class, and so teaches another label than cross-entropy does.

    Args:
        model: the trained network, of which a frozen copy is kept; or a `Teacher`.
        added: weight of what is said among the wrong classes, positive; the source's γ, 1.5 in its
            configurations of convolutional networks, 1 in all of those of DeiT. Or a function of
            `tfkd.loss.schedules.Progress`.
        temperature: τ, positive.
        scale: factor on the whole loss, positive.
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`; its
            `samples_per_epoch`, where `added` follows epochs.

    Source: Yang et al., 2023, arXiv 2303.13005; yzd-v/cls_KD 1e5d48f.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.normalized_kd(torch.nn.Identity())
        >>> student, teacher = torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([[2.0, 0.0, 1.0]])
        >>> round(criterion(student, torch.tensor([0]), teacher).item(), 4)
        1.3719
    """
    return DistillationLoss(
        NormalizedTeacher(as_teacher(model)),
        temperature=temperature,
        decoupled=(0.0, 1.0),
        **weights_of_added(added, scale, positive=True),
        **options,
    )


@checks_options
def zipf_label_smoothing(
    *,
    added: Setting = 0.1,
    power: float = 1.0,
    scale: float = 1.0,
    **options: Unpack[AddedOptions],
) -> DistillationLoss:
    """Zipf's label smoothing: the wrong classes by their rank in the student's own answer.

        L = H(q, p) + added · KL(v ‖ p̂),   v_k in proportion to rank_k^(−power)

    v and p̂ are of the wrong classes alone. Ranks are by the student's logits and count all classes,
    the true one too; equal logits share the smallest of their ranks. v is a constant.

    The source calls ranking by logits an ablation: what it publishes ranks by votes of the places
    of the last feature map, which a loss does not see.

    Labels are class indices; probabilities, as of mixup, are refused.

    Args:
        added: weight of what is said among the wrong classes, at least 0, or a function of
            `tfkd.loss.schedules.Progress`; officially 0.1 on
            CIFAR-100 and ImageNet, 1 on Tiny-ImageNet and iNaturalist.
        power: of the ranks, positive.
        scale: factor on the whole loss, positive.
        **options: `weight`, `ignore_index`, `class_dim`, `reduction` of `DistillationLoss`; its
            `samples_per_epoch`, where `added` follows epochs.

    Source: Liang et al., 2022, arXiv 2207.12980; megvii-research/zipfls 108e27a.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.zipf_label_smoothing()
        >>> round(criterion(torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0])).item(), 4)
        0.4116
    """
    return DistillationLoss(
        ZipfTeacher(power),
        decoupled=(0.0, 1.0),
        **weights_of_added(added, scale),
        **options,
    )

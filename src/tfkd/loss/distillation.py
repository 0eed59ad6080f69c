"""The one loss: function first, then the module that holds its settings."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tfkd.loss.checks import (
    CHECKED,
    check_answer,
    check_class_dim,
    check_classes,
    check_decoupled,
    check_few_logits,
    check_settings,
    check_standardize,
    check_teacher_logits,
    check_tensors,
)
from tfkd.loss.equation import loss_by_equation
from tfkd.loss.kernels import kernel_for
from tfkd.loss.taught import TaughtCriterion
from tfkd.loss.terms import LossSettings, is_number
from tfkd.loss.told import SamplesPerEpoch, Setting
from tfkd.teachers.base import Answer, Batch, Teacher, answer_of, replaced
from tfkd.teachers.cached import CachedTeacher
from tfkd.teachers.draws import check_no_draws
from tfkd.teachers.few_logits import FewLogits
from tfkd.teachers.logits import classes_second


def distillation_loss(
    student_logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor | FewLogits | float,
    *,
    alpha: float,
    temperature: float = 1.0,
    scale: float = 1.0,
    share: Tensor | float = 1.0,
    label_share: Tensor | float = 1.0,
    decoupled: tuple[float, float] | None = None,
    standardize: bool = False,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    class_dim: int = 1,
    reduction: str = "mean",
) -> Tensor:
    r"""Cross-entropy with the labels and divergence from a teacher, weighed by `alpha`.

        L = s · [ (1 − α) · H(q, p)  +  α · τ² · KL(t_τ ‖ p_τ) ]

    with p_τ = softmax(student_logits / τ), t_τ = softmax(teacher_logits / τ), q the labels.

    Args:
        student_logits: `(N, K)` or `(N, K, d1, ...)`, or `(K,)` unbatched; K classes, at least 2.
            Other places of K by `class_dim`. Logits of minus infinity mask a class.
        labels: class indices `(N)`, `(N, d1, ...)` or `()`, int64; or probabilities of the shape
            of `student_logits`, floating point, taken as they are, as torch takes them: for
            those that do not sum to 1, as several labels at once, this is no loss of theirs, and
            `binary_distillation_loss` is.
        teacher_logits: the shape of `student_logits`; log-probabilities are valid logits. Or a
            number, the gap of a teacher whose logit of the true class is that much higher than
            every other: at least 0, which is uniform; or a gap for each sample, of the shape of
            class indices. Or `tfkd.FewLogits`, of a few classes. The teacher is a constant: no
            gradient reaches it.
        alpha: weight α of the teacher term, in [0, 1]. 0 is `torch.nn.functional.cross_entropy`.
        temperature: τ, positive.
        scale: loss scale s, positive.
        share: factor of the teacher term, at least 0: a number, or one for each sample, of the
            shape of class indices. A share of 0 silences the teacher, whatever it says.
        label_share: the same for the label term.
        decoupled: weights of the two parts of the divergence,
            KL(t_τ ‖ p_τ) = kl(t_y ‖ p_y) + (1 − t_y) · KL(t̂ ‖ p̂), the first binary on the true
            class y, hats softmaxed among the wrong ones: in place of 1 and 1 − t_y. For labels
            that are class indices. None: the divergence as it is.
        standardize: whether the teacher term looks at both logits standardised over the classes,
            (z − mean) / sd, sd with K − 1; the label term sees them as they are.
        weight: weight of each class, `(K,)`. The label term is torch's; the teacher term of a
            sample is weighed by its label, Σ_k q_k·w_k, over the same divisor. Torch's
            `label_smoothing` weighs the smoothed target class by class, so with weights a uniform
            teacher is not equal to it.
        ignore_index: class index whose positions count in neither term.
        class_dim: which dimension of both logits, and of labels that are probabilities, is the
            classes: -1 for logits `(N, L, K)`, as language models have it, with labels `(N, L)`.
            The default 1 is torch's reading; where L = K it reads `(N, L, K)` as that without an
            error, as torch does, and positions are taken for classes.
        reduction: `"mean"` over the positions that count (torch's divisor: their total weight for
            class indices, their number for probabilities), `"sum"` or `"none"`.

    Returns:
        A scalar, or for `"none"` one value per position, the shape of class-index labels.
        Logits of half precision are computed and answered in float32, unless `alpha` is 0. In
        float32 a value is good to about 10⁻⁷·τ·|z|, z being how far the logits lie from 0: 4·10⁻³
        at 2,000 and τ = 20. Its gradient is not off.

    Raises:
        TypeError: for a wrong type or dtype.
        ValueError: for a wrong shape, range or device.

    Example:
        >>> import torch, tfkd
        >>> student = torch.tensor([[2.0, 0.0, -1.0]])
        >>> teacher = torch.tensor([[3.0, 1.0, 0.0]])
        >>> loss = tfkd.distillation_loss(
        ...     student, torch.tensor([0]), teacher, alpha=0.5, temperature=4.0
        ... )
        >>> round(loss.item(), 4)
        0.0849

    Source: Hinton et al., 2015, arXiv 1503.02531; Yuan et al., 2020, arXiv 1909.11723, eqs. 3-9;
    decoupled: Zhao et al., 2022, arXiv 2203.08679; standardised: Sun et al., 2024,
    arXiv 2403.01427.
    """
    check_settings(alpha, temperature, scale, reduction)
    check_standardize(standardize)
    check_class_dim(class_dim)
    check_tensors(student_logits, labels, weight, ignore_index, class_dim)
    check_teacher_logits(student_logits, teacher_logits, class_dim)
    dims = student_logits.dim()
    if isinstance(teacher_logits, FewLogits):
        values, classes, others = teacher_logits
        values, classes = classes_second(values, class_dim), classes_second(classes, class_dim)
        teacher_logits = FewLogits(values, classes, others)
    elif isinstance(teacher_logits, Tensor) and teacher_logits.dim() == dims:
        teacher_logits = classes_second(teacher_logits, class_dim)
    labels = classes_second(labels, class_dim) if labels.dim() == dims else labels
    student_logits = classes_second(student_logits, class_dim)
    if isinstance(teacher_logits, FewLogits):
        check_classes(student_logits, teacher_logits)
    settings = LossSettings(
        alpha, temperature, scale, ignore_index, reduction, check_decoupled(decoupled), standardize
    )
    answer = Answer(teacher_logits, share, label_share)
    return _loss(student_logits, labels, answer, weight, settings)


def _loss(
    student_logits: Tensor,
    labels: Tensor,
    answer: Answer,
    weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """The loss of checked settings, logits and labels."""
    check_answer(student_logits, labels, answer, settings)
    if labels.dtype == torch.uint8:
        labels = labels.long()  # an ignore_index below 0 does not compare with uint8
    if is_number(answer.share, 0.0):  # silent, whatever is said
        answer = replaced(answer, logits=0.0)
    formula = kernel_for(student_logits, labels, answer, weight, settings) or loss_by_equation
    return formula(student_logits, labels, answer, weight, settings)


class DistillationLoss(TaughtCriterion):
    """`distillation_loss` with a teacher; a drop-in for `torch.nn.CrossEntropyLoss`.

    It is called as torch's is. One thing it does otherwise than torch's label smoothing: `weight`.

    A teacher may remember what it saw, and `alpha`, `temperature` and `scale` may follow the
    progress of training. Then the loop tells of it: `criterion.step_ended(model)` after every step
    of the optimiser, `criterion.epoch_ended()` after every epoch; where neither is wanted, both do
    nothing. What is remembered is in `state_dict()`.

    Args:
        teacher: answers each batch: `UniformTeacher`, `VirtualTeacher`, `NetworkTeacher`, or your
            own `Teacher`. It is not asked when `alpha` is 0.
        alpha: weight of the teacher term, in [0, 1]; or, as the two that follow, a function of
            `tfkd.loss.schedules.Progress`, as those of `tfkd.loss.schedules`. What of progress it
            looks at, epochs or steps, is what it follows. Where alpha comes to 0, or the teacher
            falls silent, half precision and masked classes go on as before.
        temperature: τ, positive.
        scale: loss scale, positive.
        decoupled: as in `distillation_loss`.
        standardize: as in `distillation_loss`.
        samples_per_epoch: needed where epochs are counted, by the teacher or by a schedule: how
            many samples an epoch shows, over all processes together, after which it is taken to
            have ended; or `"told"`: `epoch_ended()` is called. With a number it may be called too,
            after no more samples than that and those that complete the last batch.
        weight: weight of each class, `(K,)`; a buffer, as in `torch.nn.CrossEntropyLoss`. The
            teacher term of a sample is weighed by its label, Σ_k q_k·w_k, and not class by class,
            as torch weighs a smoothed target.
        ignore_index: class index whose positions do not count.
        class_dim: which dimension of the logits is the classes, as in `distillation_loss`; -1 for
            `(N, L, K)`. Of networks that teach, of their answers too. A `Teacher` is shown logits,
            and answers with logits, whose classes are the second dimension whatever it is.
        reduction: `"mean"`, `"sum"` or `"none"`.

    Shape:
        Called as `criterion(student_logits, labels, inputs=None, indices=None, view=None,
        num_items_in_batch=None)`, with shapes as in `distillation_loss`; by name also as torch's,
        `criterion(input=student_logits, target=labels)`. `inputs` are the samples, or a mapping of
        what a network takes by name; `indices` `(N,)` say which of the data set they are and `view`
        which augmented view, for teachers that ask. With `num_items_in_batch` the loss is the sum
        over this batch divided by that number, as gradient accumulation wants it: see `forward`.

    Raises:
        TypeError: for a wrong type; also when a teacher needs `inputs` and gets none.
        ValueError: for a wrong range or shape; without `samples_per_epoch` where it is needed; for
            a teacher cache of draws with `decoupled` or `standardize`.
        RuntimeError: when a batch comes and it is clear that steps were not told of; when an epoch
            is told of that the count of samples has ended already; under `torch.func`, in training
            with a teacher that remembers, whose memory is not reached from there: in eval mode it
            answers as it does elsewhere.

    Example:
        >>> import torch, tfkd
        >>> criterion = tfkd.DistillationLoss(
        ...     tfkd.VirtualTeacher(confidence=0.99), alpha=0.5, temperature=20.0
        ... )
        >>> round(criterion(torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([0])).item(), 4)
        0.1166
    """

    def __init__(
        self,
        teacher: Teacher,
        *,
        alpha: Setting,
        temperature: Setting = 1.0,
        scale: Setting = 1.0,
        decoupled: tuple[float, float] | None = None,
        standardize: bool = False,
        samples_per_epoch: SamplesPerEpoch = None,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        class_dim: int = 1,
        reduction: str = "mean",
    ) -> None:
        super().__init__(
            teacher,
            alpha=alpha,
            temperature=temperature,
            scale=scale,
            samples_per_epoch=samples_per_epoch,
            weight=weight,
            ignore_index=ignore_index,
            class_dim=class_dim,
            reduction=reduction,
        )
        self.decoupled = decoupled
        self.standardize = standardize

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "standardize":
            check_standardize(value)
        elif name == "decoupled":
            value = check_decoupled(value)
        if name in ("teacher", "decoupled", "standardize"):
            self._check_draws(**{name: value})
        super().__setattr__(name, value)

    def _check_draws(self, **changed: Any) -> None:
        def now(name: str) -> Any:
            return changed.get(name, getattr(self, name, None))

        teacher = now("teacher")
        if isinstance(teacher, Teacher):
            if now("decoupled") is not None:
                check_no_draws(teacher, "`decoupled`")
            if now("standardize"):
                check_no_draws(teacher, "`standardize`")

    def _answer(self, batch: Batch) -> Answer:
        return answer_of(self.teacher(batch))

    def _formula(self, batch: Batch, answer: Answer, settings: LossSettings) -> Tensor:
        if isinstance(answer.logits, FewLogits) and not isinstance(self.teacher, CachedTeacher):
            check_few_logits(batch.student_logits, answer.logits)
            check_classes(batch.student_logits, answer.logits)
        return _loss(batch.student_logits, batch.labels, answer, self.weight, settings)

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        said = [f"{name}={self._said(name)}" for name in CHECKED]
        said += [f"decoupled={self.decoupled}"] if self.decoupled is not None else []
        said += ["standardize=True"] if self.standardize else []
        return ", ".join(said + self._said_of_reduction())

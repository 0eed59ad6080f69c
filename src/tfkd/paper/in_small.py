"""The tables and Figure 2 of the paper in small: one student, one larger teacher, other data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from tfkd._checks import check_choice
from tfkd.method_table import DIALECTS
from tfkd.paper.arms import (
    method_arm,
    named_as_in_tables,
    plain_arm,
    snapshots,
    with_controls,
    with_equal_smoothing,
)
from tfkd.paper.at_chosen import at_chosen, chosen_remarks
from tfkd.paper.contrasts import WORTHWHILE, figure_contrasts, table_contrasts
from tfkd.paper.figure_2 import figure_2
from tfkd.paper.numbers import FORMULA_REMARKS, KD_OTHERS, Numbers, method_settings, numbers
from tfkd.paper.published import MOBILE
from tfkd.paper.remarks import (
    IN_SMALL,
    NUMBERS_IN_SMALL,
    QUESTION_IN_SMALL,
    figure_2_remark,
    gains_remark,
)
from tfkd.runs import Recipe
from tfkd.runs.chosen import Chosen
from tfkd.study.comparison import student_and_teacher
from tfkd.study.plan import Arm, Study

AS_WITH = 100
DEFECTIVE_EPOCHS = (1, 50)

_KD = ("normal_kd", "re_kd")
_DEFECTIVE = ("de_kd", "normal_kd")
_SELF = ("tf_kd_self", "normal_kd")
_REG = ("tf_kd_reg", "normal_kd", "label_smoothing")
METHODS = {
    **dict.fromkeys((1, 2, 3), _KD),
    4: _DEFECTIVE,
    **dict.fromkeys((5, 6, 7, 8), _SELF),
    **dict.fromkeys((9, 10, 11), _REG),
}
"""By table, its methods."""

FIGURE = "figure-2"


def in_small(
    study_name: str,
    base: Recipe,
    *,
    networks: tuple[str, str],
    num_classes: int,
    dialect: str = "released",
    seeds: int = 3,
    controls: Sequence[str] = ("scaled", "uninformed", "smoothed"),
    chosen: Mapping[str, Chosen] | None = None,
) -> Study:
    """Plan a study of the paper with one student and one larger teacher.

    The numbers are those of MobileNetV2 on CIFAR-100, for Re-KD of ResNet18, and the released
    divergence has the weight that it had with 100 classes; in the dialect `tfkd` they are this
    package's defaults. Snapshots are taken at the paper's share of the epochs.

    Args:
        study_name: `table-1` to `table-11` or `figure-2`.
        base: data and recipe of every run.
        networks: names of the student and of the larger teacher.
        num_classes: number of classes K of the data.
        dialect: `released`, `paper` or `tfkd`.
        seeds: number of seeds.
        controls: names of `tfkd.study.plan.CONTROLS`.
        chosen: numbers, learning rate and weight decay by method, instead of those above; with an
            entry `teacher` for the larger network.

    Raises:
        ValueError: for an unknown study, dialect or control, or no seed.

    Example:
        >>> study = in_small(
        ...     "table-4", Recipe(epochs=40), networks=("small_cnn", "wide_cnn"),
        ...     num_classes=10, controls=(),
        ... )
        >>> [arm.name for arm in study.arms if arm.method.name == "de_kd"]
        ['small_cnn/released-de_kd-wide_cnn-1', 'small_cnn/released-de_kd-wide_cnn-10']
    """
    tables = {f"table-{number}": number for number in METHODS}
    if study_name not in (*tables, FIGURE):
        raise ValueError(
            f"Expected `study_name` among {', '.join((*tables, FIGURE))}, got {study_name!r}."
        )
    check_choice("dialect", dialect, tuple(DIALECTS))
    student, teacher = networks
    chosen = chosen or {}
    recipes = {name: base.for_student(name) for name in networks}
    kept: dict[str, tuple[int, ...]] = {student: (), teacher: snapshots(base.epochs)}
    plain = {name: plain_arm(recipes[name], keep=kept[name]) for name in networks}

    def arm(method: str, epoch: int | None = None) -> Arm:
        trained, taught_by = student_and_teacher(method, student, teacher)
        own: Numbers | None = None
        if method == "re_kd":
            own = KD_OTHERS
        elif method != "label_smoothing":
            own = numbers(method, MOBILE, "cifar100")
        return method_arm(
            method_settings(
                method, dialect=dialect, own=own, num_classes=num_classes, as_with=AS_WITH
            ),
            recipes[trained],
            teacher=taught_by,
            epoch=epoch,
        )

    sources = () if dialect == "tfkd" else (NUMBERS_IN_SMALL,)
    formulas = () if chosen else (FORMULA_REMARKS[dialect],)
    remarks = (IN_SMALL, *sources, *formulas)
    if study_name == FIGURE:
        study = figure_2(
            recipes[student],
            teachers=(teacher,),
            method=arm("normal_kd").method,
            snapshots=snapshots(base.epochs),
            seeds=seeds,
        )
        taught = [own for own in named_as_in_tables(study) if own.teacher is not None]
        asked = [*plain.values(), *taught]
        tuned = at_chosen(asked, chosen, teacher=teacher)
        all_arms = with_controls(tuned, controls, num_classes)
        return replace(
            study,
            arms=tuple(all_arms),
            remarks=(figure_2_remark(), *remarks, *chosen_remarks(asked, chosen, teacher)),
            contrasts=figure_contrasts(all_arms),
            worthwhile=WORTHWHILE,
        )

    number = tables[study_name]
    claims = []
    for method in METHODS[number]:
        epochs: tuple[int | None, ...] = (None,)
        if method == "de_kd":
            epochs = snapshots(base.epochs, DEFECTIVE_EPOCHS)
        claims += [arm(method, epoch) for epoch in epochs]
    own_arms = [
        own
        for name in networks
        for own in (plain[name], *(claim for claim in claims if claim.recipe.student == name))
    ]
    tuned = at_chosen(own_arms, chosen, teacher=teacher)
    all_arms = with_controls(with_equal_smoothing(tuned, num_classes), controls, num_classes)
    return Study(
        study_name,
        QUESTION_IN_SMALL[METHODS[number][0]],
        tuple(all_arms),
        seeds,
        (gains_remark(number), *remarks, *chosen_remarks(own_arms, chosen, teacher)),
        contrasts=table_contrasts(number, all_arms),
        worthwhile=WORTHWHILE,
    )

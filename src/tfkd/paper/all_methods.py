"""Every method of the paper in three dialects, with controls, on one student and one teacher."""

from __future__ import annotations

from collections.abc import Sequence

from tfkd.method_table import BASELINE, DIALECTS
from tfkd.paper.numbers import Numbers, method_settings
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.comparison import DEFECTIVE_EPOCH, student_and_teacher
from tfkd.study.controls import add_controls
from tfkd.study.plan import Arm, Study

RELEASED_CLASSES = 100
QUESTION = (
    "Do the methods of the paper, in any dialect, gain more than their loss scale and an "
    "equivalent label smoothing do?"
)


def all_methods(
    base: Recipe,
    *,
    teacher: str,
    num_classes: int,
    seeds: int,
    controls: Sequence[str],
) -> Study:
    """Plan the study that asks whether the gains are the teacher's, or the loss scale's.

    Every method in three dialects. `tfkd`: this package's defaults. `paper`: the equation as
    printed, with the released α and τ of the paper's small students (MobileNetV2, ShuffleNetV2).
    `released`: the released formula with the same numbers, at the weights that its division by
    the number of classes has on CIFAR-100, where they were chosen: the multiplier is K/100.

    Args:
        base: data, student and recipe of every run.
        teacher: name of the larger network.
        num_classes: number of classes K of the data.
        seeds: number of seeds.
        controls: names of `tfkd.study.plan.CONTROLS`. The larger network, which is there to
            teach and for Re-KD, has those of the loss scale alone.
    """
    student = base.student
    plain = {name: f"{name}/{BASELINE}" for name in (student, teacher)}
    arms = []
    for name in (student, teacher):
        recipe = base.for_student(name)
        arms.append(Arm(plain[name], MethodSettings(), recipe))
        arms.append(
            Arm(
                f"{name}/label_smoothing",
                MethodSettings("label_smoothing"),
                recipe,
                baseline=plain[name],
            )
        )
        if name == student:
            arms.append(
                Arm(
                    f"{name}/released-label_smoothing",
                    MethodSettings("label_smoothing", "released"),
                    recipe,
                    baseline=plain[name],
                )
            )
        for method in _methods(num_classes, larger=name == teacher):
            _, taught_by = student_and_teacher(method.name, student, teacher)
            prefix = "" if method.dialect == "tfkd" else f"{method.dialect}-"
            arms.append(
                Arm(
                    f"{name}/{prefix}{method.name}",
                    method,
                    recipe,
                    teacher=None if taught_by is None else plain[taught_by],
                    teacher_epoch=DEFECTIVE_EPOCH if method.name == "de_kd" else None,
                    baseline=plain[name],
                )
            )
    split = next(i for i, arm in enumerate(arms) if arm.recipe.student == teacher)
    scale_controls = [name for name in controls if name in ("scaled", "balanced")]
    return Study(
        "all-methods",
        QUESTION,
        (
            *add_controls(arms[:split], controls, num_classes),
            *add_controls(arms[split:], scale_controls, num_classes),
        ),
        seeds,
        remarks=(
            "The paper's equations (as printed) and its released code with the numbers of the "
            "released code's small students on CIFAR-100: alpha 0.95, temperature 20; for Re-KD "
            "alpha 0.6. Tf-KD_reg has temperature 20 too (released: 40 and 10), so that its scale "
            "is that of the others.",
            "The released formula divides its teacher term by the number of classes. Here it has "
            f"the weights that it has with {RELEASED_CLASSES} classes, where its numbers were "
            "chosen.",
        ),
    )


def _methods(num_classes: int, *, larger: bool) -> list[MethodSettings]:
    """The methods of the student, or of the larger network, in every dialect."""
    # `params.json` of the released code: KD to MobileNetV2 and ShuffleNetV2; Re-KD to ResNets.
    own = Numbers(0.6 if larger else 0.95, 20.0)
    methods = ("re_kd",) if larger else ("tf_kd_reg", "tf_kd_self", "normal_kd", "de_kd")
    return [
        method_settings(
            method, dialect=dialect, own=own, num_classes=num_classes, as_with=RELEASED_CLASSES
        )
        for dialect in DIALECTS
        for method in methods
    ]

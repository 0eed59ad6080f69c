"""Is it the teacher, or the scale of the loss? Every teacher at every scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfkd._checks import check_number, check_positive
from tfkd.method_table import BASELINE
from tfkd.paper.arms import with_controls
from tfkd.paper.at_chosen import TEACHER
from tfkd.paper.contrasts import WORTHWHILE
from tfkd.runs import MethodSettings, Recipe
from tfkd.runs.chosen import Chosen
from tfkd.study.comparison import DEFECTIVE_EPOCH
from tfkd.study.plan import Arm, Contrast, Interaction, Study

NAME = "scale"
ENTRY = "scale-"
"""What names of the chosen settings of a scale begin with."""

SCALES = (1.0, 0.406, 0.0595)
"""That of a loss as it is usually written, and the two of the released code with 100 classes: of
Re-KD and larger students, and of KD to small ones."""
QUESTION = "Is the gain the teacher's, or that of a loss of another scale?"


def teacher_or_scale(
    base: Recipe,
    *,
    teacher: str,
    num_classes: int,
    alpha: float = 0.5,
    temperature: float = 4.0,
    scales: Sequence[float] = SCALES,
    seeds: int = 3,
    controls: Sequence[str] = (),
    chosen: Mapping[str, Chosen] | None = None,
) -> Study:
    """Plan no teacher, a uniform, a barely and a fully trained one, each at several loss scales.

    α and τ are the same everywhere. With a scale s below 1 the learning rate is too small: s times
    the loss at learning rate η and weight decay λ is, under SGD, the same training as the loss
    itself at s·η and λ/s. So a difference between scales is a difference between learning rates
    and weight decays; whether the teacher matters is asked at each scale by itself.

    Args:
        base: data, student and recipe of every run.
        teacher: name of the larger network.
        num_classes: number of classes K of the data.
        alpha: weight of the teacher term, above 0.
        temperature: τ, above 0.
        scales: s, above 0; 1 is always among them.
        seeds: number of seeds.
        controls: names of `tfkd.study.plan.CONTROLS`.
        chosen: learning rate and weight decay by entry: `scale-S` for all that is trained at the
            scale S, `teacher` for the larger network. What has no entry has the recipe's.

    Raises:
        ValueError: for a scale of 0 or less, two that differ in no digit that is printed, an α of
            0, or an entry of another scale.

    Example:
        >>> study = teacher_or_scale(
        ...     Recipe(student="small_cnn"), teacher="wide_cnn", num_classes=10, scales=(0.1,)
        ... )
        >>> [arm.name for arm in study.arms if arm.method.numbers.get("scale") == 0.1]
        ['small_cnn/none-x0.1', 'small_cnn/uniform-x0.1', 'small_cnn/one-epoch-x0.1', \
'small_cnn/full-x0.1']
    """
    chosen = chosen or {}
    if check_number("alpha", alpha) == 0.0:
        raise ValueError("Expected `alpha` above 0: at 0 no teacher is heard, got 0.")
    every = tuple(dict.fromkeys((1.0, *(check_positive("scales", scale) for scale in scales))))
    names = [entry_name(scale) for scale in every]
    if len(set(names)) < len(names):
        raise ValueError(f"Expected `scales` that differ in six digits, got {every}.")
    if other := [name for name in chosen if name.startswith(ENTRY) and name not in names]:
        raise ValueError(
            f"Expected entries of `chosen` for scales of the study, {', '.join(names)}, got "
            f"{', '.join(other)}."
        )
    student, recipes = base.student, {}
    for scale in every:
        own = chosen.get(entry_name(scale))
        recipes[scale] = base if own is None else own.recipe(base)
    larger = base.for_student(teacher)
    if TEACHER in chosen:
        larger = chosen[TEACHER].recipe(larger)
    teaching = Arm(f"{teacher}/{BASELINE}", MethodSettings(), larger)
    plain = Arm(f"{student}/{BASELINE}", MethodSettings(), recipes[1.0])
    arms, full_against_none = [plain, teaching], {}
    contrasts, of_scale = [], []
    for scale in every:
        of_this = _arms(scale, alpha, temperature, recipes[scale], plain, teaching)
        arms += [arm for arm in of_this.values() if arm is not plain]
        full = of_this["full"].name
        full_against_none[scale] = Contrast(full, of_this["none"].name)
        contrasts += [Contrast(full, of_this["uniform"].name), full_against_none[scale]]
        if scale != 1.0:
            of_scale.append(Contrast(of_this["none"].name, plain.name))
    interactions = tuple(
        Interaction(
            f"Is a fully trained teacher worth as much at a loss × {scale:g} as at × 1?",
            full_against_none[scale],
            full_against_none[1.0],
        )
        for scale in every
        if scale != 1.0
    )
    return Study(
        NAME,
        QUESTION,
        tuple(with_controls(arms, controls, num_classes)),
        seeds,
        remarks=tuple(_remarks(every, alpha, temperature, chosen)),
        contrasts=(*contrasts, *of_scale),
        worthwhile=WORTHWHILE,
        interactions=interactions,
    )


def entry_name(scale: float) -> str:
    """Return what the chosen settings of a scale are called.

    Example:
        >>> entry_name(0.406)
        'scale-0.406'
    """
    return f"{ENTRY}{scale:g}"


def _arms(
    scale: float,
    alpha: float,
    temperature: float,
    recipe: Recipe,
    plain: Arm,
    teaching: Arm,
) -> dict[str, Arm]:
    """The four arms of a scale, by their teacher; no teacher at scale 1 is plain cross-entropy."""
    numbers = {"alpha": alpha, "temperature": temperature, "scale": scale}
    loss = "" if scale == 1.0 else f", loss × {scale:g}"
    methods = {
        "none": MethodSettings(BASELINE, numbers={"scale": scale}),
        "uniform": MethodSettings("uniform_kd", numbers=numbers),
        "one-epoch": MethodSettings("de_kd", numbers=numbers),
        "full": MethodSettings("normal_kd", numbers=numbers),
    }
    titles = {
        "none": f"no teacher{loss}",
        "uniform": f"uniform teacher{loss}",
        "one-epoch": f"teacher of one epoch{loss}",
        "full": f"full teacher{loss}",
    }
    arms = {
        name: Arm(
            f"{plain.place}/{name}-x{scale:g}",
            method,
            recipe,
            teacher=teaching.name if method.has_teacher else None,
            teacher_epoch=DEFECTIVE_EPOCH if name == "one-epoch" else None,
            baseline=plain.name,
            title=titles[name],
        )
        for name, method in methods.items()
    }
    return arms if scale != 1.0 else {**arms, "none": plain}


def _remarks(
    scales: Sequence[float], alpha: float, temperature: float, chosen: Mapping[str, Chosen]
) -> list[str]:
    remarks = [
        f"Every teacher has alpha {alpha:g} and temperature {temperature:g}; the uniform one gives "
        "each class the same probability.",
        "Under SGD a loss × s at learning rate h and weight decay w is the loss itself at learning "
        "rate s·h and weight decay w / s: a difference between scales is one between learning "
        "rates and weight decays, and a search over both would find the same at every scale.",
    ]
    without = [f"{scale:g}" for scale in scales if entry_name(scale) not in chosen]
    if not without:
        remarks.append("Each scale has the learning rate and weight decay that were chosen for it.")
    elif chosen:
        remarks.append(f"No learning rate was chosen for the scales {', '.join(without)}.")
    else:
        remarks.append(
            "All scales have the same learning rate and weight decay, as in the released code: "
            "none is tuned for its scale."
        )
    return remarks

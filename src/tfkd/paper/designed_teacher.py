"""Is Tf-KD_reg more than label smoothing? At every strength, and with nothing left to tune."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tfkd._checks import check_fraction
from tfkd.method_table import BASELINE
from tfkd.paper.arms import with_controls
from tfkd.paper.contrasts import WORTHWHILE
from tfkd.runs import MethodSettings, Recipe
from tfkd.runs.chosen import Chosen
from tfkd.study.plan import Arm, Contrast, Study

STRENGTH, CONFIDENCE = "strength", "confidence"
ALPHAS = (0.1, 0.3, 0.5, 0.7)
QUESTIONS = {
    STRENGTH: "Is Tf-KD_reg better than label smoothing of the same strength?",
    CONFIDENCE: "May the designed teacher be as sure as cross-entropy is right, with nothing to "
    "tune?",
}
REG, SMOOTHING = "tf_kd_reg", "label_smoothing"


def strength(
    base: Recipe,
    *,
    num_classes: int,
    alphas: Sequence[float] = ALPHAS,
    seeds: int = 3,
    controls: Sequence[str] = (),
    chosen: Mapping[str, Chosen] | None = None,
) -> Study:
    """Plan Tf-KD_reg and label smoothing with the same α, at each of several.

    Tf-KD_reg's other numbers are its defaults, or those that were chosen.

    Args:
        base: data, student and recipe of every run.
        num_classes: number of classes K of the data.
        alphas: weights of the teacher term, above 0.
        seeds: number of seeds.
        controls: names of `tfkd.study.plan.CONTROLS`.
        chosen: learning rate and weight decay by method, of Tf-KD_reg its other numbers too.

    Raises:
        ValueError: for no α, one that is not above 0 and at most 1, or one twice.

    Example:
        >>> study = strength(Recipe(student="small_cnn"), num_classes=10, alphas=(0.3,))
        >>> [(contrast.arm, contrast.against) for contrast in study.contrasts]
        [('small_cnn/tf_kd_reg-0.3', 'small_cnn/label_smoothing-0.3')]
    """
    chosen = chosen or {}
    plain = _plain(base, chosen)
    if not alphas or len(set(alphas)) < len(alphas):
        raise ValueError(f"Expected `alphas` of their own, one at least, got {tuple(alphas)}.")
    arms, contrasts = [plain], []
    for alpha in alphas:
        if not check_fraction("alphas", alpha):
            raise ValueError("Expected `alphas` above 0: at 0 both are cross-entropy.")
        pair = [
            _arm(method, {"alpha": alpha}, base, chosen, plain, f"{alpha:g}", f"α = {alpha:g}")
            for method in (REG, SMOOTHING)
        ]
        arms += pair
        contrasts.append(Contrast(pair[0].name, pair[1].name))
    return Study(
        STRENGTH,
        QUESTIONS[STRENGTH],
        tuple(with_controls(arms, controls, num_classes)),
        seeds,
        remarks=_remarks(chosen),
        contrasts=tuple(contrasts),
        worthwhile=WORTHWHILE,
    )


def confidence(
    base: Recipe,
    *,
    num_classes: int,
    confidence: float | None,
    seeds: int = 3,
    controls: Sequence[str] = (),
    chosen: Mapping[str, Chosen] | None = None,
) -> Study:
    """Plan Tf-KD_reg as sure of itself as cross-entropy is right, beside the paper's 0.99.

    Args:
        base: data, student and recipe of every run.
        num_classes: number of classes K of the data.
        confidence: accuracy of cross-entropy on validation data, a fraction above 1/K.
        seeds: number of seeds.
        controls: names of `tfkd.study.plan.CONTROLS`.
        chosen: numbers, learning rate and weight decay by method.

    Raises:
        ValueError: for no confidence, or one out of its range.

    Example:
        >>> study = confidence(Recipe(student="small_cnn"), num_classes=10, confidence=0.82)
        >>> [arm.name for arm in study.arms]  # doctest: +NORMALIZE_WHITESPACE
        ['small_cnn/cross_entropy', 'small_cnn/tf_kd_reg-as-sure-0.82',
         'small_cnn/tf_kd_reg', 'small_cnn/label_smoothing']
    """
    if confidence is None:
        raise ValueError(
            "Expected `confidence` for this study, the accuracy of cross-entropy on validation "
            "data as a fraction (validation_accuracy in the records of a comparison), got none."
        )
    if not 1.0 / num_classes < check_fraction("confidence", confidence) < 1.0:
        raise ValueError(
            f"Expected `confidence` above 1/{num_classes}, that of a guess, and below 1, got "
            f"{confidence}."
        )
    chosen = chosen or {}
    plain = _plain(base, chosen)
    ours = _arm(
        REG,
        {"confidence": confidence},
        base,
        chosen,
        plain,
        f"as-sure-{confidence:g}",
        f"confidence {confidence:g}",
    )
    usual = _arm(REG, {}, base, chosen, plain)
    alpha = ours.method.numbers["alpha"]
    smoothing = _arm(SMOOTHING, {"alpha": alpha}, base, chosen, plain)
    return Study(
        CONFIDENCE,
        QUESTIONS[CONFIDENCE],
        tuple(with_controls([plain, ours, usual, smoothing], controls, num_classes)),
        seeds,
        remarks=(
            f"The designed teacher gives the true class {confidence:g}, the accuracy of "
            "cross-entropy on validation data, known before this study.",
            *_remarks(chosen),
        ),
        contrasts=tuple(Contrast(ours.name, other.name) for other in (plain, smoothing, usual)),
        worthwhile=WORTHWHILE,
    )


def _plain(base: Recipe, chosen: Mapping[str, Chosen]) -> Arm:
    own = chosen.get(BASELINE)
    recipe = base if own is None else own.recipe(base)
    return Arm(f"{base.student}/{BASELINE}", MethodSettings(), recipe)


def _arm(
    method: str,
    numbers: Mapping[str, float],
    base: Recipe,
    chosen: Mapping[str, Chosen],
    plain: Arm,
    suffix: str = "",
    words: str = "",
) -> Arm:
    """The arm of a method at what was chosen for it, but for the numbers that are given."""
    own = chosen.get(method)
    before = {} if own is None else dict(own.method.numbers)
    settings = MethodSettings(method, numbers={**before, **numbers})
    return Arm(
        f"{base.student}/{method}{'-' if suffix else ''}{suffix}",
        settings,
        plain.recipe if own is None else own.recipe(base),
        baseline=plain.name,
        title=f"{settings.row.title}, {words}" if words else None,
    )


def _remarks(chosen: Mapping[str, Chosen]) -> tuple[str, ...]:
    if not chosen:
        return (
            "Every arm has the learning rate and weight decay of the recipe: none is tuned for its "
            "method.",
        )
    without = [name for name in (BASELINE, REG, SMOOTHING) if name not in chosen]
    tuned = "Learning rate and weight decay are those that were chosen for each method."
    if not without:
        return (tuned,)
    return (f"{tuned} Nothing was chosen for {', '.join(without)}.",)

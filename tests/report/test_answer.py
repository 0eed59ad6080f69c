"""The answer in one sentence, from claims that are written out."""

import pytest
from blank_record import BLANK
from msgspec.structs import replace

from tfkd.report.answer import answer
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.conclusions import conclude_claims
from tfkd.study.plan import Arm, Contrast, Study
from tfkd.study.summary import summarise_study

PLAIN = "net/plain"
METHODS = {"smooth": "label_smoothing", "reg": "tf_kd_reg", "max": "max_sup", "focal": "focal"}


def said(gains, *, seeds=10, spread=0.05, contrasts=()):
    """The answer where methods gain so many points, give or take a spread that alternates."""
    arms = [Arm(PLAIN, MethodSettings(), Recipe())]
    arms += [
        Arm(f"net/{name}", MethodSettings(METHODS[name]), Recipe(), baseline=PLAIN)
        for name in gains
    ]
    study = Study("s", "Which?", tuple(arms), seeds, contrasts=contrasts)
    records = [
        replace(
            BLANK,
            arm=arm.name,
            seed=seed,
            accuracy=0.8
            + (gains[arm.name[4:]] + spread * (-1) ** seed if arm.name != PLAIN else 0.0) / 100,
        )
        for arm in arms
        for seed in range(seeds)
    ]
    return answer(conclude_claims(study, summarise_study(study, records)))


def test_what_is_better_comes_first_and_the_rest_has_its_kind():
    text = said({"smooth": 0.53, "reg": 0.81, "max": 0.0, "focal": -1.5})
    assert text == (
        "Tf-KD_reg (+0.81) and label smoothing (+0.53) are more accurate than cross-entropy; no "
        "difference worth having: MaxSup (0.00); less accurate: focal loss (−1.50)."
    )


def test_nothing_better_is_said_so():
    text = said({"smooth": 0.3}, spread=2.0)
    assert text == (
        "Nothing is shown to be more accurate than cross-entropy with 10 seeds; not told apart: "
        "label smoothing (+0.30)."
    )


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_too_few_seeds_conclude_nothing(seeds):
    assert said({"reg": 9.0}, seeds=seeds).startswith("Nothing can be concluded yet")


def test_the_baseline_comes_first_and_other_contrasts_are_named_by_both_arms():
    contrasts = (Contrast("net/reg", "net/smooth"), Contrast("net/reg", PLAIN))
    assert said({"smooth": 0.5, "reg": 0.9}, contrasts=contrasts) == (
        "Tf-KD_reg (+0.90) is more accurate than cross-entropy; of the other contrasts, more "
        "accurate: Tf-KD_reg against label smoothing (+0.40)."
    )


def test_contrasts_alone_are_named_by_both_arms():
    contrasts = (Contrast("net/reg", "net/smooth"), Contrast("net/max", "net/reg"))
    text = said({"smooth": 0.5, "reg": 0.9, "max": 0.9}, contrasts=contrasts)
    assert text == (
        "More accurate: Tf-KD_reg against label smoothing (+0.40); no difference worth having: "
        "MaxSup against Tf-KD_reg (0.00)."
    )

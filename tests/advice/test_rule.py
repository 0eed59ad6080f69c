"""A method is recommended only where the comparison tells it to be better."""

import pytest
from blank_record import BLANK
from msgspec.structs import replace

from tfkd.advice.rule import choose, sentence, what_was_not_told
from tfkd.data import DataSettings
from tfkd.runs import MethodSettings, Recipe, RunSettings
from tfkd.study.conclusions import conclude_claims
from tfkd.study.plan import Arm, Study
from tfkd.study.summary import summarise_study

BASE = Recipe(data=DataSettings("digits"))
METRICS = ("nll", "ece", "brier", "aurc", "augrc")
SPREAD = (0.0, 0.1, -0.1, 0.2, -0.2, 0.1, 0.0, -0.1)


def claims_of(gains, metric="accuracy", seeds=8):
    """Of methods whose metric is the baseline's plus a gain, in points, and some spread."""
    arms = [Arm("net/cross_entropy", MethodSettings(), BASE)]
    arms += [Arm(f"net/{n}", MethodSettings(n), BASE, baseline=arms[0].name) for n in gains]
    study = Study("compare", "Which?", tuple(arms), seeds)
    records = [
        record(arm, seed, metric, gains.get(arm.method.name, 0.0) + SPREAD[seed] * bool(place))
        for place, arm in enumerate(arms)
        for seed in range(seeds)
    ]
    return conclude_claims(study, summarise_study(study, records))


def record(arm, seed, metric, gain):
    values = {"accuracy": 0.8} | dict.fromkeys(METRICS, 0.5)
    values |= dict.fromkeys((f"calibrated_{name}" for name in METRICS), 0.5)
    values[metric] += gain / 100
    return replace(
        BLANK,
        run=f"{arm.name}/seed-{seed}",
        arm=arm.name,
        method=arm.method.name,
        seed=seed,
        settings=RunSettings(BASE, MethodSettings(), None, seed),
        temperature=1.0,
        validation_calibrated_nll=0.5,
        **values,
    )


def chosen(gains, purpose="accuracy", **options):
    choice = choose(claims_of(gains, **options), purpose)
    return None if choice.claim is None else choice.claim.row.arm.method.name


def test_the_largest_of_those_that_are_told_is_taken():
    assert chosen({"label_smoothing": 1.0, "tf_kd_reg": 2.0}) == "tf_kd_reg"
    choice = choose(claims_of({"label_smoothing": 1.0, "tf_kd_reg": 2.0}), "accuracy")
    text = sentence(choice, "accuracy", "pets")
    # SPREAD has mean 0 and sd .1309: 2.3646 standard errors of it are .11. p: 2/2**8.
    assert text == (
        "On pets train with Tf-KD_reg: accuracy +2.00 points (95 % interval +1.89 to +2.11, "
        "corrected p 0.0078, 8 seeds) to cross-entropy at its best."
    )
    assert what_was_not_told(choice, "accuracy")[0].startswith("label smoothing is better too")


@pytest.mark.parametrize(
    ("gains", "options", "said"),
    [
        # Five seeds can tell nothing; nor can a difference within its spread.
        ({"tf_kd_reg": 5.0}, {"seeds": 5}, "Not told apart from cross-entropy: Tf-KD_reg"),
        ({"tf_kd_reg": 0.05}, {}, "No better than cross-entropy: Tf-KD_reg"),
        ({"tf_kd_reg": -2.0}, {}, "No better than cross-entropy: Tf-KD_reg"),
    ],
)
def test_otherwise_it_is_cross_entropy(gains, options, said):
    choice = choose(claims_of(gains, **options), "accuracy")
    assert choice.claim is None
    assert sentence(choice, "accuracy", "pets") == (
        "On pets train with plain cross-entropy and divide its logits by the temperature that is "
        "fitted on validation data: no other method was told to be better in accuracy."
    )
    assert what_was_not_told(choice, "accuracy")[0].startswith(said)


def test_each_purpose_has_its_metric_after_temperature_scaling():
    better = {"tf_kd_reg": -3.0}  # of what is better where it is small
    assert chosen(better, "calibration", metric="calibrated_nll") == "tf_kd_reg"
    assert chosen(better, "selection", metric="calibrated_aurc") == "tf_kd_reg"
    # What one temperature mends is no reason.
    assert chosen(better, "calibration", metric="nll") is None
    assert chosen(better, "selection", metric="aurc") is None
    assert chosen(better, "accuracy", metric="calibrated_nll") is None

"""Each conclusion follows from the numbers, and its sentence says them."""

import math

import numpy as np
import pytest
from blank_record import BLANK
from msgspec.structs import replace

from tfkd.report.conclusion import conclude
from tfkd.report.remarks import remarks
from tfkd.report.verdicts import control_sentences, machinery, verdicts
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.conclusions import conclude_claims, count_conclusions
from tfkd.study.directory import run_directory
from tfkd.study.guessing import Guessing, guessing_of
from tfkd.study.per_image import read_per_image
from tfkd.study.plan import Arm, Published, Study
from tfkd.study.statistics.images import seeds_and_images
from tfkd.study.summary import summarise_study

PLAIN, CLAIM = "small_cnn/cross_entropy", "small_cnn/de_kd"
SEEDS = 8


def study(*controls, published=None):
    recipe = Recipe()
    arms = [
        Arm(PLAIN, MethodSettings(), recipe),
        Arm(
            CLAIM,
            MethodSettings("de_kd", "released", {"alpha": 0.9, "temperature": 4.0}),
            recipe,
            teacher=PLAIN,
            teacher_epoch=1,
            baseline=PLAIN,
            published=published,
        ),
    ]
    for control in controls:
        method = MethodSettings("label_smoothing")
        if control != "smoothed":
            method = MethodSettings(numbers={"scale": 0.0595})
        arms.append(
            Arm(
                f"small_cnn/{control}",
                method,
                recipe,
                control=None if control == "label_smoothing" else control,
                baseline=PLAIN,
                control_of=(CLAIM,),
            )
        )
    return Study("test", "Does it work?", tuple(arms), SEEDS)


def rows(gains, *, seeds=SEEDS, published=None, guessing=None):
    """Rows in which each arm has a gain in points, give or take a fixed wiggle over the seeds."""
    controls = [name.partition("/")[2] for name in gains if name not in (PLAIN, CLAIM)]
    plan = study(*controls, published=published)
    records = []
    for place, arm in enumerate(plan.arms):
        for seed in range(seeds):
            wiggle = 0.05 * ((seed * (place + 2)) % 5 - 2)
            gain = gains.get(arm.name, 0.0) + (wiggle if place else 0.0)
            records.append(
                replace(
                    BLANK,
                    arm=arm.name,
                    seed=seed,
                    teacher="big@1" if arm.teacher else None,
                    teacher_accuracy=0.2 if arm.teacher else None,
                    accuracy=0.8 + 0.01 * (seed % 3) + gain / 100,
                    nll=0.5 - (0.1 if arm.name == CLAIM else 0.0),
                    ece=0.08 + (0.03 if arm.name == CLAIM else 0.0),
                )
            )
    return summarise_study(plan, records, guessing)


def only(gains, **options):
    found = rows(gains, **options)
    (verdict,) = verdicts(concluded(found), found)
    return verdict


def concluded(found, images=None):
    """The claims of rows of that study."""
    return conclude_claims(study(), found, images)


@pytest.mark.parametrize(
    ("gains", "conclusion"),
    [
        ({CLAIM: 1.0}, "better"),
        ({CLAIM: 1.0, "small_cnn/scaled": 0.3}, "better, beyond its controls"),
        ({CLAIM: 1.0, "small_cnn/scaled": 1.5}, "better, explained by a control"),
        ({CLAIM: 1.0, "small_cnn/scaled": 0.93}, "better, explained by a control"),
        ({CLAIM: -1.0, "small_cnn/scaled": 0.0}, "worse"),
        # What undoes the scale is cross-entropy again and explains nothing.
        ({CLAIM: 1.0, "small_cnn/undone": 1.0}, "better"),
        (
            {CLAIM: 1.0, "small_cnn/undone": 1.0, "small_cnn/scaled": 0.1},
            "better, beyond its controls",
        ),
    ],
)
def test_conclusion(gains, conclusion):
    assert only(gains).claim.conclusion == conclusion


def test_a_large_difference_of_few_seeds_is_no_gain():
    found = only({CLAIM: 5.0}, seeds=3)
    assert found.claim.conclusion == "too few seeds to tell"
    assert "The smallest p possible with 3 seeds is 0.25: no difference" in found.details[-1]
    alone = only({CLAIM: 5.0}, seeds=1)
    assert alone.claim.conclusion == "too few seeds to tell"
    assert "interval" not in alone.headline
    assert alone.details[-1] == "One seed tells nothing about chance."


def test_the_sentence_has_the_numbers():
    found = only({CLAIM: 0.42, "small_cnn/scaled": 0.39, "small_cnn/smoothed": -0.1})
    row = found.claim.row
    over = row.over_controls["small_cnn/scaled"]
    assert found.headline == (
        "De-KD, as released, on small_cnn, taught by big@1: "
        f"+{row.difference.mean:.2f} points over cross-entropy, 95 % interval "
        f"{row.difference.low:.2f} to {row.difference.high:.2f}, 8 seeds, corrected p 0.0078; "
        f"the same loss scale without a teacher gives +{row.difference.mean - over.mean:.2f} "
        f"(cross-entropy × 0.0595), method minus control +{over.mean:.2f} points, "
        f"95 % interval −{-over.low:.2f} to {over.high:.2f}."
    )
    assert found.claim.because == ("It is less than 0.2 points above cross-entropy × 0.0595.")
    smoothed = row.difference.mean - row.over_controls["small_cnn/smoothed"].mean
    assert found.details[0].startswith(
        f"An equivalent label smoothing gives −{-smoothed:.2f} (label smoothing ε = 0.1)"
    )
    assert f"a difference of {found.claim.detectable:.2f} points" in found.details[-1]


def test_calibration_and_likelihood_stand_beside_the_others():
    nll, ece, aurc = only({CLAIM: 0.5}).beside
    assert ece == "ECE 11.00 % against 8.00 % (+3.00, the same with every seed, worse)."
    assert nll == "NLL 0.400 against 0.500 (−0.100, the same with every seed, better)."
    assert aurc == "AURC 1.00 % against 1.00 % (0.00, the same with every seed)."


def test_each_metric_is_told_twice():
    plan = study()
    records = [
        replace(
            BLANK,
            arm=arm.name,
            seed=seed,
            nll=0.5 - 0.1 * place,
            calibrated_nll=0.4,
            ece=0.02 + 0.1 * place,
            calibrated_ece=0.01,
        )
        for place, arm in enumerate(plan.arms)
        for seed in range(SEEDS)
    ]
    found = summarise_study(plan, records)
    (verdict,) = verdicts(conclude_claims(plan, found), found)
    assert verdict.beside[0] == (
        "NLL 0.400 against 0.500 (−0.100, the same with every seed, better); after one temperature "
        "0.400 against 0.400 (0.000, the same with every seed): undone by one temperature."
    )
    assert verdict.beside[1].endswith(
        "worse); after one temperature 1.00 % against 1.00 % (0.00, the same with every seed): "
        "mended by one temperature."
    )


def test_other_test_images_may_undo_a_verdict():
    found = rows({CLAIM: 1.0})
    (contrast,) = study().claims
    for spread, undone in ((1.0, False), (40.0, True)):
        noise = spread * np.random.default_rng(0).standard_normal((1, 50))
        images = {contrast: {"accuracy": seeds_and_images(1.0 + noise + np.zeros((8, 1)))}}
        (verdict,) = verdicts(concluded(found, images), found)
        assert verdict.beside[-1].startswith(
            "For other test images as well as other seeds the 95 % interval is "
        )
        assert ("may not hold for others" in verdict.beside[-1]) is undone


def test_two_seeds_have_no_interval():
    found = only({CLAIM: 1.64}, seeds=2)
    assert ", no interval with two seeds, 2 seeds, corrected p 0.5." in found.headline
    assert "no difference can be told, however large. It takes 6 seeds." in found.details[-1]


def test_a_loss_that_the_scale_shares():
    found = only({CLAIM: -1.0, "small_cnn/scaled": -1.0})
    assert found.claim.conclusion == "worse"
    assert "against cross-entropy" in found.headline
    assert found.claim.because == "So is cross-entropy × 0.0595, from which it is not told."
    assert only({CLAIM: -2.0, "small_cnn/scaled": -1.0}).claim.because == ""


def test_an_effect_that_is_printed_as_nothing_is_said_to_be_none():
    (verdict,) = verdicts_of([0.0] * 6)
    assert "as accurate as cross-entropy, to 0.01 points, the same with every seed, 6" in (
        verdict.headline
    )
    assert verdict.details[-1].endswith("with every seed: any other would be found.")
    (verdict,) = verdicts_of([0.02, -0.02, 0.0])
    assert "as accurate as cross-entropy, to 0.01 points, 95 % interval" in verdict.headline


def test_no_difference_of_more_than_100_points_is_said_to_be_found():
    (verdict,) = verdicts_of([50.0, -50.0] * 3)
    assert verdict.claim.detectable > 90
    (verdict,) = verdicts_of([49.0, -49.0, 30.0, -50.0, 50.0, -50.0])
    (wild,) = verdicts_of([50.0, -50.0, 50.0, -50.0, 50.0, -50.0, 50.0])
    assert verdict.claim.detectable > 0 < wild.claim.detectable


def verdicts_of(differences):
    """Of a claim that differs from its baseline by so many points, seed by seed."""
    plan = study()
    records = [
        replace(BLANK, arm=arm, seed=seed, accuracy=0.5 + gain / 100)
        for seed, difference in enumerate(differences)
        for arm, gain in ((PLAIN, 0.0), (CLAIM, difference))
    ]
    found = summarise_study(plan, records)
    return verdicts(conclude_claims(plan, found), found)


def test_what_the_paper_reports():
    found = only({CLAIM: 0.5}, published=Published(70.65, 0.35, 2.27, "Arithmetic gives 2.3"))
    assert found.beside[-1] == (
        "The paper reports 70.65 ± 0.35 %, +2.27 over its baseline, on its own data and networks. "
        "Arithmetic gives 2.3."
    )
    bare = only({CLAIM: 0.5}, published=Published(70.65))
    assert bare.beside[-1].startswith("The paper reports 70.65 %, on its own data")


def test_the_machinery_is_checked():
    (right,) = machinery(rows({CLAIM: 0.5, "small_cnn/undone": 0.0}))
    assert "as it must" in right
    (wrong,) = machinery(rows({CLAIM: 0.5, "small_cnn/undone": -1.0}))
    assert "something is wrong" in wrong
    # Off zero for each of 5 seeds, whose smallest p is 2/32.
    (few,) = machinery(rows({CLAIM: 0.5, "small_cnn/undone": -1.0}, seeds=5))
    assert "should hold zero" in few
    assert "p 0.062" in few
    assert "as it must" not in few
    (unknown,) = machinery(rows({CLAIM: 0.5, "small_cnn/undone": -1.0}, seeds=1))
    assert "checks nothing yet" in unknown
    assert machinery(rows({CLAIM: 0.5, "small_cnn/scaled": 0.0})) == []


def test_controls_by_themselves_and_counts():
    found = rows({CLAIM: 1.0, "small_cnn/scaled": -0.8, "small_cnn/undone": 0.0})
    (sentence,) = control_sentences(found)
    assert sentence.startswith(
        "cross-entropy × 0.0595 on small_cnn: −0.79 points against cross-entropy"
    )
    assert count_conclusions(concluded(found)) == [("better, beyond its controls", 1)]


@pytest.mark.parametrize("seeds", [2, SEEDS])
def test_what_only_guesses_is_said_to_and_no_more_seeds_are_asked_for_it(seeds):
    digits = {Recipe().data: Guessing(10, 10.0, 10_000)}
    found = rows({CLAIM: -70.5}, seeds=seeds, guessing=digits)
    (claim,) = claims = concluded(found)
    assert claim.conclusion == "no better than guessing"
    assert "would show it" not in " ".join(conclude(claims))
    guesses, scales = remarks(found)
    assert guesses.startswith(
        "No better than guessing on small_cnn, which gets 10.00 % by always answering one class, "
        "and an NLL of 2.303 by equal probabilities: De-KD, as released ("
    )
    assert scales == (
        f"Loss × {found[1].scale:.2g}: De-KD, as released. No learning rate was tuned for that."
    )
    learned = rows({CLAIM: -60.0}, seeds=seeds, guessing=digits)
    assert concluded(learned)[0].conclusion != "no better than guessing"
    assert remarks(learned) == [scales]
    assert remarks(rows({CLAIM: -70.5}, seeds=seeds)) == []  # what guessing gets is not known


def test_the_labels_of_a_run_tell_what_guessing_gets(small_study):
    _, root, records = small_study
    (guessing,) = guessing_of(records, root).values()
    assert (guessing.classes, guessing.images) == (10, 596)
    _, labels = run_directory(root, records[0].run).test_logits()
    assert guessing.accuracy == 100 * max(map(labels.tolist().count, range(10))) / 596
    assert guessing_of(records, root / "nowhere") == {}


def test_new_images_are_weighed_by_the_logits_of_the_runs(small_study):
    study, root, records = small_study
    found = read_per_image(records, root).compared(study)
    assert set(found) == set(study.claims)
    accuracy = {(record.arm, record.seed): 100 * record.accuracy for record in records}
    nll = {(record.arm, record.seed): record.calibrated_nll for record in records}
    for claim, metrics in found.items():
        for metric, values in (("accuracy", accuracy), ("calibrated_nll", nll)):
            mean = np.mean([values[claim.arm, s] - values[claim.against, s] for s in (0, 1)])
            assert metrics[metric].mean == pytest.approx(mean, abs=1e-5)
            assert math.isnan(metrics[metric].low)  # of two seeds
    assert read_per_image(records, root / "nowhere").compared(study) == {}

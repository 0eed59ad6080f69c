"""This project's own studies: their arms, what they compare, and settings chosen before."""

from pathlib import Path

import msgspec
import pytest
import torch

from tfkd.method_table import BASELINE
from tfkd.paper.catalogue import OWN, Numbers, catalogue, make_study
from tfkd.runs import MethodSettings
from tfkd.runs.chosen import Chosen
from tfkd.study.plan import Study

CE = "small_cnn/cross_entropy"
EVERY = [("scale", {}), ("strength", {}), ("confidence", {"confidence": 0.82})]


def plan(name, *, chosen=(), **numbers):
    study, _ = make_study(name, data="digits", numbers=Numbers(**numbers), chosen=chosen, seeds=2)
    return study


def entry(name, learning_rate, method=BASELINE, weight_decay=1e-3, **numbers):
    return Chosen(
        name=name,
        method=MethodSettings(method, numbers=numbers),
        learning_rate=learning_rate,
        weight_decay=weight_decay,
    )


def pairs(study):
    return {(contrast.arm, contrast.against) for contrast in study.contrasts}


def rates(study):
    return {arm.name: arm.recipe.optimizer.learning_rate for arm in study.arms}


@pytest.mark.parametrize(("name", "numbers"), EVERY)
def test_every_study_is_whole(name, numbers):
    study = plan(name, **numbers)
    assert study.name == name
    assert msgspec.json.decode(msgspec.json.encode(study), type=Study) == study
    assert len(study.runs(Path("study"))) == 2 * len(study.arms)
    titles = [arm.title for arm in study.arms if arm.title is not None]
    assert len(set(titles)) == len(titles)


def test_every_study_says_what_it_asks():
    listed = {entry.name: entry for entry in catalogue()}
    assert set(OWN) < set(listed)
    for name, numbers in EVERY:
        assert listed[name].question == plan(name, **numbers).question
        assert listed[name].question.endswith("?")


def test_scale_has_every_teacher_at_every_scale():
    study = plan("scale", alpha=0.5, temperature=4.0)
    teachers = {"none", "uniform", "one-epoch", "full"}
    for scale in (1.0, 0.406, 0.0595):
        names = {f"small_cnn/{teacher}-x{scale:g}" for teacher in teachers}
        arms = [arm for arm in study.arms if arm.name in names or (scale, arm.name) == (1.0, CE)]
        assert len(arms) == 4
        for arm in arms:
            numbers = dict(arm.method.numbers)
            assert numbers.pop("scale") == scale
            if "alpha" in numbers:
                assert (numbers["alpha"], numbers["temperature"]) == (0.5, 4.0)
    taught = {arm.name: (arm.teacher, arm.teacher_epoch) for arm in study.arms if arm.teacher}
    assert taught["small_cnn/full-x0.406"] == ("wide_cnn/cross_entropy", None)
    assert taught["small_cnn/one-epoch-x0.406"] == ("wide_cnn/cross_entropy", 1)
    assert len(taught) == 6


def test_the_uniform_teacher_of_scale_gives_every_class_the_same():
    loss = plan("scale", alpha=1.0, temperature=3.0).arm("small_cnn/uniform-x0.0595").method
    logits = torch.randn(5, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(5)
    log_p = (logits / 3.0).log_softmax(1)
    divergence = (0.1 * (torch.log(torch.tensor(0.1, dtype=torch.float64)) - log_p)).sum(1).mean()
    found = loss.build(num_classes=10)(logits, labels)
    torch.testing.assert_close(found, 0.0595 * 9.0 * divergence, rtol=1e-9, atol=1e-12)


def test_what_scale_compares():
    study = plan("scale", scales=(0.1,))
    full, uniform, none = (f"small_cnn/{name}-x0.1" for name in ("full", "uniform", "none"))
    assert pairs(study) == {
        ("small_cnn/full-x1", "small_cnn/uniform-x1"),
        ("small_cnn/full-x1", CE),
        (full, uniform),
        (full, none),
        (none, CE),
    }
    (interaction,) = study.interactions
    assert (interaction.of.arm, interaction.of.against) == (full, none)
    assert (interaction.minus.arm, interaction.minus.against) == ("small_cnn/full-x1", CE)
    assert len(plan("scale").contrasts) == 3 + 3 + 2


def test_each_scale_may_have_settings_of_its_own():
    chosen = [entry("scale-1", 0.03), entry("scale-0.1", 0.3), entry("teacher", 0.07)]
    study = plan("scale", scales=(0.1, 0.01), chosen=chosen)
    expected = {"x1": 0.03, "x0.1": 0.3, "x0.01": 0.1, CE: 0.03, "wide_cnn/cross_entropy": 0.07}
    for name, rate in rates(study).items():
        assert rate == expected.get(name, expected.get(name.rpartition("-")[2]))
    assert any("the scales 0.01" in remark for remark in study.remarks)


def test_strength_compares_at_the_same_alpha():
    study = plan("strength", alphas=(0.2, 0.6))
    assert pairs(study) == {
        (f"small_cnn/tf_kd_reg-{alpha}", f"small_cnn/label_smoothing-{alpha}")
        for alpha in (0.2, 0.6)
    }
    for contrast in study.contrasts:
        ours, theirs = study.arm(contrast.arm), study.arm(contrast.against)
        assert ours.method.numbers["alpha"] == theirs.method.numbers["alpha"]
        assert (ours.method.numbers["temperature"], ours.method.numbers["confidence"]) == (20, 0.99)
    chosen = [entry("tf_kd_reg", 0.05, "tf_kd_reg", temperature=10.0, alpha=0.9)]
    tuned = plan("strength", alphas=(0.2,), chosen=chosen)
    reg = tuned.arm("small_cnn/tf_kd_reg-0.2")
    assert (reg.method.numbers["alpha"], reg.method.numbers["temperature"]) == (0.2, 10.0)
    assert rates(tuned) == {CE: 0.1, reg.name: 0.05, "small_cnn/label_smoothing-0.2": 0.1}


def test_confidence_is_that_of_cross_entropy():
    study = plan("confidence", confidence=0.82)
    ours = "small_cnn/tf_kd_reg-as-sure-0.82"
    assert study.arm(ours).method.numbers["confidence"] == 0.82
    assert pairs(study) == {
        (ours, CE),
        (ours, "small_cnn/label_smoothing"),
        (ours, "small_cnn/tf_kd_reg"),
    }
    assert study.arm("small_cnn/tf_kd_reg").method.numbers["confidence"] == 0.99


def test_figure_2_at_chosen_settings():
    chosen = [
        entry("normal_kd", 0.03, "normal_kd", alpha=0.9, temperature=4.0),
        entry("cross_entropy", 0.2),
        entry("teacher", 0.05, weight_decay=2e-3),
    ]
    study = plan("figure-2", chosen=chosen)
    taught = [arm for arm in study.arms if arm.teacher]
    assert {arm.method.name for arm in taught} == {"de_kd", "normal_kd"}
    for arm in taught:
        numbers = arm.method.numbers
        assert (arm.method.dialect, numbers["alpha"], numbers["temperature"]) == ("tfkd", 0.9, 4.0)
        assert arm.recipe.optimizer.learning_rate == 0.03
        assert arm.name.startswith("small_cnn/tfkd-")
    assert rates(study)[CE] == 0.2
    teacher = study.arm("wide_cnn/cross_entropy").recipe.optimizer
    assert (teacher.learning_rate, teacher.weight_decay) == (0.05, 2e-3)


def test_a_table_at_chosen_settings_says_what_was_not_chosen():
    study = plan("table-9", chosen=[entry("tf_kd_reg", 0.03, "tf_kd_reg", alpha=0.4)])
    reg = study.arm("small_cnn/tfkd-tf_kd_reg")
    assert (reg.method.numbers["alpha"], reg.recipe.optimizer.learning_rate) == (0.4, 0.03)
    # The smoothing that is as strong has its learning rate, the paper's the recipe's.
    alike = study.arm("small_cnn/label_smoothing-0.4")
    assert (alike.recipe, alike.method.numbers["alpha"]) == (reg.recipe, 0.4)
    remark = study.remarks[-1]
    assert remark.startswith("Nothing was chosen for these")
    for name in ("small_cnn cross_entropy", "wide_cnn cross_entropy", "tfkd-normal_kd"):
        assert name in remark


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("table-1", {"chosen": [entry("ols", 0.1)]}, "cross_entropy, normal_kd, re_kd, teacher"),
        ("all-methods", {"chosen": [entry("normal_kd", 0.1)]}, "no `chosen` for all-methods"),
        ("figure-2", {"alpha": 0.5}, "no `alpha` for figure-2, which is of scale"),
        ("scale", {"scales": (0.0,)}, "`scales`"),
        ("scale", {"scales": (0.4, 0.4000000001)}, "`scales` that differ in six digits"),
        ("scale", {"alpha": 0.0}, "`alpha` above 0"),
        ("scale", {"chosen": [entry("scale-1", 0.1), entry("scale-7", 0.1)]}, "got scale-7"),
        ("strength", {"alphas": (0.0,)}, "`alphas` above 0"),
        ("strength", {"alphas": (0.3, 0.3)}, "`alphas` of their own"),
        ("confidence", {}, "`confidence` for this study"),
        ("confidence", {"confidence": 0.1}, "above 1/10"),
        ("confidence", {"confidence": 1.0}, "below 1"),
    ],
)
def test_what_cannot_be_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        plan(name, **options)


def test_the_paper_s_own_size_takes_no_settings_of_others():
    with pytest.raises(ValueError, match="`data` beside `chosen`"):
        make_study("table-1", chosen=[entry("normal_kd", 0.1)])
    with pytest.raises(ValueError, match="`dialect` tfkd beside `chosen`"):
        make_study("table-1", data="digits", dialect="released", chosen=[entry("normal_kd", 0.1)])

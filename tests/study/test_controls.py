"""Controls: what each changes, which serve whom, and that undoing the scale undoes it."""

import math

import pytest
import torch
from msgspec.structs import replace

import tfkd
from tfkd.data import DataSettings
from tfkd.paper.all_methods import all_methods
from tfkd.runs import MethodSettings, Recipe, RunSettings
from tfkd.study.controls import (
    add_controls,
    equivalent_epsilon,
    loss_scale,
)
from tfkd.study.controls_left_out import say_what_is_left_out
from tfkd.study.plan import CONTROLS, Arm, Study
from tfkd.train import train_run

BASE = Recipe(data=DataSettings("digits", train_size=60), epochs=2, batch_size=30)
PLAIN = Arm("small_cnn/cross_entropy", MethodSettings(), BASE)


def released(alpha=0.95, temperature=40.0):
    numbers = {"alpha": alpha, "temperature": temperature}
    method = MethodSettings("tf_kd_reg", "released", numbers)
    return Arm("small_cnn/released", method, BASE, baseline=PLAIN.name)


def controls_of(claim, *names, num_classes=100):
    arms = add_controls([PLAIN, claim], names, num_classes)
    return {arm.control: arm for arm in arms if arm.control}


def test_scale_and_epsilon_are_those_of_the_released_mobilenet():
    # By hand: 1 - 0.95 + 0.95 / 100. Its soft target gives (1 - 0.84197) to 99 wrong classes.
    assert loss_scale(released().method, 100) == pytest.approx(0.0595)
    assert equivalent_epsilon(released().method, 100) == pytest.approx(0.001596 * 100, rel=1e-3)


def test_epsilon_of_a_network_teacher_is_that_of_one_that_knows_nothing():
    loss = MethodSettings("normal_kd", "released", {"alpha": 0.95, "temperature": 20.0})
    epsilon = equivalent_epsilon(loss, 100)
    # The student it leads to: all wrong classes at logit 0, the true one where the slope is 0.
    gap = torch.tensor(
        math.log((1 - epsilon * 99 / 100) / (epsilon / 100)), dtype=torch.float64
    ).requires_grad_()
    logits = torch.cat([gap.view(1), torch.zeros(99, dtype=torch.float64)])[None]
    kept, taught = 0.05, 0.95 / 100
    softened = torch.log_softmax(logits / 20, dim=1)
    uniform = torch.full_like(softened, 1 / 100)
    divergence = (uniform * (uniform.log() - softened)).sum()
    label = -torch.log_softmax(logits, dim=1)[0, 0]
    (kept * label + taught * 400 * divergence).backward()
    assert abs(gap.grad.item()) < 1e-9


def test_what_each_control_changes():
    found = controls_of(released(), *CONTROLS)
    optimizer = BASE.optimizer
    changed = {name: arm.recipe.optimizer for name, arm in found.items()}
    assert found["scaled"].recipe == BASE
    assert found["scaled"].method == MethodSettings(numbers={"scale": 0.0595})
    assert changed["balanced"] == replace(optimizer, weight_decay=optimizer.weight_decay * 0.0595)
    assert changed["undone"] == replace(
        optimizer,
        weight_decay=optimizer.weight_decay * 0.0595,
        learning_rate=optimizer.learning_rate / 0.0595,
    )
    assert found["smoothed"].method == MethodSettings("label_smoothing", numbers={"alpha": 0.1596})
    # At temperature 1 a teacher that knows nothing is label smoothing, here with the loss's scale.
    numbers = {"alpha": pytest.approx(0.0095 / 0.0595, rel=1e-3), "scale": 0.0595}
    assert found["uninformed"].method.name == "label_smoothing"
    assert found["uninformed"].method.numbers == numbers
    assert found["double"].recipe.epochs == 4
    assert all(arm.control_of == ("small_cnn/released",) for arm in found.values())
    assert all(arm.baseline == PLAIN.name for arm in found.values())


def test_a_method_without_a_scale_needs_no_control_of_it():
    method = MethodSettings("label_smoothing", numbers={"alpha": 0.1596})
    claim = Arm("small_cnn/smooth", method, BASE, baseline=PLAIN.name)
    assert controls_of(claim, "scaled", "balanced", "undone", "smoothed") == {}


@pytest.mark.parametrize(
    "name",
    [
        "max_sup",
        "confidence_penalty",
        "margin_label_smoothing",
        "focal",
        "dual_focal",
        "logit_norm",
    ],
)
def test_a_penalty_has_a_scale_of_its_own_and_no_smoothing_is_its_like(name):
    plain = MethodSettings(name)
    assert loss_scale(plain, 10) == 1.0
    assert equivalent_epsilon(plain, 10) is None
    claim = Arm("small_cnn/penalty", plain, BASE, baseline=PLAIN.name)
    assert controls_of(claim, "scaled", "balanced", "smoothed", num_classes=10) == {}
    found = controls_of(claim, "double", num_classes=10)
    assert found["double"].control_of == (claim.name,)
    scaled = replace(claim, method=MethodSettings(name, numbers={"scale": 3.0}))
    found = controls_of(scaled, "scaled", "smoothed", num_classes=10)
    assert found.keys() == {"scaled"}
    assert found["scaled"].method == MethodSettings(numbers={"scale": 3.0})


def test_how_loudly_the_teacher_speaks_counts():
    dlb = MethodSettings("dlb", numbers={"added": 1.5})
    assert loss_scale(dlb, 10) == pytest.approx(2.5)
    same = tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=0.6, temperature=3.0)
    expected = tfkd.explain(same, 10).equivalent_label_smoothing
    assert equivalent_epsilon(dlb, 10) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "what", "scale"),
    [
        ("weighted_transformed_teacher_matching", "teacher term", "5"),
        ("normalized_kd", "label term", "2.5"),
    ],
)
def test_a_share_that_depends_on_the_sample_is_taken_as_1_and_said_to_be(name, what, scale):
    claim = Arm(f"small_cnn/{name}", MethodSettings(name), BASE, baseline=PLAIN.name)
    arms = add_controls([PLAIN, claim], ["scaled", "double"], 10)
    assert f"small_cnn/scaled-{scale}" in {arm.name for arm in arms}
    sentences = say_what_is_left_out(Study("x", "Is it?", arms, 2), ["scaled", "double"])
    assert sentences == [
        f"The control scaled of small_cnn {name} takes the share of its {what} as 1: it depends on "
        "the sample."
    ]


def test_why_a_control_is_left_out():
    penalty = Arm("small_cnn/max_sup", MethodSettings("max_sup"), BASE, baseline=PLAIN.name)
    names = ["scaled", "smoothed"]
    arms = add_controls([PLAIN, penalty], names, 10)
    sentences = say_what_is_left_out(Study("x", "Is it?", arms, 2), names)
    assert sentences == [
        "No control scaled of small_cnn max_sup: it would be cross-entropy itself.",
        "No control smoothed of small_cnn max_sup: no label smoothing is its like.",
    ]


def test_of_numbers_that_follow_a_schedule_the_mean_over_the_epochs_counts():
    method = MethodSettings("controls_of_tests:growing")
    # alpha 0.2, 0.4, 0.6 and s 1, 2, 3 over three epochs.
    assert loss_scale(method, 10, epochs=3) == pytest.approx(2.0)
    assert equivalent_epsilon(method, 10, epochs=3) == pytest.approx(0.4)
    claim = Arm("small_cnn/growing", method, replace(BASE, epochs=3), baseline=PLAIN.name)
    found = controls_of(claim, "scaled", "smoothed", num_classes=10)
    assert found["scaled"].method.numbers == {"scale": 2.0}
    assert found["smoothed"].method.numbers["alpha"] == 0.4


class Zeros(torch.nn.Module):
    """A network that knows nothing."""

    def forward(self, inputs):
        return torch.zeros(len(inputs), 10)


@pytest.mark.parametrize(
    "method",
    [
        MethodSettings("normal_kd", numbers={"alpha": 0.7, "temperature": 4.0}),
        MethodSettings("normal_kd", "released", {"alpha": 0.95, "temperature": 20.0}),
        MethodSettings("born_again", numbers={"alpha": 0.5, "temperature": 2.0}),
        MethodSettings("transformed_teacher_matching", numbers={"added": 3.0}),
        MethodSettings("instance_specific_label_smoothing"),
        MethodSettings("tf_kd_self"),
    ],
    ids=lambda method: f"{method.dialect}-{method.name}",
)
def test_a_teacher_that_knows_nothing_has_the_same_loss(method):
    claim = Arm("small_cnn/claim", method, BASE, baseline=PLAIN.name)
    control = controls_of(claim, "uninformed", num_classes=10)["uninformed"]
    logits, labels = 3.0 * torch.randn(16, 10).double(), torch.arange(16) % 10
    untaught = method.build(num_classes=10, teacher=Zeros())
    alike = control.method.build(num_classes=10)
    expected = untaught(logits, labels, torch.ones(16, 1))
    assert alike(logits, labels).item() == pytest.approx(expected.item(), rel=1e-3)


def test_of_the_designed_teacher_its_knowledge_alone_is_taken_away():
    claim = Arm("small_cnn/reg", MethodSettings("tf_kd_reg"), BASE, baseline=PLAIN.name)
    arms = add_controls([PLAIN, claim], ["smoothed", "uninformed"], 10)
    assert arms[2].method == MethodSettings("uniform_kd", numbers={"alpha": 0.1, "temperature": 20})
    # Its equivalent label smoothing is .0069, which is none.
    assert len(arms) == 3
    assert say_what_is_left_out(Study("x", "Is it?", arms, 2), ["smoothed", "uninformed"]) == [
        "No control smoothed of small_cnn reg: the label smoothing of the same optimum is next to "
        "none."
    ]


@pytest.mark.parametrize(
    ("method", "why"),
    [
        ("function_matching", "its labels do not count, so that without its teacher nothing"),
        ("top_two_kd", "its labels do not count, so that without its teacher nothing"),
        ("decoupled_kd", "its loss is more than alpha, temperature and scale"),
        ("logit_standardization_kd", "its loss is more than alpha, temperature and scale"),
        ("focal", "it has no teacher, or one that knows nothing as it is"),
    ],
)
def test_where_no_teacher_that_knows_nothing_is_like_it_that_is_said(method, why):
    claim = Arm("small_cnn/claim", MethodSettings(method), BASE, baseline=PLAIN.name)
    arms = add_controls([PLAIN, claim], ["uninformed"], 10)
    assert len(arms) == 2
    (sentence,) = say_what_is_left_out(Study("x", "Is it?", arms, 2), ["uninformed"])
    assert sentence.startswith(f"No control uninformed of small_cnn claim: {why}")


def test_what_teaches_nothing_is_no_smoothing_either():
    claim = Arm("small_cnn/claim", MethodSettings("top_two_kd"), BASE, baseline=PLAIN.name)
    arms = add_controls([PLAIN, claim], ["smoothed"], 10)
    assert len(arms) == 2
    assert "labels do not count" in say_what_is_left_out(Study("x", "?", arms), ["smoothed"])[0]


def test_controls_have_the_learning_rate_and_weight_decay_of_their_claim():
    own = replace(BASE, optimizer=replace(BASE.optimizer, learning_rate=0.3, weight_decay=1e-5))
    numbers = {"alpha": 0.5, "temperature": 4.0, "scale": 2.0}
    method = MethodSettings("normal_kd", numbers=numbers)
    claim = Arm("small_cnn/kd", method, own, baseline=PLAIN.name)
    same = replace(claim, name="small_cnn/untuned", recipe=BASE)
    smooth = Arm("small_cnn/ls", MethodSettings("label_smoothing"), BASE, baseline=PLAIN.name)
    arms = add_controls([PLAIN, claim, same, smooth], list(CONTROLS), 10)
    served = {
        arm.name: (arm.recipe.optimizer.learning_rate, arm.control_of)
        for arm in arms
        if arm.control in ("scaled", "uninformed", "undone", "double")
    }
    assert served == {
        "small_cnn/scaled-2-of-kd": (0.3, (claim.name,)),
        "small_cnn/scaled-2": (0.1, (same.name,)),
        "small_cnn/uninformed-0.5-4-2-of-kd": (0.3, (claim.name,)),
        "small_cnn/uninformed-0.5-4-2": (0.1, (same.name,)),
        "small_cnn/undone-2": (0.05, (claim.name, same.name)),
        "small_cnn/double": (0.1, (claim.name, same.name, smooth.name)),
    }


def test_label_smoothing_of_the_same_strength_serves_as_the_teacher_that_knows_nothing():
    smooth = Arm("small_cnn/ls", MethodSettings("label_smoothing"), BASE, baseline=PLAIN.name)
    method = MethodSettings("normal_kd", numbers={"alpha": 0.1, "temperature": 1.0})
    claim = Arm("small_cnn/kd", method, BASE, baseline=PLAIN.name)
    arms = add_controls([PLAIN, smooth, claim], ["uninformed", "smoothed"], 10)
    assert [arm.control_of for arm in arms] == [(), (claim.name,), ()]
    assert say_what_is_left_out(Study("x", "?", arms), ["uninformed", "smoothed"]) == []


def test_one_control_serves_all_that_are_alike():
    first = released()
    second = replace(released(temperature=10.0), name="small_cnn/other")
    third = replace(released(alpha=0.1), name="small_cnn/third")
    arms = add_controls([PLAIN, first, second, third], ["scaled"], 100)
    served = {arm.name: arm.control_of for arm in arms if arm.control == "scaled"}
    # 0.0595 for two of them; 0.9 + 0.1 / 100 for the third.
    assert served == {
        "small_cnn/scaled-0.0595": (first.name, second.name),
        "small_cnn/scaled-0.901": (third.name,),
    }


def test_unknown_controls_are_refused():
    with pytest.raises(ValueError, match="`controls` among scaled"):
        add_controls([PLAIN], ["magic"], 10)


def test_undoing_the_scale_gives_cross_entropy_again(tmp_path):
    # A power of two, so that not even rounding differs.
    optimizer = BASE.optimizer
    undone = replace(
        BASE,
        optimizer=replace(
            optimizer,
            learning_rate=optimizer.learning_rate / 0.25,
            weight_decay=optimizer.weight_decay * 0.25,
        ),
    )
    quarter = MethodSettings(numbers={"scale": 0.25})
    plain = train_run(tmp_path / "plain", RunSettings(BASE))
    again = train_run(tmp_path / "undone", RunSettings(undone, quarter))
    assert again.test == plain.test
    scaled = train_run(tmp_path / "scaled", RunSettings(BASE, quarter))
    assert scaled.test.nll != plain.test.nll


def test_all_methods_has_the_released_weights_of_a_hundred_classes():
    study = all_methods(BASE, teacher="wide_cnn", num_classes=10, seeds=2, controls=["scaled"])
    for method in ("tf_kd_reg", "tf_kd_self", "normal_kd", "de_kd"):
        loss = study.arm(f"small_cnn/released-{method}").method
        assert loss_scale(loss, 10) == pytest.approx(0.0595)
        teacher = torch.nn.Identity() if loss.has_teacher else None
        criterion = loss.build(num_classes=10, teacher=teacher)
        assert isinstance(criterion, tfkd.DistillationLoss)
        assert criterion.alpha == pytest.approx(0.0095 / 0.0595)
    assert loss_scale(study.arm("wide_cnn/released-re_kd").method, 10) == pytest.approx(0.406)
    assert study.arm("small_cnn/de_kd").teacher_epoch == 1
    assert {arm.name for arm in study.arms if arm.control == "scaled"} == {
        "small_cnn/scaled-0.0595",
        "wide_cnn/scaled-0.406",
    }

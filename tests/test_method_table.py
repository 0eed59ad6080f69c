"""The table of methods: every row can be built, and nothing is a method that is not in it."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
from torch import nn

import tfkd
from tfkd.loss import Criterion
from tfkd.method_table import (
    BASELINE,
    DIALECTS,
    METHODS,
    NUMBERS,
    find_method,
    full_name,
    rows_of_tf_kd,
)
from tfkd.references import from_reference
from tfkd.runs import MethodSettings
from tfkd.runs.options import options
from tfkd.study.comparison import COMPARED

ROWS = [(name, dialect) for name, row in METHODS.items() for dialect in row.compositions]
# Of several networks, where a study has one that teaches.
# Several networks, or a matrix, no run and no command can name.
NOT_IN_THE_TABLE = {"tfkd.methods:class_label_smoothing", "tfkd.methods:ensemble_kd"}
# For the numbers of the released and the printed formulas, which papers chose for each network.
CHOSEN = {"alpha": 0.3, "temperature": 4.0, "multiplier": 2.0}


def settings_of(name: str, dialect: str) -> MethodSettings:
    """The method with its defaults, and numbers where it has none."""
    defaults = METHODS[name].numbers(dialect)
    return MethodSettings(name, dialect, {n: CHOSEN[n] for n, v in defaults.items() if v is None})


@pytest.mark.parametrize(("name", "dialect"), ROWS)
def test_every_composition_says_what_it_returns_and_takes_known_numbers(
    name: str, dialect: str
) -> None:
    row = METHODS[name]
    assert row.name == name
    assert row.title and row.title[0] != " "
    assert dialect in DIALECTS
    assert set(row.numbers(dialect)) <= set(NUMBERS)
    for number, default in row.numbers(dialect).items():
        assert options()[number].path == ("method", "numbers", number)
        if default is not None:
            assert NUMBERS[number].low <= default <= NUMBERS[number].high
    assert set(row.spaces) <= set(row.numbers(dialect))
    assert set(row.meanings) <= set(row.numbers(dialect))


def test_a_short_name_means_one_method():
    short = [each for row in METHODS.values() for each in row.short]
    assert len({*short, *METHODS}) == len(short) + len(METHODS)
    for row in METHODS.values():
        for each in row.short:
            assert find_method(each) is find_method(each.upper()) is row
            assert full_name(each) == row.name


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("dkdd", "decoupled_kd"),
        ("OSL", "online_label_smoothing"),
        ("mean-techer", "mean_teacher"),
        ("zipf's smoothing", "zipf_label_smoothing"),
    ],
)
def test_what_is_nearly_a_name_is_answered_with_the_method(typed, meant):
    with pytest.raises(ValueError, match=rf"Did you mean {meant}\?") as caught:
        find_method(typed)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("num_classes", [2, 10, 1000])
@pytest.mark.parametrize(("name", "dialect"), ROWS)
def test_every_composition_builds_a_loss(name: str, dialect: str, num_classes: int) -> None:
    settings = settings_of(name, dialect)
    settings.check(num_classes)
    network = nn.Linear(3, num_classes)
    teacher = network if settings.has_teacher else None
    criterion = METHODS[name].build(
        dialect,
        settings.numbers,
        num_classes=num_classes,
        teacher=teacher,
        student=network,
        num_samples=4,
    )
    assert isinstance(criterion, Criterion)
    logits, labels = torch.randn(4, num_classes), torch.arange(4) % num_classes
    assert criterion(logits, labels, torch.randn(4, 3), indices=torch.arange(4)).isfinite()
    if settings.has_teacher:
        with pytest.raises(ValueError, match="Expected a `teacher`"):
            settings.build(num_classes=num_classes)


@pytest.mark.parametrize("name", METHODS)
def test_a_rule_teaches_where_the_teacher_speaks_of_every_sample_alike(name: str) -> None:
    row, network = METHODS[name], nn.Linear(3, 10)
    criterion = row.build(
        "tfkd",
        row.numbers(),
        num_classes=10,
        teacher=network if row.has_teacher else None,
        student=network,
        num_samples=4,
    )
    teacher = getattr(criterion, "teacher", None)
    heard = teacher is not None and criterion.alpha != 0.0
    assert (row.taught_by == "a rule") == (heard and teacher.gap(10) is not None)
    assert (row.taught_by == "nobody") == (not heard)


BINARY = [name for name, row in METHODS.items() if row.binary]


@pytest.mark.parametrize("name", BINARY)
def test_a_method_of_several_labels_takes_the_numbers_of_its_row(name: str) -> None:
    row = METHODS[name]
    parameters = inspect.signature(from_reference(row.binary)).parameters
    defaults = {each: own.default for each, own in parameters.items() if each in NUMBERS}
    assert {**defaults, "scale": 1.0} == row.numbers()
    network = nn.Linear(3, 5)
    numbers = {**row.numbers(), "scale": 2.0}
    weights = {"weight": torch.rand(5), "pos_weight": torch.tensor(3.0)}
    teacher = network if row.has_teacher else None
    criterion = row.build_binary(numbers, teacher=teacher, **weights)
    assert isinstance(criterion, tfkd.BinaryDistillationLoss)
    assert {
        number: getattr(criterion, number, None) for number in numbers if number != "confidence"
    } == {number: value for number, value in numbers.items() if number != "confidence"}
    assert criterion.weight is weights["weight"] and criterion.pos_weight is weights["pos_weight"]
    inputs, labels = torch.eye(3), torch.eye(3, 5)
    assert criterion(network(inputs), labels, inputs).isfinite()
    if row.has_teacher:
        with pytest.raises(ValueError, match="Expected a `teacher`"):
            row.build_binary(numbers)


def test_a_method_without_a_loss_of_several_labels_says_so() -> None:
    assert len(BINARY) == 8
    with pytest.raises(ValueError, match="several labels at once, got zipf_label_smoothing"):
        METHODS["zipf_label_smoothing"].build_binary({})


@pytest.mark.parametrize("name", METHODS)
def test_a_temperature_that_is_not_of_teacher_and_student_is_said_whose(name: str) -> None:
    settings = settings_of(name, "tfkd")
    if "temperature" not in settings.numbers:
        return
    teacher = nn.Identity() if settings.has_teacher else None
    criterion = settings.build(num_classes=10, teacher=teacher)
    of_both = isinstance(criterion, tfkd.DistillationLoss) and (
        criterion.temperature == settings.numbers["temperature"]
    )
    assert ("temperature" in METHODS[name].meanings) != of_both


def test_what_a_number_is_in_one_method() -> None:
    assert METHODS["instance_specific_label_smoothing"].meaning("temperature") == (
        "temperature of the teacher alone, above 0"
    )
    assert METHODS["zipf_label_smoothing"].meaning("power") == "exponent of the ranks, above 0"
    assert METHODS["cs_kd"].meaning("temperature") == NUMBERS["temperature"].help
    assert METHODS["cs_kd"].meaning("of ones own") == ""


def test_the_penalty_of_max_sup_is_twice_as_large_in_the_last_epoch() -> None:
    assert "grows evenly to twice that" in METHODS["max_sup"].meaning("added")
    criterion = MethodSettings("max_sup", numbers={"added": 0.3}).build(num_classes=10, epochs=3)
    found = []
    for _ in range(3):
        found.append(criterion.added)
        criterion.epoch_ended()
    assert found == pytest.approx([0.3, 0.45, 0.6])
    assert tfkd.max_sup().added == 0.1


@pytest.mark.parametrize("name", METHODS)
def test_spaces_lie_within_the_ranges_and_hold_the_default(name: str) -> None:
    defaults = METHODS[name].numbers()
    for number, space in METHODS[name].spaces.items():
        assert NUMBERS[number].low <= space.low < space.high <= NUMBERS[number].high
        assert not space.log or space.low > 0.0
        default = defaults[number]
        assert default is None or space.low <= default <= space.high
        for value in (space.low, space.high, math.sqrt(space.low * space.high)):
            MethodSettings(name, "tfkd", {number: value}).check(10)


@pytest.mark.parametrize(
    ("method", "number", "value"),
    [
        ("dlb", "added", 1e308),
        ("transformed_teacher_matching", "power", 1e-320),
        ("cs_kd", "temperature", 1e308),
        ("born_again", "temperature", 1e-300),
        ("tf_kd_reg", "scale", 1e300),
        ("mean_teacher", "decay", 1.0),
    ],
)
def test_numbers_of_which_no_loss_can_be_had_are_refused_by_their_own_name(
    method: str, number: str, value: float
) -> None:
    with pytest.raises(ValueError, match=f"^Expected `{number}` (from .* to|below 1)"):
        MethodSettings(method, "tfkd", {number: value})


@pytest.mark.parametrize("name", METHODS)
def test_the_first_and_last_of_every_range_make_a_finite_loss(name: str) -> None:
    row, network = METHODS[name], nn.Linear(3, 4)
    for number in row.numbers():
        known = NUMBERS[number]
        if number in ("alpha", "confidence", "decay", "warm_up", "ramp_up"):
            continue  # of ranges that are their own
        for value in (known.low, known.high):
            if (name, number, value) == ("normalized_kd", "added", 0.0):
                continue  # refuses it: its label share would be left
            settings = settings_of(name, "tfkd")
            criterion = row.build(
                "tfkd",
                {**settings.numbers, number: value},
                num_classes=4,
                teacher=network if row.has_teacher else None,
                student=network,
                num_samples=4,
            )
            inputs, labels = torch.eye(4, 3), torch.arange(4)
            assert criterion(network(inputs), labels, inputs, indices=labels).isfinite()


def test_every_public_function_of_methods_and_dialects_is_in_a_row() -> None:
    named = {text for row in METHODS.values() for text in row.compositions.values()}
    named |= {row.binary for row in METHODS.values() if row.binary}
    public = {name: getattr(tfkd, name) for name in tfkd.__all__}
    makers = {
        f"{'.'.join(found.__module__.split('.')[:2])}:{name}"
        for name, found in public.items()
        if inspect.isfunction(found)
        and found.__module__.startswith(("tfkd.methods.", "tfkd.dialects"))
    }
    assert named == makers - NOT_IN_THE_TABLE
    for text in named:
        assert from_reference(text) is public[text.rpartition(":")[2]]


def test_every_method_of_the_paper_with_a_teacher_of_its_own_is_compared() -> None:
    of_the_paper = {row.name for row in rows_of_tf_kd.ROWS}
    assert of_the_paper - set(COMPARED) == {"knowledge_distillation"}
    assert set(COMPARED) <= of_the_paper
    assert BASELINE in COMPARED


def test_a_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"Did you mean tf_kd_reg\?"):
        find_method("tf_kd_rge")
    with pytest.raises(ValueError, match=r"`dialect` among tfkd for cross_entropy, got 'paper'"):
        MethodSettings("cross_entropy", "paper")


@pytest.mark.parametrize(
    ("number", "value", "message"),
    [
        ("alpha", 1.5, r"`alpha` in \[0, 1\], got 1.5"),
        ("alpha", float("nan"), "got nan"),
        ("temperature", 0.0, "`temperature` to be positive"),
        ("temperature", float("inf"), "got inf"),
        ("multiplier", 2.0, "Expected no `multiplier` for tf_kd_reg"),
        ("strength", 1.0, r"takes alpha, temperature, confidence, scale"),
    ],
)
def test_numbers_out_of_range_or_of_others_are_refused(
    number: str, value: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        MethodSettings("tf_kd_reg", numbers={number: value})
    with pytest.raises(TypeError, match="`alpha` to be a number, got str"):
        MethodSettings("tf_kd_reg", numbers={"alpha": "x"})  # type: ignore[dict-item]


def test_numbers_that_may_be_0():
    assert MethodSettings("focal", numbers={"focusing": 0.0}).numbers["focusing"] == 0.0
    assert MethodSettings("margin_label_smoothing", numbers={"margin": 0.0}).numbers["margin"] == 0
    with pytest.raises(ValueError, match="`focusing` of at least 0, got -1"):
        MethodSettings("focal", numbers={"focusing": -1.0})


def test_confidence_is_checked_with_the_number_of_classes() -> None:
    low = MethodSettings("tf_kd_reg", numbers={"confidence": 0.05})
    low.check(100)
    with pytest.raises(ValueError, match="`confidence`"):
        low.check(10)


def test_a_weight_may_be_nothing_where_its_range_says_so() -> None:
    MethodSettings("decoupled_kd", numbers={"target": 0.0})
    with pytest.raises(ValueError, match="`target` of at least 0, got -1"):
        MethodSettings("decoupled_kd", numbers={"target": -1.0})
    with pytest.raises(ValueError, match="`power` to be positive"):
        MethodSettings("zipf_label_smoothing", numbers={"power": 0.0})
    assert METHODS["logit_standardization_kd"].numbers()["scale"] == 9.1

"""Every value of a run is an option, with one name, a kind and a help text."""

from __future__ import annotations

import pytest

from tfkd.runs.contents import StoredSettings
from tfkd.runs.options import described, option_at, options, value_of, values_of


def test_every_option_has_a_place_a_kind_and_a_help_text_for_people():
    for name, option in options().items():
        assert option.name == name
        assert option_at(option.path) == option
        assert option.help, name
        assert option.kind is not None
        # No words of Python, and what is left out is called so.
        for word in ("None", "tfkd.runs", "tfkd.models", "Literal", "tuple", "()"):
            assert word not in option.help, name


def test_every_field_of_the_settings_is_described():
    for name in StoredSettings.__struct_fields__:
        assert described(StoredSettings)[name]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "3", 3),
        ("learning_rate", "0.1", 0.1),
        ("learning_rate", "1", 1.0),
        ("train_size", "100", 100),
        ("nesterov", "true", True),
        ("nesterov", "false", False),
        ("milestones", "60,120", (60, 120)),
        ("milestones", "[60, 120]", (60, 120)),
        ("save_epochs", "", ()),
        ("augmentation", "none", "none"),
        ("mixed_precision", "no", "no"),
        ("data", "3", "3"),
        ("teacher", "a/b", "a/b"),
        ("image_size", "none", None),
        ("milestones", [60, 120], (60, 120)),
        ("save_epochs", 3, (3,)),
    ],
)
def test_texts_become_values(name, text, value):
    found = value_of(options()[name], text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("epochs", "x", "`epochs` to be a whole number, got 'x'"),
        ("epochs", "1.5", "`epochs` to be a whole number, got '1.5'"),
        ("learning_rate", "high", "`learning_rate` to be a number, got 'high'"),
        ("nesterov", "maybe", "`nesterov` to be true or false, got 'maybe'"),
        ("milestones", "3,a", "`milestones` to be whole numbers with commas between them"),
        ("schedule", "stop", "`schedule` to be one of constant, step, .* Did you mean step"),
        ("mixed_precision", "fp32", "`mixed_precision` to be one of no, bf16, fp16, got 'fp32'"),
        ("teacher_epoch", "last", "`teacher_epoch` to be a whole number"),
    ],
)
def test_a_text_that_is_no_value_is_refused_by_name(name, text, message):
    with pytest.raises(ValueError, match=message):
        value_of(options()[name], text)


def test_what_is_a_closed_set_says_so():
    assert values_of(options()["schedule"].kind) == ("constant", "step", "cosine", "one-cycle")
    assert values_of(options()["sampler"].kind) == ("shuffled", "balanced")
    assert values_of(options()["fit"].kind) == ("centre-crop", "squash")
    assert values_of(options()["augmentation"].kind) == ()
    assert values_of(options()["epochs"].kind) == ()

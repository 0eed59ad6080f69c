"""A run as people write it: flat or nested; what is left out is as the data set asks."""

from __future__ import annotations

import inspect
import json
import math
from pathlib import Path

import msgspec
import pytest
import timm.optim

from tfkd.method_table import NUMBERS
from tfkd.runs import (
    SGD,
    AdamW,
    Circumstances,
    Cosine,
    MethodSettings,
    OneCycle,
    RunTeacher,
    Step,
    TimmOptimizer,
    WeightsTeacher,
    defaults,
    make_run,
)
from tfkd.runs.options import options
from tfkd.runs.plain_yaml import read_plain_yaml, to_yaml
from tfkd.runs.preparation import prepared
from tfkd.runs.written import changed, merged, nested, read_written


def test_an_option_overrules_the_recipe_and_none_does_not():
    settings, _ = make_run(
        {"data": "cifar10", "epochs": 3, "learning_rate": None, "milestones": [1, 2]}
    )
    assert settings.recipe.epochs == 3
    assert settings.recipe.optimizer.learning_rate == 0.1
    assert settings.recipe.schedule.milestones == (1, 2)


SEVERAL = ("label_columns", "label_separator")


def test_every_option_reaches_its_field():
    given = {
        "data": "cifar10",
        "data_root": "/somewhere",
        "train_dir": "/train",
        "validation_dir": "/validation",
        "test_dir": "/test",
        "labels": "/labels.csv",
        "train_size": 100,
        "validation_fraction": 0.2,
        "image_size": 16,
        "augmentation": "none",
        "views": 4,
        "folds": 3,
        "sampler": "balanced",
        "fit": "squash",
        "crop_fraction": 0.9,
        "interpolation": "bicubic",
        "mean": (0.4, 0.5, 0.6),
        "std": (0.25,),
        "student": "timm/resnet18",
        "model_option": {"drop_path_rate": 0.1},
        "pretrained": True,
        "freeze": "2",
        "epochs": 7,
        "batch_size": 5,
        "gradient_accumulation": 2,
        "optimizer": "sgd",
        "learning_rate": 0.03,
        "momentum": 0.8,
        "nesterov": True,
        "weight_decay": 0.01,
        "layer_decay": 0.7,
        "decay_norms_and_biases": False,
        "schedule": "step",
        "warmup_epochs": 2.0,
        "milestones": (3, 4),
        "gamma": 0.5,
        "mixed_precision": "bf16",
        "mixup": 0.3,
        "cutmix": 0.4,
        "class_weights": "balanced",
        "clip_gradients": 1.0,
        "weight_average": 0.9,
        "compile": True,
        "method": "knowledge_distillation",
        "dialect": "released",
        "alpha": 0.3,
        "temperature": 3.0,
        "multiplier": 2.0,
        "teacher": "somewhere/run",
        "teacher_epoch": 3,
        "teacher_cache": "none",
        "seed": 5,
        "tensorboard": True,
        "save_epochs": (2, 3),
        "workers": 2,
        "checkpoint_seconds": 3.0,
        "measure_test": False,
        "validate_every": 5,
    }
    # Of other methods and teachers, below.
    assert set(options()) == {*given, *NUMBERS, "teacher_weights", "weights", *SEVERAL}
    settings, circumstances = make_run(given)
    values = msgspec.to_builtins(settings)
    values["circumstances"] = msgspec.to_builtins(circumstances)
    for name, value in given.items():
        found = values
        for part in options()[name].path:
            found = found[part]
        assert found == value, name
    for name, value in (("label_columns", ("a", "b")), ("label_separator", ";")):
        several = make_run({"labels": "/labels.csv", name: value})[0].recipe.data
        assert getattr(several, name) == value
    assert make_run({"weights": "/w.pth"})[0].recipe.weights == "/w.pth"
    numbers = {"confidence": 0.7, "scale": 2.0}
    assert make_run({"method": "tf_kd_reg", **numbers})[0].method == MethodSettings(
        "tf_kd_reg", numbers=numbers
    )
    beside = {"teacher": "wide_cnn", "teacher_weights": "w.safetensors"}
    assert make_run({"method": "tf_kd_self", **beside})[0].teacher == WeightsTeacher(
        model="wide_cnn", weights="w.safetensors"
    )


def test_flat_names_parts_and_nested_settings_are_the_same():
    flat = {
        "data": "cifar10",
        "train_size": 500,
        "optimizer": "adamw",
        "learning_rate": 0.01,
        "method": "tf_kd_self",
        "alpha": 0.2,
        "teacher": "t",
        "workers": 1,
    }
    parts = {
        "data": {"name": "cifar10", "train_size": 500},
        "optimizer": {"name": "adamw", "learning_rate": 0.01},
        "method": {"name": "tf_kd_self", "numbers": {"alpha": 0.2}},
        "teacher": {"kind": "run", "run": "t"},
        "circumstances": {"workers": 1},
    }
    whole = {
        "recipe": {"data": parts["data"], "optimizer": parts["optimizer"]},
        **{name: parts[name] for name in ("method", "teacher", "circumstances")},
    }
    found = make_run(flat)
    assert found[0].recipe.optimizer == AdamW(learning_rate=0.01)
    assert found[0].teacher == RunTeacher(run="t")
    assert found[1] == Circumstances(workers=1)
    for other in (parts, whole, {**parts, "seed": 0}, {"recipe": whole["recipe"], **flat}):
        assert make_run(other) == found


def test_what_is_left_out_is_as_the_data_set_asks(tmp_path):
    assert make_run({})[0].recipe == defaults("digits").recipe
    assert make_run({"data": "cifar100"})[0].recipe == defaults("cifar100").recipe
    settings, circumstances = make_run({"data": str(tmp_path)})
    assert settings.recipe == prepared(defaults("folder").recipe)
    assert settings.recipe.student == "timm/resnet18"
    assert circumstances.data_root == str(tmp_path)


def test_a_path_is_absolute_wherever_it_started_from(tmp_path, monkeypatch):
    (tmp_path / "pets").mkdir()
    monkeypatch.chdir(tmp_path)
    for written in (
        {"data": "pets"},
        {"data": "./pets"},
        {"data": "pets", "data_root": str(tmp_path)},
        {"data": "pets", "data_root": "."},
        {"data": "folder", "data_root": "pets"},
    ):
        settings, circumstances = make_run(written)
        assert settings.recipe.data.name == "folder", written
        assert Path(circumstances.data_root) == tmp_path / "pets", written


def test_another_length_moves_the_milestones_unless_they_are_given():
    recipe = defaults("cifar100").recipe
    assert changed(recipe, {"epochs": 20}).schedule.milestones == (6, 12, 16)
    assert changed(recipe, {"epochs": 2}).schedule.milestones == (1, 2)
    given = changed(recipe, {"epochs": 20, "schedule": {"milestones": [5]}})
    assert given.schedule == Step(milestones=(5,), gamma=0.2)


def test_another_variant_keeps_the_numbers_that_it_has_in_common_but_no_learning_rate():
    recipe = changed(
        defaults("cifar100").recipe, {"optimizer": {"name": "sgd", "learning_rate": 0.3}}
    )
    assert recipe.optimizer == SGD(learning_rate=0.3)
    recipe = changed(recipe, {"schedule": {"name": "cosine"}, "optimizer": {"name": "adamw"}})
    assert recipe.schedule == Cosine()
    assert recipe.optimizer == AdamW()  # neither learning rate nor weight decay of sgd
    groups = {"layer_decay": 0.8, "decay_norms_and_biases": False}
    recipe = changed(recipe, {"optimizer": {"learning_rate": 0.004, **groups}})
    other = {"name": "timm", "algorithm": "lion", "weight_decay": 0.1}
    recipe = changed(recipe, {"optimizer": other})
    own = inspect.signature(timm.optim.Lion).parameters["lr"].default
    found = TimmOptimizer("lion", learning_rate=own, weight_decay=0.1, **groups)
    assert recipe.optimizer == found
    assert changed(recipe, {"optimizer": {"algorithm": "lion"}}).optimizer == found
    assert changed(recipe, {"optimizer": {"algorithm": "lamb"}}).optimizer == TimmOptimizer(
        "lamb", **groups
    )
    assert changed(recipe, {"schedule": {"name": "one-cycle"}}).schedule == OneCycle()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"batchsize": 3}, "a name of an option, got 'batchsize'. Did you mean batch_size"),
        ({"data": "cifar1000"}, "'cifar1000'. Did you mean cifar100"),
        ({"momentum": 0.5, "optimizer": "adamw"}, "no `momentum` for the optimizer adamw"),
        ({"gamma": 0.5, "schedule": "cosine"}, "no `gamma` for the schedule cosine"),
        ({"gamma": 0.5}, "no `gamma` for the schedule cosine"),  # of digits
        ({"optimizer": "lam"}, "`optimizer` to be one of sgd, .*, got 'lam'. Did you mean lamb?"),
        ({"optimizer": "timm"}, "name of an optimiser of timm for `optimizer`, got timm"),
        ({"optimizer": "adamw8bit"}, r"Did you mean adamw\?"),
        ({"optimizer": "bnbadamw8bit"}, "needs the package bitsandbytes"),
        ({"optimizer": "fusedlamb"}, "needs the package apex"),
        ({"optimizer": "adahessian"}, "needs second derivatives"),
        ({"optimizer": "kron"}, "could not be resumed exactly"),
        ({"optimizer": "adafactor"}, "a `learning_rate` for the optimizer adafactor"),
        ({"optimizer": "lamb", "momentum": 0.5}, "no `momentum` for the optimizer lamb"),
        ({"layer_decay": 0.0}, r"`layer_decay` in \(0, 1\], got 0"),
        ({"freeze": "head"}, "`freeze` to be none, backbone or a number of stages"),
        ({"freeze": "0"}, "a number of stages of at least 1, got '0'"),
        ({"weight_average": 1.0}, r"`weight_average` in \[0, 1\), got 1"),
        ({"clip_gradients": -1.0}, "`clip_gradients` of at least 0"),
        ({"class_weights": "even"}, "`class_weights` to be one of none, balanced, got 'even'"),
        ({"weights": "a.pth", "pretrained": True}, "`weights` or `pretrained`, got both"),
        ({"model_option": {"a": [[1]]}}, "`a` to be a number, true, false, text or several"),
        ({"schedule": "step"}, "`milestones` for the schedule step"),
        ({"schedule": {"name": "stop"}}, "`schedule` to be one of .* Did you mean step"),
        ({"epochs": "three"}, "`epochs` to be a whole number"),
        ({"recipe": {"epochs": [3]}}, "`epochs` to be a whole number"),
        ({"recipe": 3}, "name of an option, got 'recipe"),
        ({"recipe": {"colour": 3}}, "colour"),
        ({"recipe": {"data": {"root": "x"}}}, "root"),
        ({"circumstances": {"speed": 1}}, "speed"),
        ({"save_epochs": [30]}, "`save_epochs` between 1 and 20, got 30"),
        ({"method": "tf_kd_self"}, "a `teacher` for the method tf_kd_self"),
        ({"teacher": "x"}, "no `teacher` for the method cross_entropy"),
        ({"teacher_epoch": 3}, "Expected `teacher` beside `teacher_epoch`"),
        ({"teacher_cache": "float32"}, "Expected `teacher` beside `teacher_cache`"),
        (
            {"teacher": "x", "teacher_epoch": 1, "teacher_weights": "w"},
            "`teacher_epoch` or `teacher_weights`, got both",
        ),
        ({"method": {"name": "label_smoothing", "numbers": {"alpha": "x"}}}, "`alpha` to be a num"),
    ],
)
def test_what_cannot_be_is_refused_by_name(written, message):
    with pytest.raises(ValueError, match=message):
        make_run(written)


def test_the_second_of_two_has_the_last_word():
    first = nested({"epochs": 3, "learning_rate": 0.1, "seed": 1})
    second = nested({"epochs": 4, "momentum": 0.5})
    assert merged(first, second) == {
        "recipe": {"epochs": 4, "optimizer": {"learning_rate": 0.1, "momentum": 0.5}},
        "seed": 1,
    }


def test_yaml_says_what_json_says(tmp_path):
    values = {
        "data": "cifar10",
        "epochs": 3,
        "learning_rate": 1e-05,
        "mixed_precision": "no",
        "augmentation": "none",
        "nesterov": True,
        "milestones": [1, 2],
    }
    (tmp_path / "a.json").write_text(json.dumps(values))
    (tmp_path / "a.yaml").write_text(
        "data: cifar10\nepochs: 3\nlearning-rate: 0.00001\nmixed_precision: no\n"
        "augmentation: none\nnesterov: true\nmilestones: [1, 2]\n"
    )
    found = [make_run(read_written(tmp_path / name)) for name in ("a.json", "a.yaml")]
    assert found[0] == found[1]
    assert found[0][0].recipe.mixed_precision == "no"


def test_numbers_in_scientific_notation_are_numbers(tmp_path):
    # Of which YAML 1.1 takes some for text.
    (tmp_path / "a.yaml").write_text("learning_rate: 1e-2\nweight_decay: 5E-4\nmixup: 1.0e-1\n")
    recipe = make_run(read_written(tmp_path / "a.yaml"))[0].recipe
    assert recipe.optimizer == SGD(learning_rate=0.01, weight_decay=5e-4)
    assert recipe.mixup == 0.1


def test_what_is_no_file_of_options_is_named(tmp_path):
    for text in ("- 1", "3", "", "a: [", "a: &x 1\nb: *x", "a: !!python/name:os.mkdir"):
        (tmp_path / "a.yaml").write_text(text)
        with pytest.raises(ValueError, match=r"a\.yaml"):
            read_written(tmp_path / "a.yaml")
    with pytest.raises(FileNotFoundError, match=r"none\.yaml"):
        read_written(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["010", "1:30", "1_000", "0x10", "2024-01-01"])
def test_numbers_are_decimal_in_a_file_or_none(text, tmp_path):
    file = tmp_path / "options.yaml"
    file.write_text(f"epochs: {text}")
    with pytest.raises(ValueError, match=f"`epochs` to be a whole number, got '{text}'"):
        nested(read_written(file))


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-2", 0.01), ("0.01", 0.01), (".5", 0.5), ("1.5E+1", 15.0), ("7", 7.0), ("+2", 2.0)],
)
def test_decimal_numbers_are_read_in_every_form(text, value, tmp_path):
    file = tmp_path / "options.yaml"
    file.write_text(f"learning-rate: {text}")
    found = nested(read_written(file))["recipe"]["optimizer"]["learning_rate"]
    assert (found, type(found)) == (value, float)


@pytest.mark.parametrize(
    "text",
    ["epochs: 1\nepochs: 2", "train-size: 1\ntrain_size: 2", "recipe: {epochs: 1, epochs: 1}"],
)
def test_a_name_comes_once_in_a_file(text, tmp_path):
    file = tmp_path / "options.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=f"{file}.*every name once, got '(epochs|train_size)'"):
        read_written(file)


def test_two_places_that_contradict_one_another_are_refused():
    assert nested({"epochs": 2, "recipe": {"epochs": 2}}) == {"recipe": {"epochs": 2}}
    with pytest.raises(ValueError, match=r"`learning_rate` .* got nan"):
        make_run({"learning_rate": math.nan})
    with pytest.raises(ValueError, match="one value of `epochs`, got 2 and 3"):
        nested({"epochs": 2, "recipe": {"epochs": 3}})


def test_text_that_looks_like_a_number_is_text_when_it_is_read_again(tmp_path):
    file = tmp_path / "values.yaml"
    values = dict(enumerate(["010", "1e-3", "no", "null", "", "~", "1:30", "2024-01-01", 1e-7, 3]))
    values = {f"v{place}": value for place, value in values.items()}
    file.write_text(to_yaml(values))
    assert read_plain_yaml(file) == values

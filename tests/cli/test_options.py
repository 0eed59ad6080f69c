"""Every value of a run, said in each of the ways in which it can be said."""

from __future__ import annotations

import functools
import json
import os
import re
import signal

import pytest

from tfkd.cli import main
from tfkd.cli.command import Command, Group, hyphened
from tfkd.cli.commands import COMMANDS
from tfkd.cli.parser import UsageError, parse
from tfkd.runs import AdamW, Circumstances, RunTeacher, WeightsTeacher, files, make_run
from tfkd.runs.contents import StoredSettings
from tfkd.runs.options import options
from tfkd.runs.plain_yaml import to_yaml
from tfkd.runs.written import nested

STEP = {"schedule": "step", "milestones": "2,4"}
REG = {"method": "tf_kd_reg"}
RELEASED = {**REG, "dialect": "released", "alpha": "0.5", "temperature": "20"}
DKD = {"method": "decoupled_kd", "teacher": "/teachers/run"}
TAUGHT = {"method": "tf_kd_self", "teacher": "/teachers/run"}
# As typed, what it means, and what has to be said beside it.
VALUES = {
    "data": ("cifar10", "cifar10", {}),
    "train_size": ("100", 100, {}),
    "validation_fraction": ("0.25", 0.25, {}),
    "image_size": ("16", 16, {}),
    "augmentation": ("none", "none", {}),
    "views": ("3", 3, {}),
    "folds": ("5", 5, {}),
    "sampler": ("balanced", "balanced", {}),
    "fit": ("squash", "squash", {}),
    "crop_fraction": ("0.9", 0.9, {}),
    "interpolation": ("bicubic", "bicubic", {}),
    "mean": ("0.4,0.5,0.6", (0.4, 0.5, 0.6), {}),
    "std": ("0.25", (0.25,), {}),
    "label_separator": (";", ";", {"labels": "/pets/labels.csv"}),
    "label_columns": ("cat,dog", ("cat", "dog"), {"labels": "/pets/labels.csv"}),
    "student": ("plain_cnn", "plain_cnn", {}),
    "model_option": ("depth=3", {"depth": 3}, {}),
    "weights": ("/w.pth", "/w.pth", {}),
    "freeze": ("backbone", "backbone", {}),
    "pretrained": ("true", True, {"student": "resnet34"}),
    "epochs": ("7", 7, {}),
    "batch_size": ("32", 32, {}),
    "gradient_accumulation": ("2", 2, {}),
    "mixed_precision": ("bf16", "bf16", {}),
    "mixup": ("0.2", 0.2, {}),
    "cutmix": ("1", 1.0, {}),
    "optimizer": ("adamw", "adamw", {}),
    "learning_rate": ("1e-3", 0.001, {}),
    "weight_decay": (".0", 0.0, {}),
    "layer_decay": ("0.75", 0.75, {}),
    "decay_norms_and_biases": ("false", False, {}),
    "class_weights": ("balanced", "balanced", {}),
    "clip_gradients": ("1", 1.0, {}),
    "weight_average": ("0.99", 0.99, {}),
    "compile": ("true", True, {}),
    "momentum": ("0.8", 0.8, {}),
    "nesterov": ("true", True, {}),
    "schedule": ("one-cycle", "one-cycle", {}),
    "warmup_epochs": ("2.5", 2.5, {}),
    "milestones": ("3,5", (3, 5), {"schedule": "step"}),
    "gamma": ("0.3", 0.3, STEP),
    "method": ("label_smoothing", "label_smoothing", {}),
    "dialect": ("paper", "paper", {**REG, "alpha": "0.5", "temperature": "20"}),
    "alpha": ("0.4", 0.4, REG),
    "temperature": ("7", 7.0, REG),
    "confidence": ("0.8", 0.8, REG),
    "multiplier": ("3", 3.0, RELEASED),
    "scale": ("0.5", 0.5, REG),
    "added": ("2", 2.0, {"method": "cs_kd"}),
    "concentration": ("4", 4.0, {"method": "beta_smoothing"}),
    "decay": ("0", 0.0, {"method": "beta_smoothing"}),
    "focusing": ("0", 0.0, {"method": "focal"}),
    "margin": ("1.5", 1.5, {"method": "margin_label_smoothing"}),
    "non_target": ("0", 0.0, DKD),
    "power": ("0.2", 0.2, {**DKD, "method": "transformed_teacher_matching"}),
    "ramp_up": ("3", 3.0, {"method": "mean_teacher"}),
    "target": ("2", 2.0, DKD),
    "warm_up": ("5", 5.0, DKD),
    "teacher": ("/teachers/other", "/teachers/other", {"method": "tf_kd_self"}),
    "teacher_epoch": ("1", 1, TAUGHT),
    "teacher_cache": ("top-5", "top-5", TAUGHT),
    "teacher_weights": ("/w.safetensors", "/w.safetensors", {**TAUGHT, "teacher": "resnet18"}),
    "seed": ("5", 5, {}),
    "data_root": ("/big", "/big", {"data": "cifar10"}),
    "train_dir": ("/pets/train", "/pets/train", {}),
    "validation_dir": ("/pets/val", "/pets/val", {"data": "/pets"}),
    "test_dir": ("/pets/test", "/pets/test", {"train_dir": "/pets/train"}),
    "labels": ("/pets/labels.csv", "/pets/labels.csv", {"data": "/pets"}),
    "save_epochs": ("1,3", (1, 3), {}),
    "tensorboard": ("true", True, {}),
    "workers": ("2", 2, {}),
    "checkpoint_seconds": ("0", 0.0, {}),
    "measure_test": ("no", False, {}),
    "validate_every": ("0", 0, {}),
}


def made(*words):
    """The run that a command line asks for."""
    settings, circumstances = make_run(parse("tfkd train", COMMANDS["train"], words)["written"])
    fields = {name: getattr(settings, name) for name in settings.__struct_fields__}
    return StoredSettings(**fields, circumstances=circumstances)


def value_at(stored, path):
    if path in (("recipe", "optimizer", "name"), ("recipe", "schedule", "name")):
        return getattr(stored.recipe, path[1]).__struct_config__.tag
    if path == ("teacher", "run") and isinstance(stored.teacher, WeightsTeacher):
        return stored.teacher.model
    return functools.reduce(
        lambda part, name: part[name] if isinstance(part, dict) else getattr(part, name),
        path,
        stored,
    )


def test_the_table_has_every_value():
    assert set(VALUES) == set(options())


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_the_same_however_it_is_said(name, tmp_path):
    typed, expected, beside = VALUES[name]
    said = {**beside, name: typed}
    words = [f"--{option.replace('_', '-')}={value}" for option, value in said.items()]
    run = made("--out", "x", *words)
    assert value_at(run, options()[name].path) == expected
    if name not in ("teacher_epoch", "teacher_cache", "teacher_weights", "teacher"):
        assert value_at(made("--out", "x"), options()["seed"].path) == 0
    file = tmp_path / "file.yaml"
    flat = "".join(f"{option}: {value}\n" for option, value in {"out": "x", **said}.items())
    hyphened = re.sub(r"^\w+", lambda found: found[0].replace("_", "-"), flat, flags=re.MULTILINE)
    for text in (flat, hyphened):
        file.write_text(text)
        assert made("--config", str(file)) == run
    file.write_text(to_yaml({"out": "x", **nested(said)}))
    assert made("--config", str(file)) == run
    files.write_json(tmp_path / "settings.json", run)
    assert made("--out", "x", "--config", str(tmp_path / "settings.json")) == run


def test_what_is_written_is_what_is_stored():
    """The nested form is that of settings.json, name for name."""
    for option in options().values():
        assert option.path[0] in StoredSettings.__struct_fields__
        if option.path[0] == "circumstances":
            assert option.path[1] in Circumstances.__struct_fields__


def test_typed_words_overrule_files_and_later_files_earlier_ones(tmp_path):
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("out: x\nepochs: 3\nlearning_rate: 1e-3\nalpha: 0.3\nmethod: tf_kd_reg\n")
    two.write_text("recipe: {epochs: 4, batch-size: 8}\ntensorboard: yes\n")
    run = made("--config", str(one), "--config", str(two))
    assert (run.recipe.epochs, run.recipe.batch_size) == (4, 8)
    assert run.recipe.optimizer.learning_rate == 0.001
    assert run.method.numbers["alpha"] == 0.3
    assert run.circumstances.tensorboard
    run = made("--config", str(two), "--config", str(one))
    assert run.recipe.epochs == 3
    run = made("--epochs", "9", "--config", str(one), "--tensorboard=false", "--config", str(two))
    assert run.recipe.epochs == 9
    assert not run.circumstances.tensorboard
    assert made("--out", "x", "--epochs", "3", "--epochs", "5").recipe.epochs == 5


def test_what_a_run_was_is_overruled_part_by_part(tmp_path):
    """Another optimiser, schedule, method or folder takes from the file what suits it."""
    file = str(tmp_path / "settings.json")
    words = ["--out", "x", "--schedule=step", "--milestones=3,5", "--gamma=.3", "--momentum=.8"]
    words += ["--method", "tf_kd_reg", "--alpha", "0.3", "--weight-decay", "0.1"]
    words += ["--train-size", "100", "--data", str(tmp_path / "pets")]
    files.write_json(tmp_path / "settings.json", made(*words))
    again = ["--out", "x", "--config", file]
    run = made(*again, "--method", "label_smoothing")
    assert run.method.numbers == {"alpha": 0.1, "scale": 1.0}
    assert made(*again, "--method", "tf_kd_reg").method.numbers["alpha"] == 0.3
    run = made(*again, "--optimizer", "adamw")
    # Learning rate and weight decay are those of the optimiser that they were chosen for.
    assert run.recipe.optimizer == AdamW(decay_norms_and_biases=False)  # as of any folder
    run = made(*again, "--schedule", "constant", "--warmup-epochs", "0")
    assert run.recipe.schedule.warmup_epochs == 0.0
    assert made(*again, "--milestones", "7").recipe.schedule.gamma == 0.3
    assert made(*again, "--train-size", "none").recipe.data.train_size is None
    for data, name, root in (
        ("digits", "digits", None),
        (str(tmp_path / "dogs"), "folder", str(tmp_path / "dogs")),
    ):
        run = made(*again, "--data", data)
        assert (run.recipe.data.name, run.circumstances.data_root) == (name, root)
    run = made(*again, "--data-root", str(tmp_path / "moved"))
    assert run.circumstances.data_root == str(tmp_path / "moved")


def test_a_teacher_of_a_stored_run_lies_where_that_run_found_it(tmp_path):
    run = tmp_path / "runs" / "student"
    run.mkdir(parents=True)
    for stored, expected in (
        (RunTeacher(run="../teacher", epoch=2), RunTeacher(run=f"{run.parent}/teacher", epoch=2)),
        (
            WeightsTeacher(model="resnet18", weights="../w.safetensors", cache="float16"),
            WeightsTeacher(
                model="resnet18", weights=f"{run.parent}/w.safetensors", cache="float16"
            ),
        ),
    ):
        made_of = made("--out", "x", "--method=tf_kd_self", "--teacher=a")
        values = {name: getattr(made_of, name) for name in StoredSettings.__struct_fields__}
        files.write_json(run / "settings.json", StoredSettings(**{**values, "teacher": stored}))
        again = ["--out", "x", "--config", str(run / "settings.json")]
        assert made(*again).teacher == expected
        if isinstance(stored, RunTeacher):
            assert made(*again, "--teacher", "other").teacher.run == "other"


def test_words_of_yaml_are_the_words_that_they_look_like(tmp_path):
    file = tmp_path / "file.yaml"
    for text, path, expected in (
        ("mixed_precision: no", ("recipe", "mixed_precision"), "no"),
        ("learning_rate: 1e-3", ("recipe", "optimizer", "learning_rate"), 0.001),
        ("learning_rate: .5", ("recipe", "optimizer", "learning_rate"), 0.5),
        ("tensorboard: on", ("circumstances", "tensorboard"), True),
        ("tensorboard: no", ("circumstances", "tensorboard"), False),
        ("train_size: null", ("recipe", "data", "train_size"), None),
        ("train_size: none", ("recipe", "data", "train_size"), None),
        ("epochs:", ("recipe", "epochs"), 20),
        ("save_epochs: 1", ("circumstances", "save_epochs"), (1,)),
        ("save_epochs: 1, 2", ("circumstances", "save_epochs"), (1, 2)),
        ("save_epochs: [1, 2]", ("circumstances", "save_epochs"), (1, 2)),
        ("optimizer: adamw", ("recipe", "optimizer", "name"), "adamw"),
        ("recipe: {optimizer: adamw}", ("recipe", "optimizer", "name"), "adamw"),
        ("recipe: {data: cifar100}", ("recipe", "data", "name"), "cifar100"),
        ("optimizer: {learning-rate: 0.2}", ("recipe", "optimizer", "learning_rate"), 0.2),
        ("numbers: {alpha: 0.3}\nmethod: tf_kd_reg", ("method", "numbers", "alpha"), 0.3),
    ):
        file.write_text(text)
        assert value_at(made("--out", "x", "--config", str(file)), path) == expected, text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epochs: 1.5", "--epochs to be a whole number, got 1.5"),
        ("epochs: true", "--epochs to be a whole number, got True"),
        ("epochs: [3]", "--epochs to be a whole number, got [3]"),
        ("tensorboard: 1", "--tensorboard to be true or false, got 1"),
        ("student: 3", "--student to be text, got 3"),
        ("milestones: [a]", "--milestones to be whole numbers"),
        ("seed: 2020-01-01", "--seed to be a whole number"),
        ("recipe: {epohs: 3}", "got 'recipe.epohs'. Did you mean epochs?"),
        ("recipe: {learning_rate: 3}", "got 'recipe.learning_rate'"),
        ("recipe: 3", "got 'recipe'"),
        ("method: {numbers: 3}", "got 'method.numbers'"),
        ("recipe: {data: {x: {y: {}}}}", "got 'recipe.data.x'"),
        ("epohs: 3", "got 'epohs'. Did you mean epochs?"),
        ("epohs:", "got 'epohs'"),
        ("method: {nam: x}", "got 'method.nam'"),
        ("numbers: {strength: 0.3}", "no `strength` for cross_entropy"),
        ("numbers: {strength: x}", "`strength` to be a number, got 'x'"),
        ("teacher: {kind: elsewhere, run: x}", "`kind` to be one of run, weights"),
        ("teacher_epoch: 1", "--teacher beside --teacher-epoch"),
        ("mixed_precision: off", "--mixed-precision to be one of no, bf16, fp16, got 'off'"),
        ("jobs: 2", "got 'jobs'"),
        ("overwrite: 2", "--overwrite to be true or false, got 2"),
        ("epochs: &a 3\nbatch_size: *a", "no YAML aliases"),
        ("? [1]\n: 2", "plain YAML"),
        ("- 1", "names and values"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_name(text, said, tmp_path, capsys):
    file = tmp_path / "file.yaml"
    file.write_text(text)
    assert main(["train", "--out", str(tmp_path / "out"), "--config", str(file)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert error.count("Did you mean") <= 1
    assert not (tmp_path / "out").exists()


def test_what_a_command_has_no_use_for_is_refused(tmp_path, capsys):
    file = tmp_path / "settings.json"
    files.write_json(file, made("--out", "x", "--epochs", "2"))
    for command, said in (("compare", "no method.name"), ("evaluate RUN", "no recipe.")):
        assert main([*command.split(), "--config", str(file)]) == 2
        assert said in capsys.readouterr().err


def test_an_option_of_a_command_that_is_called_as_one_of_a_run_is_the_commands(tmp_path):
    file = tmp_path / "file.yaml"
    study, compare = COMMANDS["study"].commands["run"], COMMANDS["compare"]
    for text in ("data: digits", "recipe: {data: digits}", "data: {name: digits}"):
        file.write_text(f"{text}\nteacher: wide_cnn\nepochs: 3\n")
        found = parse("tfkd study run", study, ["table-1", "--config", str(file)])
        assert (found["data"], found["teacher"]) == ("digits", "wide_cnn")
        assert found["written"]["recipe"]["epochs"] == 3
    found = parse("tfkd compare", compare, ["--config", str(file), "--teacher", "resnet18"])
    assert found["teacher"] == "resnet18"
    assert found["written"]["recipe"]["data"] == {"name": "digits"}
    with pytest.raises(UsageError, match="--dialect to be one of released"):
        parse("tfkd study run", study, ["table-1", "--dialect", "latin"])


def _waiting(path):
    os.mkfifo(path)


def _of_all_memory(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize(
    ("make", "said"), [(_waiting, "regular file"), (_of_all_memory, "at most")]
)
def test_a_file_that_is_none_is_refused_and_not_waited_for(make, said, tmp_path, capsys):
    make(tmp_path / "file.yaml")
    signal.alarm(60)
    try:
        assert main(["train", "--out", "x", "--config", str(tmp_path / "file.yaml")]) == 2
    finally:
        signal.alarm(0)
    assert said in capsys.readouterr().err


def test_a_run_is_handed_back(tmp_path, capsys):
    """`--config RUN/settings.json` trains that run again, to the same bits."""
    words = ["--epochs", "1", "--train-size", "60", "--optimizer", "adamw", "--seed", "3"]
    words += ["--method", "tf_kd_reg", "--dialect", "released", "--save-epochs", "1"]
    words += ["--alpha", "0.95", "--temperature", "40"]
    one, two = tmp_path / "one", tmp_path / "two"
    assert main(["train", "--out", str(one), *words]) == 0
    assert main(["train", "--out", str(two), "--config", str(one / "settings.json")]) == 0
    for name in ("settings.json", "data.json", "weights.safetensors"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    records = [json.loads((run / "result.json").read_text())["test"] for run in (one, two)]
    assert records[0] == records[1]
    capsys.readouterr()


def test_short_names_that_people_know_are_understood_wherever_options_are(tmp_path, capsys):
    file = tmp_path / "file.yaml"
    file.write_text("lr: 0.3\nrecipe: {bs: 4, optimizer: {wd: 0.2}}\n")
    for words in (
        ["--lr", "0.3", "--bs=4", "--wd", "0.2"],
        ["--config", str(file)],
        ["--config", str(file), "--learning-rate", "0.3"],
    ):
        recipe = made("--out", "x", *words).recipe
        optimizer = recipe.optimizer
        assert (optimizer.learning_rate, optimizer.weight_decay, recipe.batch_size) == (0.3, 0.2, 4)
    typed = made("--out", "x", "--config", str(file), "--lr", "0.4")
    assert typed.recipe.optimizer.learning_rate == 0.4
    file.write_text("lr: 0.3\nlearning_rate: 0.4\n")
    assert main(["train", "--out", str(tmp_path / "x"), "--config", str(file)]) == 2
    assert "one value of --learning-rate, got 0.3 and 0.4" in capsys.readouterr().err
    assert main(["train", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for alias in ("--lr", "--wd", "--bs"):
        assert f"Also {alias} " in text


@pytest.mark.parametrize("words", [["--learning-rate", "-.5"], ["--seed", "-1"], ["--lr", "-1e-3"]])
def test_a_number_below_0_is_a_value_and_no_option(words, tmp_path, capsys):
    assert main(["train", "--out", str(tmp_path / "x"), *words]) == 2
    assert f"got {float(words[1]):g}." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["--tensorboard"], True),
        (["--tensorboard", "yes"], True),
        (["--tensorboard", "no"], False),
        (["--tensorboard", "off", "--seed", "1"], False),
        (["--tensorboard=no"], False),
        (["--tensorboard", "--seed", "1"], True),
    ],
)
def test_a_flag_stands_alone_or_says_yes_or_no(words, value):
    arguments = parse("tfkd train", COMMANDS["train"], ["--out", "x", *words])
    assert make_run(arguments["written"])[1].tensorboard is value


def every_command(commands=COMMANDS, words=()):
    for name, found in commands.items():
        if isinstance(found, Group):
            yield from every_command(found.commands, (*words, name))
        else:
            yield pytest.param(" ".join((*words, name)), found, id="-".join((*words, name)))


@pytest.mark.parametrize(("name", "command"), [*every_command()])
def test_a_mistyped_option_is_no_option_and_the_right_one_is_near(name: str, command: Command):
    said = [name for name in command.needed() if name in command.positional()]
    alone = [option for option in command.own() if option not in command.positional()]
    for option in (*alone, "config"):
        wrong = f"--{hyphened(option)}x"
        with pytest.raises(UsageError, match=f"^Expected no {wrong}[.]") as error:
            parse(f"tfkd {name}", command, [*said, wrong, "1"])
        assert f"Did you mean --{hyphened(option)}?" in str(error.value)

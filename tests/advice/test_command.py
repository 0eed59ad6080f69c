"""The command and the file that are recommended train the very run."""

import shlex

import pytest

from tfkd.advice.command import command_of, write_settings, written_run
from tfkd.cli.commands import COMMANDS
from tfkd.cli.parser import parse
from tfkd.runs import Circumstances, MethodSettings
from tfkd.runs.written import make_recipe, make_run, nested

CASES = {
    "plain": ({"data": "digits"}, MethodSettings(), None),
    "tuned": (
        {
            "data": "digits",
            "learning_rate": 0.0321,
            "weight_decay": 1.25e-5,
            "epochs": 7,
            "schedule": "step",
            "milestones": "2,4",
            "train_size": 300,
        },
        MethodSettings("tf_kd_reg", numbers={"alpha": 0.3, "confidence": 0.95}),
        None,
    ),
    "taught": (
        {"data": "digits", "optimizer": "adamw", "mixed_precision": "bf16", "student": "plain_cnn"},
        MethodSettings("normal_kd", numbers={"alpha": 0.6, "temperature": 3.0}),
        "wide_cnn",
    ),
    "options of a network": (
        {"data": "cifar10", "student": "timm/resnet18", "model_option": ["drop_rate=0.1"]},
        MethodSettings("ols"),
        None,
    ),
}


def read(words):
    settings, circumstances = make_run(parse("tfkd train", COMMANDS["train"], words)["written"])
    return settings, circumstances.places


@pytest.mark.parametrize("case", CASES)
def test_both_are_the_run(case, tmp_path):
    said, method, teacher = CASES[case]
    recipe, circumstances = make_recipe(nested(said)["recipe"], Circumstances())
    run = written_run(recipe, method, circumstances, teacher)
    tfkd, train, *words = shlex.split(command_of(run, "runs/best run"))
    assert (tfkd, train, words[-2:]) == ("tfkd", "train", ["--out", "runs/best run"])
    write_settings(run, file := tmp_path / "it.yaml")
    for typed in (words, ["--config", str(file), "--out", "x"]):
        settings, places = read(typed)
        assert (settings.recipe, settings.method, settings.seed) == (recipe, method, 0)
        assert getattr(settings.teacher, "run", None) == teacher
        assert places == circumstances.places


def test_a_folder_is_found_from_everywhere(tmp_path, monkeypatch):
    folder = tmp_path / "my pets"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    recipe, circumstances = make_recipe({"data": {"name": "./my pets"}}, Circumstances())
    run = written_run(recipe, MethodSettings(), circumstances, None)
    command = command_of(run, "out")
    small, _ = make_recipe(
        {"data": {"name": "./my pets", "image_size": 32}, "student": "small_cnn"}, Circumstances()
    )
    assert command_of(written_run(small, MethodSettings(), circumstances, None), "out") == (
        f"tfkd train --data '{folder}' --image-size 32 --student small_cnn --method cross_entropy "
        "--out out"
    )
    assert command == f"tfkd train --data '{folder}' --method cross_entropy --out out"
    settings, places = read(shlex.split(command)[2:])
    assert settings.recipe == recipe
    assert places.root == str(folder)

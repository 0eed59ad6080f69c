"""Who teaches is said where it is not whom the method is named after."""

import pytest
from own_parts import changed

from tfkd.cli import main
from tfkd.data import DataSettings
from tfkd.runs import Circumstances, MethodSettings, Recipe, RunSettings, RunTeacher, WeightsTeacher
from tfkd.train import train_run
from tfkd.train.teacher_remark import remark_on_teacher

DATA = DataSettings("digits", train_size=60, validation_fraction=0.1)
PLAIN = RunSettings(Recipe(data=DATA, epochs=3, batch_size=30))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    path = tmp_path_factory.mktemp("teacher") / "run"
    train_run(path, PLAIN, Circumstances(save_epochs=(1, 3)))
    return path


def taught(method, teacher, **changes):
    return changed(PLAIN, method=MethodSettings(method), teacher=teacher, **changes)


@pytest.mark.parametrize("epoch", [None, 3])
def test_a_fully_trained_teacher_of_de_kd(teacher, epoch):
    assert remark_on_teacher(taught("de_kd", RunTeacher(run=str(teacher), epoch=epoch))) == (
        f"de_kd is meant to be taught by a barely trained network, but {teacher} is fully trained, "
        "3 epochs; --teacher-epoch takes the weights that it kept after epoch 1."
    )


def test_another_network_as_teacher_of_tf_kd_self(teacher):
    run = RunTeacher(run=str(teacher))
    weights = WeightsTeacher(model="small_cnn", weights="w")
    for who in (run, weights):
        remark = remark_on_teacher(taught("tf_kd_self", who, student="wide_cnn"))
        assert remark.startswith("tf_kd_self is meant to be taught by the same network, but small_")
        assert remark_on_teacher(taught("tf_kd_self", who)) is None


def test_of_the_right_teachers_nothing_is_said(teacher):
    run, early = RunTeacher(run=str(teacher)), RunTeacher(run=str(teacher), epoch=1)
    assert remark_on_teacher(PLAIN) is None
    assert remark_on_teacher(taught("de_kd", early)) is None
    assert remark_on_teacher(taught("de_kd", WeightsTeacher(model="x", weights="w"))) is None
    assert remark_on_teacher(taught("knowledge_distillation", run, student="wide_cnn")) is None


def test_the_command_says_it_before_it_trains(teacher, tmp_path, capsys):
    settings = str(teacher / "settings.json")
    words = ["--config", settings, "--method", "de_kd", "--teacher", str(teacher), "--epochs", "1"]
    words += ["--save-epochs", "1"]
    command = ["train", "--out", str(tmp_path / "run"), *words]
    assert main(command) == 0
    said = "de_kd is meant to be taught by a barely trained network"
    assert said in capsys.readouterr().err
    assert main(command) == 0
    assert said not in capsys.readouterr().err  # it is trained
    # An epoch that it has not kept is named beside those that it has.
    assert main([*command[:2], str(tmp_path / "other"), *words, "--teacher-epoch", "2"]) == 1
    error = capsys.readouterr().err
    assert "epoch-2.safetensors, found none. Snapshots it keeps: 1, 3; the final weights" in error

"""A warm-up that takes much of a training is said, by the commands too."""

import pytest

from tfkd.cli import main
from tfkd.runs import MethodSettings
from tfkd.train.warm_up_remark import remark_on_warm_up


@pytest.mark.parametrize(
    ("name", "number", "length", "epochs", "said"),
    [
        ("decoupled_kd", "warm_up", 20, 20, True),
        ("decoupled_kd", "warm_up", 6, 20, True),
        ("decoupled_kd", "warm_up", 5, 20, False),
        ("decoupled_kd", "warm_up", 20, 240, False),
        ("decoupled_kd", "warm_up", 1, 2, False),  # there is none
        ("mean_teacher", "ramp_up", 5, 10, True),
        ("mean_teacher", "ramp_up", 5, 20, False),
        ("label_smoothing", "alpha", 1, 1, False),
    ],
)
def test_more_than_a_quarter_of_the_epochs_is_said(name, number, length, epochs, said):
    remark = remark_on_warm_up(MethodSettings(name, numbers={number: length}), epochs)
    assert (remark is not None) == said
    if remark is not None:
        assert f"after {length} epochs, of {epochs} in all" in remark
        assert f"choose --{number.replace('_', '-')} with the length" in remark


def test_the_commands_say_it(tmp_path, capsys):
    words = ["--data", "digits", "--train-size", "40", "--epochs", "2", "--batch-size", "20"]
    words += ["--student", "small_cnn"]
    said = "mean_teacher gives its teacher the whole weight only after 5 epochs, of 2 in all"
    train = ["train", "--out", str(tmp_path / "run"), "--method", "mean_teacher", *words]
    assert main(train) == 0
    assert said in " ".join(capsys.readouterr().err.split())
    assert main(train) == 0
    assert said not in " ".join(capsys.readouterr().err.split())  # it is trained
    compare = ["compare", "--out", str(tmp_path / "all"), "--methods", "mean_teacher", *words]
    assert main([*compare, "--seeds", "1", "--jobs", "1"]) == 0
    printed = capsys.readouterr()
    assert " ".join((printed.err + printed.out).split()).count(said) == 1

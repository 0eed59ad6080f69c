"""A teacher that is named as a network is a run of its own, trained first, and then teaches."""

from __future__ import annotations

import json

import pytest
import torch
from own_parts import changed
from safetensors.torch import load_file

from tfkd.cli import main
from tfkd.models import create_model
from tfkd.runs import (
    AdamW,
    Circumstances,
    MethodSettings,
    RunDirectory,
    RunTeacher,
)
from tfkd.train import train_run
from tfkd.train.progress import Silent
from tfkd.train.teacher_first import train_teacher_first

pytestmark = pytest.mark.usefixtures("one_thread")

KD = MethodSettings("knowledge_distillation", numbers={"alpha": 0.5, "temperature": 2.0})


@pytest.fixture
def settings(finished_run, tmp_path):
    torch.manual_seed(0)
    weights = tmp_path / "start.pth"
    torch.save(create_model("small_cnn", num_classes=10, in_channels=1).state_dict(), weights)
    return changed(
        finished_run.settings,
        method=KD,
        teacher=RunTeacher(run="wide_cnn"),
        weights=str(weights),
        optimizer=AdamW(0.01),
    )


class Said(Silent):
    def __init__(self, epoch=None):
        self.remarks, self.at, self.epochs = [], epoch, 0

    def remark(self, text):
        self.remarks.append(text)

    def epoch(self, record):
        self.epochs += 1
        if self.epochs == self.at:
            raise KeyboardInterrupt


def test_it_has_the_recipe_of_its_student_but_for_what_is_the_students_alone(settings, tmp_path):
    said = Said()
    taught = train_teacher_first(tmp_path / "run", settings, Circumstances(), progress=said)
    place = tmp_path / "run-teacher"
    assert taught == changed(settings, teacher=RunTeacher(run=str(place)))
    teacher = RunDirectory(place)
    expected = changed(settings, student="wide_cnn", weights=None)
    assert teacher.settings().recipe == expected.recipe
    assert teacher.settings().method == MethodSettings()
    assert teacher.settings().teacher is None
    assert said.remarks[0] == f"The teacher wide_cnn is trained first, in {place}."
    assert said.remarks[1].startswith("The teacher wide_cnn gets ")
    train_run(tmp_path / "run", taught)
    stored = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert stored["teacher"]["run"] == "../run-teacher"
    # The same as with a teacher that was trained by hand.
    train_run(tmp_path / "by-hand", changed(expected, method=MethodSettings(), teacher=None))
    hand = changed(settings, teacher=RunTeacher(run=str(tmp_path / "by-hand")))
    train_run(tmp_path / "other", hand)
    ends = [load_file(tmp_path / run / "weights.safetensors") for run in ("run", "other")]
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


def test_it_goes_on_where_it_stopped_and_is_trained_once(settings, tmp_path):
    kept = Circumstances(checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        train_teacher_first(tmp_path / "run", settings, kept, progress=Said(epoch=2))
    assert (tmp_path / "run-teacher" / "checkpoint.pt").exists()
    said = Said()
    taught = train_teacher_first(tmp_path / "run", settings, kept, progress=said)
    assert said.epochs == 1  # of two, the first of which is kept
    said = Said()
    assert train_teacher_first(tmp_path / "run", settings, kept, progress=said) == taught
    assert said.epochs == 0
    train_run(tmp_path / "run", taught)
    # A finished student needs its teacher no more, and one that is overwritten has the same.
    before = (tmp_path / "run-teacher" / "weights.safetensors").stat().st_mtime_ns
    train_teacher_first(tmp_path / "run", settings, kept, overwrite=True)
    assert (tmp_path / "run-teacher" / "weights.safetensors").stat().st_mtime_ns == before
    for file in (tmp_path / "run-teacher").iterdir():
        file.unlink()
    train_teacher_first(tmp_path / "run", settings, kept)
    assert list((tmp_path / "run-teacher").iterdir()) == []


def test_a_snapshot_of_it_may_teach(settings, tmp_path):
    settings = changed(settings, teacher=RunTeacher(run="wide_cnn", epoch=1))
    taught = train_teacher_first(tmp_path / "run", settings, Circumstances())
    assert RunDirectory(tmp_path / "run-teacher").snapshots() == [1]
    assert train_run(tmp_path / "run", taught).epochs == settings.recipe.epochs


def test_what_is_wrong_with_the_student_is_found_before_its_teacher_is_trained(settings, tmp_path):
    wrong = changed(settings, weights=str(tmp_path / "none.pth"))
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        train_teacher_first(tmp_path / "run", wrong, Circumstances())
    with pytest.raises(ValueError, match="`teacher` to be the name of a known model"):
        unknown = changed(settings, teacher=RunTeacher(run="timm/resnet0"))
        train_teacher_first(tmp_path / "run", unknown, Circumstances())
    assert not (tmp_path / "run-teacher").exists()


def test_a_run_of_that_name_is_a_run(settings, finished_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wide_cnn").symlink_to(finished_run.path)
    assert train_teacher_first("run", settings, Circumstances()) == settings
    assert not (tmp_path / "run-teacher").exists()


def test_the_command_line_does_both(tmp_path, capsys):
    command = ["train", "--out", str(tmp_path / "run"), "--method", "normal_kd", "--epochs", "1"]
    command += ["--train-size", "60", "--teacher", "wide_cnn"]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert f"wide_cnn is trained first, in {tmp_path / 'run-teacher'}" in printed.err
    assert printed.out.count("The run is finished.") == 1
    assert main(command) == 0
    assert "The run was finished before." in capsys.readouterr().out

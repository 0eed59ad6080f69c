"""A run's own settings.json, given back, trains the same run."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from own_parts import changed
from safetensors.torch import load_file

from tfkd.data import DataSettings
from tfkd.runs import (
    AdamW,
    Circumstances,
    MethodSettings,
    OneCycle,
    Recipe,
    RunDirectory,
    RunSettings,
    RunTeacher,
    Step,
    WeightsTeacher,
    make_run,
)
from tfkd.runs.written import read_written
from tfkd.train import train_run

pytestmark = pytest.mark.usefixtures("one_thread")

PLAIN = RunSettings(
    Recipe(
        data=DataSettings("digits", train_size=60, validation_fraction=0.1),
        epochs=2,
        batch_size=30,
    ),
    seed=3,
)
SOFT = MethodSettings("knowledge_distillation", "released", {"alpha": 0.5, "temperature": 2.0})


def handed_back(run, out):
    """Train what settings.json says; return settings and circumstances."""
    settings, circumstances = make_run(read_written(run / "settings.json"))
    train_run(out, settings, circumstances)
    a, b = load_file(run / "weights.safetensors"), load_file(out / "weights.safetensors")
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    results = [RunDirectory(path).result() for path in (run, out)]
    assert results[0].test == results[1].test
    assert RunDirectory(out).data() == RunDirectory(run).data()
    return settings, circumstances


@pytest.mark.parametrize(
    "settings",
    [
        PLAIN,
        changed(PLAIN, method=MethodSettings("tf_kd_reg", numbers={"alpha": 1 / 3})),
        changed(PLAIN, optimizer=AdamW(learning_rate=1e-3 / 3), schedule=OneCycle(), mixup=0.3),
        changed(PLAIN, schedule=Step(milestones=(1,), gamma=0.1), gradient_accumulation=2),
        changed(PLAIN, student="plain_cnn", mixed_precision="bf16", cutmix=1.0),
    ],
    ids=["plain", "method", "adamw", "step", "bf16"],
)
def test_it_is_the_same_run(settings, tmp_path):
    circumstances = Circumstances(save_epochs=(1,), workers=0, checkpoint_seconds=3.0)
    train_run(tmp_path / "run", settings, circumstances)
    assert handed_back(tmp_path / "run", tmp_path / "again") == (settings, circumstances)


def test_with_a_teacher_it_is_from_wherever_it_is_read(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    train_run("teacher", PLAIN, Circumstances(save_epochs=(1,)))
    train_run("run", changed(PLAIN, method=SOFT, teacher=RunTeacher(run="teacher", epoch=1)))
    shutil.copy("teacher/weights.safetensors", "w.safetensors")
    file = WeightsTeacher(model="small_cnn", weights="w.safetensors", cache="float32")
    train_run("of-file", changed(PLAIN, method=SOFT, teacher=file))
    monkeypatch.chdir(tmp_path / "there")
    for name in ("run", "of-file"):
        run = tmp_path / "here" / name
        settings, _ = handed_back(run, tmp_path / "there" / name)
        assert settings == RunDirectory(run).settings()
        # Written down it leads to the same teacher, relative to where it is written.
        written = json.loads((tmp_path / "there" / name / "settings.json").read_text())["teacher"]
        place = written["run" if name == "run" else "weights"]
        assert place.startswith(str(Path("..", "..", "here")))
    # A folder of runs may move as a whole.
    (tmp_path / "here").rename(tmp_path / "moved")
    handed_back(tmp_path / "moved" / "run", tmp_path / "moved" / "again")


def test_with_a_folder_of_images_it_is_from_wherever_it_is_read(images, tmp_path, monkeypatch):
    monkeypatch.chdir(images.parent)
    settings, circumstances = make_run(
        {
            "data": "./images",
            "image_size": 8,
            "validation_fraction": 0.0,
            "student": "small_cnn",
            "epochs": 1,
            "batch_size": 12,
        }
    )
    train_run("run", settings, circumstances)
    monkeypatch.chdir("/")
    again = handed_back(images.parent / "run", tmp_path / "again")
    assert again[1].data_root == str(images)


def test_what_is_said_beside_it_has_the_last_word(tmp_path):
    train_run(tmp_path / "run", PLAIN)
    written = read_written(tmp_path / "run" / "settings.json")
    settings, _ = make_run({**written, "seed": 4})
    assert settings == changed(PLAIN, seed=4)

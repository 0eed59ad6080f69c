"""A study that is refused changes nothing, and pairs no runs of other data or settings."""

import hashlib
import json
import re
import shutil

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image
from study_progress import Recording

from tfkd.cli import main
from tfkd.data import DataSettings
from tfkd.runs import Circumstances, MethodSettings, Recipe
from tfkd.study.plan import Arm, Study
from tfkd.study.records import collect
from tfkd.study.run import run_study

FAST = ["--train-size", "40", "--seeds", "1", "--jobs", "1", "--methods", "label_smoothing"]


def every_byte(folder):
    """Digest of each file, and the moment at which it was last changed."""
    return {
        str(file.relative_to(folder)): (
            hashlib.sha256(file.read_bytes()).hexdigest(),
            file.stat().st_mtime_ns,
        )
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", "2"], "1 epochs, as of the run in .*, got 2: it is finished"),
        (["--learning-rate", "0.2"], "learning_rate is 0.1 there, 0.2 here"),
        (["--train-size", "30"], "train_size is 40 there, 30 here"),
        (["--methods", "tf_kd_rag"], "Did you mean tf_kd_reg?"),
        (["--student", "no_such_network"], "no_such_network"),
    ],
)
def test_a_refused_comparison_changes_no_byte(tmp_path, capsys, words, message):
    command = ["compare", "--out", str(tmp_path / "s"), *FAST, "--epochs", "1"]
    assert main(command) == 0
    before = every_byte(tmp_path)
    capsys.readouterr()
    assert main([*command, *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error), error
    assert every_byte(tmp_path) == before


def photographs(folder, *, classes=3, images=12):
    """A folder for each class, of small images that differ."""
    rng = np.random.default_rng(0)
    for label in range(classes):
        (folder / f"class-{label}").mkdir(parents=True)
        for number in range(images):
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"class-{label}" / f"{number:02}.png")


def plan(*methods):
    recipe = Recipe(data=DataSettings("folder", image_size=8), epochs=1, batch_size=8)
    plain = Arm("small_cnn/cross_entropy", MethodSettings(), recipe)
    others = [
        Arm(f"small_cnn/{name}", MethodSettings(name), recipe, baseline=plain.name)
        for name in methods
    ]
    return Study("photos", "Which?", (plain, *others), seeds=1)


def test_a_study_is_not_begun_over_files_of_somebody_else(tmp_path, capsys):
    mine = tmp_path / "small_cnn" / "label_smoothing" / "seed-0" / "weights.safetensors"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    before = every_byte(tmp_path)
    assert main(["compare", "--out", str(tmp_path), *FAST, "--epochs", "1"]) == 2
    assert "weights.safetensors is in the way" in capsys.readouterr().err
    assert every_byte(tmp_path) == before


def test_an_arm_of_other_data_is_not_paired(tmp_path):
    photographs(tmp_path / "photos")
    circumstances = Circumstances(data_root=str(tmp_path / "photos"))
    root = tmp_path / "study"
    options = {"circumstances": circumstances, "progress": Recording(), "jobs": 1}
    assert len(run_study(plan(), root, **options)) == 1
    # Two images of a class change places: same names and sizes of files, other labels nowhere.
    first, second = (tmp_path / "photos" / "class-0" / f"{n:02}.png" for n in (0, 1))
    first.rename(tmp_path / "aside")
    second.rename(first)
    (tmp_path / "aside").rename(second)
    before = every_byte(root)
    with pytest.raises(ValueError, match=r"the data that the run in .* was begun with"):
        run_study(plan("label_smoothing"), root, **options)
    assert every_byte(root) == before
    # Who insists gets runs, and a record of those alone that belong together.
    records = run_study(plan("label_smoothing"), root, **options, other_data=True)
    assert [record.arm for record in records] == ["small_cnn/cross_entropy"]
    _, left_out = collect(plan("label_smoothing"), root)
    assert len(left_out) == 1
    assert left_out[0].startswith("small_cnn/label_smoothing/seed-0: Expected the data")


def test_a_run_of_other_settings_than_the_plans_is_left_out(tmp_path):
    photographs(tmp_path / "photos")
    root = tmp_path / "study"
    circumstances = Circumstances(data_root=str(tmp_path / "photos"))
    study = plan("label_smoothing")
    run_study(study, root, circumstances=circumstances, progress=Recording(), jobs=1)
    longer = study.with_recipes(lambda recipe: replace(recipe, epochs=3))
    records, left_out = collect(longer, root)
    assert records == []
    assert [line.partition(": ")[2] for line in left_out] == [
        "Expected a run of the settings in the plan, got one of others."
    ] * 2


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    root = tmp_path_factory.mktemp("compared")
    assert main(["compare", "--out", str(root), *FAST, "--epochs", "1"]) == 0
    return root


DAMAGES = {
    "result.json": lambda values: {**values, "seconds": 1e308},
    "environment.json": lambda values: {**values, "threads": "many"},
    "metrics.jsonl": lambda values: {**values, "train_accuracy": None},
    "settings.json": lambda values: {**values, "seed": -1},
    "data.json": lambda values: {**values, "std": [float("nan")]},
    "SHA256SUMS": None,
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_run_is_named_and_costs_no_other(name, compared, sealed, tmp_path, capsys):
    shutil.copytree(compared, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "small_cnn/label_smoothing/seed-0" / name
    if name == "SHA256SUMS":
        file.unlink()
    else:
        file.write_text(json.dumps(DAMAGES[name](json.loads(file.read_text()))))
        sealed(file.parent)
    capsys.readouterr()
    assert main(["report", str(tmp_path)]) == 1
    left_out = capsys.readouterr().err
    assert left_out.startswith("tfkd: left out of compare: small_cnn/label_smoothing/seed-0")
    assert left_out.count("\n") == 1
    assert str(file) in left_out
    assert "1 of 2 finished" in (tmp_path / "compare.md").read_text()
    (record,) = (tmp_path / "compare.jsonl").read_text().splitlines()
    assert json.loads(record)["method"] == "cross_entropy"
    # How far a study is, results say.
    damaged = name in ("result.json", "SHA256SUMS")
    assert main(["study", "status", str(tmp_path)]) == damaged
    output = capsys.readouterr()
    assert output.err == (left_out if damaged else "")
    assert f"{2 - damaged} of 2 runs finished" in output.out


@pytest.mark.parametrize("command", ["compare", "tune"])
def test_a_directory_of_one_run_takes_no_others(command, tmp_path, capsys):
    run = str(tmp_path / "run")
    small = ["--train-size", "40", "--epochs", "1", "--student", "own_parts:linear"]
    assert main(["train", "--out", run, *small]) == 0
    before = every_byte(tmp_path)
    capsys.readouterr()
    assert main([command, "--out", run, "--methods", "label_smoothing", *small]) != 0
    assert "directory for many runs" in capsys.readouterr().err
    assert every_byte(tmp_path) == before

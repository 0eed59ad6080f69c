"""Commands on images that may have several labels, as they are typed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfkd.cli import main
from tfkd.runs import RunDirectory
from tfkd.runs.written import read_written

NAMES = ("haze", "clear", "water")
FEW = ["--student", "small_cnn", "--image-size", "8", "--epochs", "1", "--batch-size", "8"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four images, and a table of their tags as Kaggle has them."""
    folder = tmp_path_factory.mktemp("cli-several") / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = ["image_name,tags"]
    for number in range(24):
        has = rng.random(3) < 0.5
        pixels = rng.integers(0, 140, (8, 8, 3)) + 100 * has
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02}.png")
        lines.append(f"{number:02}.png,{' '.join(np.array(NAMES)[has])}")
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli-runs") / "run"
    table = ["--labels", str(photos / "t.csv"), "--label-separator", " "]
    assert main(["train", *table, *FEW, "--method", "ls", "--out", str(path)]) == 0
    return path


def test_a_run_says_what_it_found_and_came_to(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    command = ["train", "--labels", str(photos / "t.csv"), "--label-separator", " ", *FEW]
    assert main([*command, "--method", "tf_kd_reg", "--out", str(path)]) == 0
    captured = capsys.readouterr()
    assert "3 labels, an image may have several" in captured.err
    assert "an image has the labels that ' ' divides" in captured.err
    assert "validation mAP" in captured.err
    metrics = RunDirectory(path).result().multi_label.test  # type: ignore[union-attr]
    assert metrics is not None
    assert f"mAP      {100 * metrics.mean_average_precision:7.2f} %" in captured.out
    assert f"Brier    {metrics.brier:9.4f}" in captured.out
    assert "after T" in captured.out
    assert max(map(len, captured.out.splitlines()[:-1])) <= 80
    assert main([*command, "--method", "tf_kd_reg", "--out", str(path)]) == 0
    assert "The run was finished before." in capsys.readouterr().out


@pytest.mark.parametrize("separator", [" ", "|", ";", ", "])
def test_a_file_of_options_says_the_same(
    separator: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--data", "folder", "--data-root", "/photos", "--labels", "/t.csv"]
    words += ["--label-separator", separator]
    assert main([*words, "--print-config"]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "config.yaml").write_text(printed)
    config = ["train", "--config", str(tmp_path / "config.yaml")]
    assert main([*config, "--print-config"]) == 0
    assert capsys.readouterr().out == printed
    assert read_written(tmp_path / "config.yaml")["recipe"]["data"]["label_separator"] == separator
    assert main([*config, "--data", "digits", "--print-config"]) == 0
    assert "label" not in capsys.readouterr().out  # nor the table


def test_a_teacher_may_be_named(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--labels", str(photos / "t.csv"), "--label-separator", " ", *FEW]
    more = ["--method", "kd", "--teacher", "wide_cnn", "--out", str(tmp_path / "run")]
    assert main([*command, *more]) == 0
    assert "The teacher wide_cnn is trained; now it teaches." in capsys.readouterr().err
    assert RunDirectory(tmp_path / "run-teacher").result().multi_label is not None  # type: ignore[union-attr]


def test_it_is_evaluated_label_by_label(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "labels.csv"
    assert main(["evaluate", str(run), "--json", "--csv", str(file)]) == 0
    found = json.loads(capsys.readouterr().out)
    result = RunDirectory(run).result()
    assert found["metrics"]["nll"] == result.multi_label.test.nll  # type: ignore[union-attr]
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert [row["label"] for row in rows] == sorted(NAMES)
    assert [int(row["images"]) for row in rows] == [own["images"] for own in found["labels"]]
    assert main(["evaluate", str(run)]) == 0
    text = capsys.readouterr().out
    assert "label  average precision %  AUROC %    F1 %  images" in text
    assert main(["evaluate", str(run), "--on", str(tmp_path)]) == 2
    assert "Expected no --on for a run with several labels" in capsys.readouterr().err


def test_predictions_name_every_label(
    run: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(photos / "03.png")
    assert main(["predict", str(run), file, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    probabilities = {own["label"]: own["probability"] for own in row["predictions"]}
    assert set(probabilities) == set(NAMES)
    taken = sorted((name for name in NAMES if probabilities[name] > 0.5), key=probabilities.get)
    assert row["labels"] == taken[::-1]
    assert main(["predict", str(run), file, "none.png", "--csv", "-"]) == 1
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0]["labels"] == "; ".join(row["labels"])
    assert float(rows[0]["probability_3"]) == min(probabilities.values())
    assert rows[1]["labels"] == ""
    assert "none.png" in rows[1]["error"]
    assert main(["predict", str(run), file]) == 0
    text = capsys.readouterr().out
    assert all((name in text) == (name in row["labels"]) for name in NAMES)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["compare"], "Expected images with one label each for a study or a comparison"),
        (["compare", "--methods", "all"], "Expected images with one label each"),
        (["tune"], "Expected images with one label each to choose settings, got --label-separator"),
        (["compare", "--tune", "2"], "Expected images with one label each for a study"),
        (["tune", "--dry-run"], "Expected images with one label each to choose settings"),
        (["recommend", "folder"], "Expected images with one label each to recommend a method"),
        (["recommend", "folder", "--dry-run"], "Expected images with one label each to recommend"),
        (["study", "run", "scale", "--data", "folder"], "Expected images with one label each for"),
        (["train", "--out", "x", "--method", "ols"], "cross_entropy, label_smoothing"),
        (["train", "--out", "x", "--mixup", "0.2"], "no --mixup where an image may have several"),
    ],
)
def test_what_is_for_one_label_is_refused(
    photos: Path, command: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = ["--labels", str(photos / "t.csv"), "--label-separator", " "]
    assert main([*command, *table, *FEW]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_a_page_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run)]) == 2
    assert f"tfkd evaluate {run} measures it" in capsys.readouterr().err
    assert main(["train", "--data", str(run), "--label-separator", ";", "--out", "x"]) == 2
    assert "Expected --labels, the table, beside --label-separator" in capsys.readouterr().err

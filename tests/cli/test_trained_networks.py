"""Commands on a trained network: predict, evaluate, export; in 80 columns, in JSON, in CSV."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.cells import cell_len

from tfkd.cli import main
from tfkd.report.terminal.evaluation import class_csv, evaluation_lines
from tfkd.report.terminal.predictions import csv_lines, json_lines, table_lines
from tfkd.runs.files import to_json
from tfkd.train import Prediction
from tfkd.train.trained.evaluation import evaluation_of

RUN = str(Path(__file__).parents[2] / "results" / "one-run")
STRANGE = os.fsdecode(b"a\x1b[2Jb\n\xff.png")
SPELT = r"a\x1b[2Jb\n\udcff.png"


def write(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("L", (9, 9), 40 * number % 256).save(folder / name, "PNG")
    return folder


def test_a_folder_is_its_images(tmp_path, capsys):
    folder = write(tmp_path / "photos", "b.png", "a.png")
    write(folder / "more", "c.png")
    (folder / "notes.txt").write_text("no image")
    (folder / "more" / "list.csv").write_text("no image")
    alone = write(tmp_path, "z.png") / "z.png"
    assert main(["predict", RUN, str(folder), str(alone), "--json", "--top", "1"]) == 0
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    wanted = [folder / "a.png", folder / "b.png", folder / "more" / "c.png", alone]
    assert [row["file"] for row in rows] == [str(path) for path in wanted]
    assert captured.err == (
        f"tfkd: in {folder} left out, 2: text, tables and annotations: more/list.csv, notes.txt\n"
    )
    assert main(["predict", RUN, str(folder), str(alone), "--top", "1", "--workers", "2"]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert max(map(len, lines)) <= max(80, len(str(wanted[2])))
    assert [line for line in lines if line.startswith("/")] == [str(path) for path in wanted]


def test_the_good_ones_are_answered(tmp_path, capsys):
    folder = write(tmp_path, "good.png", STRANGE)
    (folder / "bad.png").write_bytes(b"no image")
    files = [str(folder / name) for name in ("bad.png", STRANGE, "good.png", "none\x1b.png")]
    assert main(["predict", RUN, *files, "--json"]) == 1
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert [sorted(row) for row in rows] == [
        ["error", "file"],
        ["file", "predictions"],
        ["file", "predictions"],
        ["error", "file"],
    ]
    assert rows[1]["file"] == f"{folder}/{SPELT}"
    errors = captured.err.splitlines()
    assert [str(folder / "bad.png") in errors[0], r"none\x1b.png" in errors[1]] == [True, True]
    assert errors[2] == "tfkd: 2 of 4 images have no answer."
    assert main(["predict", RUN, *files]) == 1
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err
    assert f"{folder}/{SPELT}" in captured.out.split("\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main(["predict", RUN, str(empty), files[2]]) == 1
    captured = capsys.readouterr()
    assert str(empty) in captured.err
    assert files[2] in captured.out


def test_a_table_for_a_spreadsheet(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(write(tmp_path, "=1+1.png", "b,c.png", STRANGE))
    names = ["=1+1.png", "b,c.png", STRANGE, "none.png"]
    assert main(["predict", RUN, *names, "--csv", "-", "--top", "2"]) == 1
    text = capsys.readouterr().out
    assert len(text.splitlines()) == 5
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["file"] for row in rows] == ["'=1+1.png", "b,c.png", SPELT, "none.png"]
    assert list(rows[0]) == ["file", "label", "probability", "label_2", "probability_2", "error"]
    assert "none.png" in rows[3]["error"] and rows[3]["label"] == rows[0]["error"] == ""
    assert 1 > float(rows[0]["probability"]) > float(rows[0]["probability_2"]) > 0
    assert main(["predict", RUN, *names, "--csv", "out.csv", "--top", "2"]) == 1
    assert capsys.readouterr().out == "4 images, 1 of them unread: out.csv\n"
    assert Path("out.csv").read_text() == text
    before = Path("b,c.png").read_bytes()
    for words, said in (
        (["--csv", "b,c.png"], "Expected --csv to be a file .csv"),
        (["--csv", "-", "--json"], "Expected --json or --csv, got both"),
        (["--top", "0"], "Expected --top of at least 1"),
        (["--workers", "-1"], "Expected --workers of at least 0"),
        (["--workers", "99999"], "got 99999: each is a process of its own"),
    ):
        assert main(["predict", RUN, "none.png", *words]) == 2
        assert said in capsys.readouterr().err
    assert Path("b,c.png").read_bytes() == before
    assert main(["predict", RUN, "b,c.png", "--csv", "none/x.csv"]) == 2
    assert capsys.readouterr().err == (
        "tfkd: error: Expected --csv in a folder that is there, got none/x.csv.\n"
    )


def test_names_come_from_standard_input_and_head_may_close_the_pipe(tmp_path):
    folder = write(tmp_path, *(f"{number:03}.png" for number in range(150)))
    names = b"".join(os.fsencode(path) + b"\n" for path in sorted(folder.iterdir()))
    process = subprocess.Popen(
        [sys.executable, "-m", "tfkd.cli", "predict", RUN, "-", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin and process.stdout and process.stderr
    # A batch is answered while the next names are not there yet.
    first, rest = names[: len(names) // 150 * 64], names[len(names) // 150 * 64 :]
    process.stdin.write(first)
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["file"] == str(folder / "000.png")
    process.stdout.close()
    process.stdin.write(rest)
    process.stdin.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141
    process.stderr.close()


def test_what_fits_is_in_one_line():
    classes = (("猫", 0.9), ("a rather long name of a class", 0.06), ("dog", 0.04))
    files = ["a.jpg", "x" * 50 + ".jpg", "b\x1b.jpg"]
    found = [Prediction(Path(file), classes) for file in files]
    found.insert(1, Prediction(Path("bad.jpg"), error="bad"))
    lines = list(table_lines(found, width=80))
    assert max(map(len, lines)) <= 80
    assert [line.split("  ")[0] for line in lines if line[0] != " "] == [
        "a.jpg",
        "x" * 50 + ".jpg",
        r"b\x1b.jpg",
    ]
    assert sum("a rather long name of a class 6.0 %" in line for line in lines) == 3
    assert [*table_lines([], width=80)] == []


def test_classes_are_escaped_too():
    found = [Prediction(Path("a.jpg"), (("=cmd\u202e", 1.0),), None)]
    (line,) = table_lines(found, width=80)
    assert line == r"a.jpg  =cmd\u202e 100.0 %"
    assert json.loads(next(iter(json_lines(found))))["predictions"][0]["label"] == "=cmd\u202e"
    assert list(csv_lines(found, top=1))[1].startswith("a.jpg,'=cmd")


@pytest.mark.parametrize("classes", [2, 7, 10, 11, 120])
def test_an_evaluation_fits_in_80_columns(classes, chance):
    generator = torch.Generator().manual_seed(chance.randrange(1 << 32))
    labels = torch.cat(
        [torch.arange(classes), torch.randint(0, classes, (60,), generator=generator)]
    )
    labels[labels == 1] = 0  # of which there is then none
    logits = torch.randn(len(labels), classes, generator=generator)
    names = tuple(
        f"a class with a name that is long {n}" if n % 2 else f"猫{n}" for n in range(classes)
    )
    found = evaluation_of(logits, labels, names, measured="there")
    lines = list(evaluation_lines(found))
    assert max(map(cell_len, lines)) <= 80
    text = "\n".join(lines)
    assert (f"balanced {100 * found.balanced_accuracy:7.2f} %" in text) == (classes > 2)
    called = logits.argmax(1).tolist().count(1)
    more = "; for 1 of them others were taken" if called else ""
    assert f"1 of the run's {classes} classes have no image here{more}." in lines
    assert (found.classes[1].precision == 0.0) == bool(called)
    worst = min((s for s in found.classes if s.support), key=lambda score: score.f1)
    assert f"{100 * worst.f1:.1f}" in text
    if classes <= 10:
        rows = lines[lines.index("taken for:") + 2 :]
        cells = [[int(cell.replace("·", "0")) for cell in row.split()[-classes:]] for row in rows]
        assert cells == [list(row) for row in found.confusion]
        assert ("top 5" in text) == (classes > 5)
    else:
        most = max(
            number
            for true, row in enumerate(found.confusion)
            for taken, number in enumerate(row)
            if true != taken
        )
        first = lines[lines.index("most often taken for another class:") + 1]
        assert int(first.split()[0]) == most
        there = classes - (not called)
        said = any(line.startswith(f"The worst 10 of {there} classes") for line in lines)
        assert said == (there > 10)


def test_an_evaluation_as_json_and_csv(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", RUN, "--json", "--csv", "classes.csv"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["samples"] == sum(map(sum, found["confusion"])) == 596
    right = sum(found["confusion"][k][k] for k in range(10))
    assert found["accuracy"] == pytest.approx(right / 596)
    text = Path("classes.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    for row, score in zip(rows, found["classes"], strict=True):
        assert row["class"] == score["name"]
        for name in ("precision", "recall", "f1", "support"):
            assert float(row[name]) == score[name]
    assert main(["evaluate", RUN, "--csv", "-"]) == 0
    assert capsys.readouterr().out == text
    assert main(["evaluate", RUN, "--csv", "weights.safetensors"]) == 2
    assert "--csv" in capsys.readouterr().err
    assert main(["evaluate", RUN, "--csv", "-", "--json"]) == 2
    captured = capsys.readouterr()
    assert (captured.out, "got both" in captured.err) == ("", True)
    assert main(["evaluate", RUN, "--workers", "99999"]) == 2
    assert "Expected at most" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["none/x", "file/x", "file", "link"])
@pytest.mark.parametrize("command", ["report", "export"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path, capsys, command, place):
    (tmp_path / "none").symlink_to("nowhere")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "file").write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    assert main([command, RUN, "--out", str(tmp_path / place)]) in (1, 2)
    said = capsys.readouterr().err
    assert said.startswith("tfkd: error: Expected --out to be a ")
    assert str(tmp_path / place.partition("/")[0]) in said
    assert "Errno" not in said and ".tmp" not in said
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "kept"


def test_a_link_to_an_empty_folder_is_exported_into(tmp_path, capsys):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    assert main(["export", RUN, "--out", str(tmp_path / "link")]) == 0
    assert (tmp_path / "there" / "README.txt").is_file()


@pytest.mark.parametrize("command", ["evaluate", "predict", "report", "export"])
def test_a_run_that_lacks_its_data_says_what_to_delete(tmp_path, capsys, command):
    run = tmp_path / "run"
    shutil.copytree(RUN, run)
    (run / "data.json").unlink()
    words = {"predict": ["a.png"], "export": ["--out", str(tmp_path / "out")]}
    assert main([command, str(run), *words.get(command, [])]) == 1
    assert capsys.readouterr().err == (
        f"tfkd: error: Expected {run / 'data.json'}, which every run has, found no such file. "
        f"Restore it, or delete the directory {run} to train this run anew.\n"
    )


def test_a_class_that_has_no_image_but_answers_has_a_row():
    logits = torch.tensor([[2.0, 0.0, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]])
    found = evaluation_of(logits, torch.zeros(3, dtype=torch.int64), tuple("abcd"), measured="")
    lines = list(evaluation_lines(found))
    start = next(n for n, line in enumerate(lines) if line.startswith("class"))
    assert [line.split() for line in lines[start + 1 : start + 3]] == [
        ["a", "100.0", "66.7", "80.0", "3"],
        ["b", "0.0", "–", "0.0", "0"],
    ]
    said = "3 of the run's 4 classes have no image here; for 1 of them others were taken."
    assert lines[start + 3] == said
    assert class_csv(found).splitlines()[2:] == ["b,0.0,,0.0,0", "c,,,,0", "d,,,,0"]
    assert json.loads(to_json(found))["classes"][1] == {
        "name": "b",
        "precision": 0.0,
        "recall": None,
        "f1": 0.0,
        "support": 0,
    }
    assert found.macro_f1 == pytest.approx(0.8)  # of the one class that has images


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", RUN, "--files", "X"], "Expected no --files: FILES is said alone, as tfkd pre"),
        (["predict", "--run", RUN, "X"], "Expected no --run: RUN is said alone, as tfkd predict R"),
        (["predict", RUN, "X", "--csv", "nodir/x.csv"], "Expected --csv in a folder that is there"),
        (["evaluate", RUN, "--csv", "nodir/x.csv"], "Expected --csv in a folder that is there"),
        (["evaluate", RUN, "--csv", "dir.csv"], "Expected --csv to be a file, got the folder dir"),
        (["evaluate", RUN, "--split", "val"], "got 'val'. Did you mean validation?"),
        (["export", RUN], "Expected --out, got none: new or empty directory to write it to.\n"),
    ],
)
def test_what_was_meant_is_said(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    Path("dir.csv").mkdir()
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_measured_on_another_folder(tmp_path, capsys):
    write(tmp_path / "7", "a.png", "b.png")
    write(tmp_path / "3", "c.png")
    assert main(["evaluate", RUN, "--on", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    # However long the path, after which a line may be broken.
    assert out.replace("\n", " ").startswith(f"{tmp_path}, 3 images of 2 of the 10 classes ")
    assert "(66.67 % by always guessing the largest class)" in out
    assert out.endswith(f"explains NLL, ECE, Brier and AURC: tfkd report {RUN}\n")
    assert "balanced" in out
    write(tmp_path / "eight", "c.png")
    assert main(["evaluate", RUN, "--on", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "'eight'" in error and error.count("\n") == 1
    assert main(["evaluate", RUN, "--on", str(tmp_path), "--data", str(tmp_path)]) == 2
    assert "Expected --on, or --split, --data or --other-data, got both." in capsys.readouterr().err


def test_an_export_says_how_near_it_is(tmp_path, capsys):
    out = tmp_path / "weights"
    assert main(["export", RUN, "--format", "safetensors", "--out", str(out)]) == 0
    first, few, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{out / 'model.safetensors'}: checked, logits within 0 of the run's")
    assert few.startswith("T, fitted on 120 validation images")
    assert last.endswith(str(out / "README.txt"))
    assert main(["export", RUN, "--format", "safetensors", "--out", str(out)]) == 2
    assert "Expected --out to be a new or empty folder" in capsys.readouterr().err
    assert main(["export", RUN, "--format", "tflite", "--out", str(tmp_path / "x")]) == 2
    assert "--format to be one of safetensors, torch-export, onnx" in capsys.readouterr().err

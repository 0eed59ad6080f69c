"""Runs are tied to their data, and to no place."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfkd.cli import main
from tfkd.runs import RunDirectory

NET = ["--student", "small_cnn", "--image-size", "16", "--augmentation", "none"]
TRAIN = ["train", *NET, "--epochs", "1", "--batch-size", "8", "--learning-rate", "0.05"]


def write_images(folder: Path, seed: int, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    rng = np.random.default_rng(seed)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that was made with `--data ./d`, from the folder `home`; the test starts in another."""
    write_images(tmp_path / "home" / "d", seed=0)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    assert main([*TRAIN, "--data", "./d", "--out", "run"]) == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "home" / "run"


def _refused(words: list[object], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_run_is_measured_from_anywhere(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = RunDirectory(run).stored()
    assert stored.circumstances.data_root == str(run.parent / "d")
    assert stored.recipe.data.name == "folder"
    write_images(Path("d"), seed=1)  # is not looked at
    assert main(["evaluate", str(run)]) == 0
    _refused(["evaluate", run, "--data", "./d"], "train images, got others", capsys)
    assert main(["evaluate", str(run), "--data", "./d", "--other-data"]) == 0
    Path("d/notes.txt").write_text("no image")
    capsys.readouterr()
    assert main(["evaluate", str(run), "--on", "d", "--json"]) == 0
    captured = capsys.readouterr()
    assert "notes.txt" in captured.err and captured.err.count("\n") == 1
    assert "notes.txt" in json.loads(captured.out)["remarks"][0]
    shutil.rmtree("d")
    write_images(Path("d"), seed=0, classes=("dog", "elk"))
    for words in ([], ["--other-data"]):
        _refused(["evaluate", run, "--data", "./d", *words], "classes ['cat', 'dog']", capsys)


def test_a_folder_that_moved_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run.parent / "d").rename("moved")
    capsys.readouterr()
    assert main(["evaluate", str(run)]) == 2
    assert str(run.parent / "d") in capsys.readouterr().err
    assert main(["evaluate", str(run), "--data", "moved"]) == 0
    words = [*TRAIN, "--out", str(run)]
    assert main([*words, "--data", "moved"]) == 0
    assert "finished before" in capsys.readouterr().out
    again = ["train", "--config", str(run / "settings.json"), "--out", "again"]
    assert main(again) == 2
    assert main([*again, "--data", "moved"]) == 0
    weights = [(path / "weights.safetensors").read_bytes() for path in (run, Path("again"))]
    assert weights[0] == weights[1]
    shutil.rmtree("again")
    assert main([*again, "--data-root", "moved"]) == 0


@pytest.mark.parametrize("moved", ["d/img", "d"])
@pytest.mark.parametrize("said", [True, False])
def test_images_of_a_table_moved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], moved: str, said: bool
) -> None:
    """With their table or without it, of a run that was told where they start from, or not."""
    folder = write_images(tmp_path / "d" / "img", seed=0).parent
    names = sorted(path.relative_to(folder / "img") for path in folder.glob("img/*/*.png"))
    rows = [f"{name},{name.parent}" for name in names]
    (folder / "labels.csv").write_text("\n".join(["path,label", *rows]))
    run = str(tmp_path / "run")
    words = ["--labels", str(folder / "labels.csv"), *(["--data", f"{folder}/img"] * said)]
    assert main([*TRAIN, *words, "--out", run]) == 0
    (tmp_path / "new").mkdir()
    (tmp_path / moved).rename(tmp_path / "new" / moved.rpartition("/")[2])
    now = next((tmp_path / "new").glob("**/img"))
    assert main(["evaluate", run]) in (1, 2)
    assert main(["evaluate", run, "--data", str(now)]) == 0
    page = tmp_path / "page"
    assert main(["report", run, "--out", str(page), "--data", str(now)]) == 0
    assert "not at hand" not in (page / "report.md").read_text()
    capsys.readouterr()
    shutil.rmtree(now / "cat")
    assert main(["evaluate", run, "--data", str(now)]) == 1
    assert "10 of 20 are not there" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--data", "none"],
        ["--data", "./none"],
        ["--train-dir", "none"],
        ["--labels", "none.csv"],
        ["--labels", __file__, "--data", "./none"],
    ],
)
def test_a_place_that_is_not_there_is_a_wrong_value(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    _refused([*TRAIN, *words, "--out", "run"], "none", capsys)
    assert not Path("run").exists()


def test_a_path_starts_at_the_root_of_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    big = write_images(tmp_path / "big" / "pets", seed=0).parent
    monkeypatch.chdir(tmp_path)
    for number, words in enumerate((["--data", "pets"], ["--data", "./pets"])):
        out = tmp_path / str(number)
        assert main([*TRAIN, *words, "--data-root", "big", "--out", str(out)]) == 0
        assert RunDirectory(out).stored().circumstances.data_root == str(big / "pets")
        assert RunDirectory(out).data().name == "pets"
        assert main(["evaluate", str(out)]) == 0


def test_a_run_directory_takes_text_and_gives_a_network_that_is_ready(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    model = RunDirectory("run").load_model()
    assert not any(module.training for module in model.modules())
    assert repr(RunDirectory("run")) == "RunDirectory('run')"


def test_a_user_without_a_home_trains(tmp_path: Path) -> None:
    program = (
        "import pwd, shlex, sys\n"
        "def unknown(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = unknown\n"
        "from tfkd.cli import main\n"
        "for words in sys.argv[1:]: assert main(shlex.split(words)) == 0\n"
    )
    data = write_images(tmp_path / "data" / "pets", seed=0)
    without = ("HOME", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in without}
    commands = [
        shlex.join([*TRAIN, *words, "--out", str(tmp_path / out)])
        for out, *words in (
            ("own", "--data", str(data)),
            ("known", "--data", "digits", "--train-size", "60"),
        )
    ]
    done = subprocess.run(
        [sys.executable, "-c", program, *commands],
        env={**environment, "TFKD_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for out in ("own", "known"):
        assert RunDirectory(tmp_path / out).result() is not None

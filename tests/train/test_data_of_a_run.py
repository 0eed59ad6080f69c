"""Which data a run is of: images that were changed, renamed, moved or added are noticed."""

import os
import shutil
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from own_parts import changed
from PIL import Image

from tfkd.data import DataSettings, identify, load_data
from tfkd.runs import (
    Circumstances,
    Constant,
    MethodSettings,
    Recipe,
    RunDirectory,
    RunSettings,
    RunTeacher,
)
from tfkd.train import evaluate_run, train_run

pytestmark = pytest.mark.usefixtures("one_thread")

DATA = DataSettings("folder", image_size=8, validation_fraction=0.0)
PLAIN = RunSettings(Recipe(data=DATA, epochs=2, batch_size=12, schedule=Constant()))


def at(images):
    return Circumstances(data_root=str(images), checkpoint_seconds=0.0)


def identity(images):
    return identify(load_data(DATA, root=str(images)))


def swap(one, other):
    one.rename(one.with_name("other.png"))
    other.rename(one)
    one.with_name("other.png").rename(other)


def paint(file):
    Image.fromarray(np.full((8, 8, 3), 7, dtype=np.uint8)).save(file)


CHANGES = {
    "two images have one another's names": (
        lambda root: swap(root / "train/ant/0.png", root / "train/ant/5.png"),
        "the same 24 train images, got others, or the same in other places",
    ),
    "an image has another name": (
        lambda root: (root / "train/ant/0.png").rename(root / "train/ant/z.png"),
        "the same 24 train images, got others, or the same in other places",
    ),
    "a class has another name": (
        lambda root: [(root / p / "ant").rename(root / p / "zebra") for p in ("train", "test")],
        "classes ['ant', 'bee', 'cat'], got ['bee', 'cat', 'zebra']",
    ),
    "an image has other pixels": (
        lambda root: paint(root / "train/bee/3.png"),
        "the same 24 train images, got others",
    ),
    "an image of the test split has": (
        lambda root: paint(root / "test/bee/1.png"),
        "the same 6 test images, got others",
    ),
    "an image is of another class": (
        lambda root: (root / "train/ant/7.png").rename(root / "train/bee/8.png"),
        "the same 24 train images, got others",
    ),
    "there is one more": (lambda root: paint(root / "train/ant/8.png"), "24 train images, got 25"),
    "there is one less": (
        lambda root: (root / "test/cat/0.png").unlink(),
        "6 test images, got 5",
    ),
}


@pytest.fixture
def runs(images, interrupt, tmp_path):
    """A finished run of the images, and one of which an epoch is trained."""
    one, other = tmp_path / "finished", tmp_path / "begun"
    train_run(one, PLAIN, at(images))
    with pytest.raises(KeyboardInterrupt):
        train_run(other, PLAIN, at(images), progress=interrupt(1))
    return one, other


@pytest.mark.parametrize("what", CHANGES)
def test_other_data_are_refused_in_words_unless_they_are_meant(what, runs, images, tree, interrupt):
    finished, begun = runs
    result = RunDirectory(finished).result()
    assert evaluate_run(finished).accuracy == result.test.accuracy
    before = tree(finished), tree(begun)
    change, words = CHANGES[what]
    change(images)
    for run in runs:
        with pytest.raises(ValueError, match="Expected the data that the run in") as caught:
            train_run(run, PLAIN, at(images))
        assert words in str(caught.value)
        assert str(run) in str(caught.value)
        assert "--other-data" in str(caught.value)
    with pytest.raises(ValueError, match="Expected the data of the run in") as caught:
        evaluate_run(finished)
    assert words in str(caught.value)
    assert (tree(finished), tree(begun)) == before
    # For those who mean it.
    assert train_run(finished, PLAIN, at(images), other_data=True) == result
    progress = interrupt()
    train_run(begun, PLAIN, at(images), other_data=True, progress=progress)
    assert 0 < progress.steps <= 4
    assert RunDirectory(begun).data() == identity(images)
    if "class has" in what:  # of which the network knows nothing
        with pytest.raises(ValueError, match="classes"):
            evaluate_run(finished, other_data=True)
    else:
        evaluate_run(finished, other_data=True)


def test_the_same_images_elsewhere_are_the_same_data(runs, images, tmp_path):
    finished, begun = runs
    moved = tmp_path / "moved" / "under another name"
    shutil.copytree(images, moved)
    shutil.rmtree(images)
    assert train_run(finished, PLAIN, at(moved)).epochs == 2
    assert train_run(begun, PLAIN, at(moved)).test == RunDirectory(finished).result().test
    assert RunDirectory(begun).stored().circumstances.data_root == str(moved)
    with pytest.raises(FileNotFoundError, match=str(images)):
        evaluate_run(finished)
    measured = evaluate_run(finished, data_root=str(moved))
    assert measured.accuracy == RunDirectory(finished).result().test.accuracy


def test_a_finished_run_answers_where_its_data_are_gone(runs, images):
    shutil.rmtree(images)
    assert train_run(runs[0], PLAIN, at(images)) == RunDirectory(runs[0]).result()
    with pytest.raises(FileNotFoundError, match=str(images)):
        train_run(runs[1], PLAIN, at(images))


def test_another_folder_of_the_same_settings_is_another_run(runs, images, tmp_path):
    other = tmp_path / "other"
    for part in ("train", "test"):
        for name in ("oak", "elm"):
            (other / part / name).mkdir(parents=True)
            for number in range(3):
                paint(other / part / name / f"{number}.png")
    for run in runs:
        with pytest.raises(ValueError, match=r"classes \['ant', 'bee', 'cat'\], got \['elm', 'oak"):
            train_run(run, PLAIN, at(other))


def test_a_place_is_written_down_so_that_it_is_found_from_anywhere(images, tmp_path, monkeypatch):
    monkeypatch.chdir(images.parent)
    train_run("run", PLAIN, Circumstances(data_root=images.name))
    assert RunDirectory("run").stored().circumstances.data_root == str(images)
    monkeypatch.chdir("/")
    assert evaluate_run(tmp_path / "run").accuracy >= 0.0


def test_a_teacher_may_not_have_seen_what_its_student_is_tested_on(runs, images, tmp_path):
    teacher, _ = runs
    method = MethodSettings("knowledge_distillation")
    taught = changed(PLAIN, method=method, teacher=RunTeacher(run=str(teacher)))
    paint(images / "train/bee/3.png")
    train_run(tmp_path / "trained on others", taught, at(images))
    paint(images / "test/bee/1.png")
    student = tmp_path / "student"
    with pytest.raises(ValueError, match=r"`teacher` of data with the same test split.*--other-da"):
        train_run(student, taught, at(images))
    assert not student.exists()
    train_run(student, taught, at(images), other_data=True)
    (images / "test/cat").rename(images / "test/dog")
    (images / "train/cat").rename(images / "train/dog")
    with pytest.raises(ValueError, match="`teacher` with the student's classes"):
        train_run(tmp_path / "next", taught, at(images), other_data=True)


# What was read of files is remembered.


@pytest.fixture
def old(images):
    """The images, as if they were made an hour ago."""
    for file in images.rglob("*.png"):
        os.utime(file, (time.time() - 3600,) * 2)
    return images


@pytest.fixture
def memory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tfkd"


def put(file, content):
    """Change a file, and put its time of change back."""
    stat = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_file_of_the_same_size_and_time_is_not_read_again(old, memory):
    before = identity(old)
    file = old / "train/ant/0.png"
    content = file.read_bytes()
    # What is seen of it is its header, by which it is an image.
    put(file, content[:-12] + bytes(12))
    assert identity(old) == before
    (memory / "contents.sqlite").unlink()
    assert identity(old) != before
    put(file, content)
    os.utime(file)
    assert identity(old) == before
    put(file, content + b" ")
    assert identity(old) != before


def half_a_memory(memory):
    content = (memory / "contents.sqlite").read_bytes()
    (memory / "contents.sqlite").write_bytes(content[: len(content) // 2])


def a_memory_of_nonsense(memory):
    with sqlite3.connect(memory / "contents.sqlite") as database:
        database.execute("UPDATE contents SET digest = 'x'")
    database.close()


def a_full_memory(memory):
    memory.mkdir(parents=True)
    with sqlite3.connect(memory / "contents.sqlite") as database:
        database.execute(
            "CREATE TABLE contents (path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, "
            "digest BLOB)"
        )
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON contents BEGIN "
            "SELECT RAISE(ABORT, 'no room'); END"
        )
    database.close()


@pytest.mark.parametrize(
    "damage",
    [
        half_a_memory,
        a_memory_of_nonsense,
        a_full_memory,
    ],
)
def test_without_a_memory_everything_is_read(damage, old, memory, tmp_path, monkeypatch):
    if damage in (half_a_memory, a_memory_of_nonsense):
        before = identity(old)
    damage(memory)
    found = identity(old)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    assert identity(old) == found
    if damage in (half_a_memory, a_memory_of_nonsense):
        assert found == before


def test_who_has_no_home_reads_everything(old, monkeypatch):
    before = identity(old)

    def nobody(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(RuntimeError):
        Path.home()
    assert identity(old) == before
    with pytest.raises(FileNotFoundError, match="--data-root"):
        load_data(replace(DATA, name="cifar10"))

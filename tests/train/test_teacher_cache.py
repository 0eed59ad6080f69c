"""A run that is taught from a cache ends where one ends whose teacher is asked at every step."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest
import torch
from safetensors.torch import load_file, save_file

from tfkd.data import Augmentation, DataSettings, load_data
from tfkd.models import create_model
from tfkd.runs import MethodSettings, RunDirectory, RunSettings, TeacherSettings
from tfkd.teachers import CachedTeacher
from tfkd.train import train_run
from tfkd.train.progress import Silent
from tfkd.train.teacher_cache import (
    CPU_BATCH,
    cache_identity,
    cache_path,
    cached_teacher,
    in_batches_that_fit,
)
from tfkd.train.teacher_network import load_teacher

DATA = DataSettings("digits", train_size=100, views=2)
PLAIN = RunSettings(data=DATA, epochs=1, batch_size=40)


class Asked(Silent):
    """Notes how often the teacher was asked."""

    def __init__(self):
        self.answers = []

    def teacher(self, done, total):
        self.answers.append((done, total))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "teacher"
    train_run(path, PLAIN)
    return path


@pytest.fixture
def teacher(trained, tmp_path):
    """A teacher of one's own, without caches."""
    path = tmp_path / "teacher"
    path.mkdir()
    for name in ("settings.json", "data.json", "weights.safetensors", "result.json"):
        (path / name).write_bytes((trained / name).read_bytes())
    return path


@pytest.fixture
def augmented(monkeypatch):
    """Digits that are cropped and rotated."""
    monkeypatch.setattr(
        "tfkd.data.sources.digits.Augmentation", lambda: Augmentation(crop_padding=1, rotation=10.0)
    )


def taught(teacher, **changes):
    cache = changes.pop("cache", "float32")
    settings = dataclasses.replace(
        PLAIN,
        epochs=3,
        method=MethodSettings("knowledge_distillation", alpha=0.7, temperature=2.0),
        teacher=TeacherSettings(str(teacher), cache=cache),
    )
    return dataclasses.replace(settings, **changes)


def caches(teacher):
    return sorted((teacher / "teacher-cache").glob("*/cache.json"))


def difference(one, other):
    a, b = load_file(one / "weights.safetensors"), load_file(other / "weights.safetensors")
    assert a.keys() == b.keys()
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a)


def test_a_float32_cache_gives_the_run_that_the_network_gives(augmented, teacher, tmp_path):
    progress = Asked()
    cached = train_run(tmp_path / "cached", taught(teacher), progress=progress)
    asked = train_run(tmp_path / "asked", taught(teacher, cache="none"))
    assert difference(tmp_path / "cached", tmp_path / "asked") < 1e-4
    assert cached["train"]["loss"] == pytest.approx(asked["train"]["loss"], rel=1e-4)
    # Two views of 100 images, each once.
    assert progress.answers[0] == (0, 200)
    assert progress.answers[-1] == (200, 200)
    assert cached["teacher_cache"]["views"] == 2
    assert cached["teacher_cache"]["total_variation"]["1"]["largest"] == 0.0
    assert "teacher_cache" not in asked
    # The comparison sees the augmentation: other views give another run.
    other = taught(teacher, cache="none", data=dataclasses.replace(DATA, views=None))
    train_run(tmp_path / "other", other)
    assert difference(tmp_path / "cached", tmp_path / "other") > 1e-3


def test_without_a_number_of_views_there_is_one_an_epoch(augmented, teacher, tmp_path):
    settings = taught(teacher, epochs=3, data=dataclasses.replace(DATA, views=None))
    train_run(tmp_path / "cached", settings)
    asked = dataclasses.replace(settings, teacher=TeacherSettings(str(teacher)))
    train_run(tmp_path / "asked", asked)
    assert difference(tmp_path / "cached", tmp_path / "asked") < 1e-4
    (description,) = caches(teacher)
    assert json.loads(description.read_text())["views"] == 3


def test_without_augmentation_there_is_one_view(teacher, tmp_path):
    train_run(tmp_path / "cached", taught(teacher))
    train_run(tmp_path / "asked", taught(teacher, cache="none"))
    assert difference(tmp_path / "cached", tmp_path / "asked") < 1e-4
    (description,) = caches(teacher)
    found = json.loads(description.read_text())
    assert found["views"] == 1
    assert "seed" not in found["identity"]  # nothing is drawn


def paths(teacher, *changes):
    """Where the cache of each run lies."""
    found = []
    for change in changes:
        settings = taught(teacher, **change)
        data = load_data(settings.data)
        identity = cache_identity(settings, data, load_teacher(settings.teacher, data))
        found.append(cache_path(settings.teacher, identity))
    return found


def test_runs_of_one_teacher_data_and_augmentation_share_a_cache(augmented, teacher, tmp_path):
    train_run(tmp_path / "one", taught(teacher))
    progress = Asked()
    printed = MethodSettings("paper_kd", alpha=0.9, temperature=20.0)
    train_run(tmp_path / "two", taught(teacher, method=printed, epochs=2), progress=progress)
    assert progress.answers == []
    assert len(caches(teacher)) == 1
    shared = paths(teacher, {}, {"method": printed}, {"student": "plain_cnn"}, {"epochs": 9})
    assert set(shared) == {caches(teacher)[0].parent}


def test_what_differs_has_a_cache_of_its_own(augmented, teacher):
    changes = [
        {},
        {"cache": "float16"},
        {"seed": 1},
        {"data": dataclasses.replace(DATA, views=1)},
        {"data": dataclasses.replace(DATA, views=None)},
        {"data": dataclasses.replace(DATA, split_seed=1)},
        {"data": dataclasses.replace(DATA, train_size=101)},
        {"data": dataclasses.replace(DATA, augmentation="none")},
        {"mixed_precision": "bf16"},
    ]
    before = paths(teacher, *changes)
    weights = load_file(teacher / "weights.safetensors")
    name = next(name for name in weights if weights[name].is_floating_point())
    weights[name][0] += 1e-6
    save_file(weights, teacher / "weights.safetensors")
    assert len({*before, *paths(teacher, {})}) == len(changes) + 1


def test_a_cache_that_does_not_belong_is_refused(teacher, tmp_path):
    train_run(tmp_path / "one", taught(teacher))
    (description,) = caches(teacher)
    changed = json.loads(description.read_text())
    changed["identity"]["weights"] = "0" * 64
    del changed["sha256"]
    changed["sha256"] = hashlib.sha256(json.dumps(changed).encode()).hexdigest()
    description.write_text(json.dumps(changed))
    with pytest.raises(ValueError, match=r"weights is '0{64}' there"):
        train_run(tmp_path / "two", taught(teacher))
    changed = description.with_name("values.bin")
    changed.write_bytes(changed.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"weights is"):
        train_run(tmp_path / "two", taught(teacher))
    assert not (tmp_path / "two").exists()


def test_a_flipped_bit_is_named_before_training_and_deleting_mends_it(teacher, tmp_path):
    train_run(tmp_path / "one", taught(teacher))
    (description,) = caches(teacher)
    for name in ("values.bin", "positions.bin", "cache.json"):
        file = description.with_name(name)
        whole = file.read_bytes()
        file.write_bytes(whole[:40] + bytes([whole[40] ^ 4]) + whole[41:])
        with pytest.raises(ValueError, match=rf"Expected .*{file}.*Delete the directory"):
            train_run(tmp_path / "two", taught(teacher))
        assert not (tmp_path / "two").exists()
        file.write_bytes(whole)
    file.write_bytes(whole[:40])
    shutil.rmtree(description.parent)
    train_run(tmp_path / "two", taught(teacher))
    assert difference(tmp_path / "one", tmp_path / "two") == 0.0


def test_a_cache_of_an_earlier_version_is_named_with_what_to_delete(teacher, tmp_path):
    train_run(tmp_path / "one", taught(teacher))
    (description,) = caches(teacher)
    values = json.loads(description.read_text())
    del values["sha256"]
    description.write_text(json.dumps(values | {"version": 1}))
    with pytest.raises(ValueError, match=rf"version 2 in .*got 1.*Delete .*{description.parent}"):
        train_run(tmp_path / "two", taught(teacher))


def test_lossy_forms_train_and_state_their_error(teacher, tmp_path):
    for form in ("float16", "top-3"):
        result = train_run(tmp_path / form, taught(teacher, cache=form))
        stated = result["teacher_cache"]
        assert stated["form"] == form
        assert 0.0 < stated["total_variation"]["1"]["largest"] < 0.5
        kept = json.loads((tmp_path / form / "result.json").read_text())
        assert kept["teacher_cache"] == stated


def test_weights_from_a_file_have_their_cache_beside_them(teacher, tmp_path):
    model = create_model("small_cnn", num_classes=10, in_channels=1)
    save_file(model.state_dict(), tmp_path / "mine.safetensors")
    named = TeacherSettings(
        "small_cnn", weights=str(tmp_path / "mine.safetensors"), cache="float32"
    )
    train_run(tmp_path / "run", dataclasses.replace(taught(teacher, epochs=1), teacher=named))
    assert len(list((tmp_path / "mine.teacher-cache").glob("*/cache.json"))) == 1


def test_runs_side_by_side_make_it_once(teacher, before_opening):
    data = load_data(DATA)
    model = load_teacher(taught(teacher).teacher, data)
    (path,) = paths(teacher, {})
    waits, made, found = threading.Event(), threading.Event(), []

    class Place:
        is_main_process = True
        device = torch.device("cpu")

        def autocast(self):
            return torch.autocast("cpu", enabled=False)

    class Making(Asked):
        def teacher(self, done, total):
            super().teacher(done, total)
            made.set()
            assert waits.wait(timeout=30)

    progress = [Making(), Making()]

    def get(number):
        found.append(
            cached_teacher(
                taught(teacher),
                data,
                model,
                accelerator=Place(),
                workers=0,
                progress=progress[number],
            )
        )

    first, second = (threading.Thread(target=get, args=(number,)) for number in range(2))
    first.start()
    assert made.wait(timeout=100)
    before_opening(path.with_suffix(".lock"), waits.set)  # which the first one holds
    second.start()
    first.join()
    second.join()
    assert [bool(one.answers) for one in progress] == [True, False]
    assert [cached.path for cached in found] == [path, path]


def test_label_mixing_is_refused_before_anything_is_done(teacher):
    for name in ("mixup", "cutmix"):
        with pytest.raises(ValueError, match=rf"no `teacher_cache` with {name}"):
            taught(teacher, **{name: 0.2})
        taught(teacher, cache="none", **{name: 0.2})
    with pytest.raises(ValueError, match=r"`teacher_cache` to be none, float32.*got 'zip'"):
        TeacherSettings("x", cache="zip")


def test_no_room_is_said_before_the_teacher_is_asked(teacher, tmp_path, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10, 10, 100 * 10 * 4 - 1))
    progress = Asked()
    with pytest.raises(OSError, match=r"room for a teacher cache of 4e-06 GB"):
        train_run(tmp_path / "run", taught(teacher), progress=progress)
    assert progress.answers == []


def test_batches_shrink_until_they_fit_the_memory_of_an_accelerator():
    tried = []

    def record(batch_size):
        tried.append(batch_size)
        if device.type != "cpu" and batch_size > 64:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    device = torch.device("cuda")
    in_batches_that_fit(record, device, 100)
    assert tried[0] == 100
    assert 32 < tried[-1] <= 64
    in_batches_that_fit(record, device, 10**9)
    assert max(tried) < 10**5
    device = torch.device("cpu")
    in_batches_that_fit(record, device, 10**9)
    assert tried[-1] == 512


def test_settings_of_an_earlier_version_mean_what_it_did(trained, tmp_path):
    values = RunDirectory(trained).settings().to_dict()
    del values["data"]["views"]
    assert RunSettings.from_dict(values) == dataclasses.replace(
        PLAIN, data=dataclasses.replace(DATA, views=None)
    )
    values["teacher"] = {"source": "a", "epoch": None, "weights": None}
    values["method"] = MethodSettings("tf_kd_self").__dict__
    loaded = RunSettings.from_dict(values)
    assert loaded.teacher == TeacherSettings("a", cache="none")
    del values["teacher"]["source"]
    with pytest.raises(ValueError, match=r"TeacherSettings.*source"):
        RunSettings.from_dict(values)
    values["colour"] = "red"
    with pytest.raises(ValueError, match=r"RunSettings.*colour"):
        RunSettings.from_dict(values)


PROGRAM = """
import json, sys, torch
import tfkd.data.sources.digits
from tfkd.data import Augmentation
from tfkd.runs import RunSettings
from tfkd.train import train_run

tfkd.data.sources.digits.Augmentation = lambda: Augmentation(crop_padding=1)
torch.set_num_threads(1)
train_run(sys.argv[1], RunSettings.from_dict(json.load(open(sys.argv[2]))))
"""


def test_the_processes_of_a_run_share_a_cache(teacher, flat_mlp, tmp_path):
    program, settings = tmp_path / "program.py", tmp_path / "settings.json"
    program.write_text(flat_mlp + PROGRAM)
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for cache, launcher in (("float32", torchrun), ("none", [])):
        values = taught(teacher, cache=cache, student="flat_mlp").to_dict()
        settings.write_text(json.dumps(values))
        command = [sys.executable, *launcher, str(program), str(tmp_path / cache), str(settings)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert len(caches(teacher)) == 1
    assert difference(tmp_path / "float32", tmp_path / "none") < 1e-4


HALTING = """
import json, os, sys, time, torch
from tfkd.runs import RunSettings
from tfkd.train import train_run
from tfkd.train.progress import Silent

told = []

def tell(event, arguments):
    file = str(arguments[0]) if event == "open" else ""
    if "teacher-cache" in file and file.endswith(".lock") and not told:
        told.append(file)
        os.write(1, b"waiting\\n")  # for the lock of the cache

sys.addaudithook(tell)
torch.set_num_threads(1)

class Halting(Silent):
    def teacher(self, done, total):
        if done >= float(sys.argv[3]):
            os.write(1, b"asking\\n")
            while True:
                time.sleep(1)

train_run(sys.argv[1], RunSettings.from_dict(json.load(open(sys.argv[2]))), progress=Halting())
"""


# More than a batch that a teacher is asked.
MANY = {"data": dataclasses.replace(DATA, train_size=CPU_BATCH + 100), "epochs": 1}


@pytest.fixture
def start(teacher, tmp_path):
    """Starts a process that trains a run, and halts when its teacher has been asked so often."""
    (tmp_path / "halting.py").write_text(HALTING)
    (tmp_path / "halting.json").write_text(json.dumps(taught(teacher, **MANY).to_dict()))
    started = []

    def start(name, after=float("inf")):
        command = [sys.executable, "halting.py", name, "halting.json", str(after)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, cwd=tmp_path, text=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def asks(process):
    assert process.stdout.readline() == "waiting\n"
    assert process.stdout.readline() == "asking\n"
    return process


def test_sigterm_ends_at_once_who_asks_a_teacher_and_who_waits_for_that(start, teacher, tmp_path):
    asking, waiting = asks(start("run", 40)), start("other")
    assert waiting.stdout.readline() == "waiting\n"
    for process in (waiting, asking):
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143
    assert not (tmp_path / "run").exists() and not (tmp_path / "other").exists()
    assert list((teacher / "teacher-cache").glob("*/*.bin")) == []


def test_a_run_killed_while_it_asks_its_teacher_may_be_started_again(start, teacher, tmp_path):
    for after in (40, MANY["data"].train_size):
        asks(start("run", after)).kill()
        assert caches(teacher) == []
        assert not (tmp_path / "run" / "settings.json").exists()
    assert start("run").wait(timeout=100) == 0
    train_run(tmp_path / "whole", taught(teacher, cache="none", **MANY))
    assert difference(tmp_path / "run", tmp_path / "whole") < 1e-4
    left = {file.name for file in caches(teacher)[0].parent.iterdir()}
    assert left == {"cache.json", "values.bin", "positions.bin"}


def test_where_the_maker_of_a_cache_is_killed_one_of_those_who_wait_makes_it(
    start, teacher, tmp_path
):
    maker = asks(start("maker", after=40))
    waiting = [start(name) for name in ("one", "two")]
    for process in waiting:
        assert process.stdout.readline() == "waiting\n"
    assert caches(teacher) == []
    maker.kill()
    for process in waiting:
        assert process.wait(timeout=100) == 0, process.stderr.read()
    assert len(caches(teacher)) == 1
    assert difference(tmp_path / "one", tmp_path / "two") == 0.0
    CachedTeacher(caches(teacher)[0].parent)


def test_images_from_files_are_cached_as_they_are_drawn(tmp_path):
    from PIL import Image

    generator = torch.Generator().manual_seed(0)
    for label in range(2):
        for number in range(6):
            pixels = torch.randint(256, (12, 12, 3), generator=generator, dtype=torch.uint8)
            file = tmp_path / "images" / str(label) / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.numpy()).save(file)
    data = DataSettings(str(tmp_path / "images"), image_size=8, validation_fraction=0.0, views=2)
    plain = dataclasses.replace(PLAIN, data=data, batch_size=4)
    train_run(tmp_path / "teacher", plain)
    settings = taught(tmp_path / "teacher", data=data, batch_size=4, epochs=3)
    train_run(tmp_path / "cached", settings)
    train_run(
        tmp_path / "asked",
        dataclasses.replace(settings, teacher=TeacherSettings(str(tmp_path / "teacher"))),
    )
    assert difference(tmp_path / "cached", tmp_path / "asked") < 1e-4
    (description,) = caches(tmp_path / "teacher")
    assert "torchvision" in CachedTeacher(description.parent).identity["decoding"]

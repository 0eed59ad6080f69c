"""A run that is taught from a cache ends where one ends whose teacher is asked at every step."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import threading

import pytest
import torch
from msgspec.structs import replace
from own_parts import changed
from safetensors.torch import load_file, save_file
from split_off import Program, pair, written

from tfkd.data import DataSettings, load_data
from tfkd.models import create_model
from tfkd.runs import (
    Circumstances,
    MethodSettings,
    Recipe,
    RunDirectory,
    RunSettings,
    RunTeacher,
    WeightsTeacher,
)
from tfkd.teachers import CachedTeacher
from tfkd.train import train_run
from tfkd.train.accelerator import make_accelerator
from tfkd.train.progress import Silent
from tfkd.train.teacher_cache import (
    cache_identity,
    cache_path,
    cached_teacher,
    in_batches_that_fit,
)
from tfkd.train.teacher_network import load_teacher

NETWORK = {"name": "small_cnn", "num_classes": 10, "in_channels": 1}
DATA = DataSettings("digits", train_size=100, views=2)
CROPPED = replace(DATA, name="own_parts:cropped_digits")
PLAIN = RunSettings(Recipe(data=DATA, epochs=1, batch_size=40))


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
    for name in ("settings.json", "data.json", "weights.safetensors"):
        (path / name).write_bytes((trained / name).read_bytes())
    return path


def taught(teacher, **changes):
    cache = changes.pop("cache", "float32")
    numbers = {"alpha": 0.7, "temperature": 2.0}
    settings = changed(
        PLAIN,
        epochs=3,
        method=MethodSettings("knowledge_distillation", numbers=numbers),
        teacher=RunTeacher(run=str(teacher), cache=cache),
    )
    return changed(settings, **changes)


def caches(teacher):
    return sorted((teacher / "teacher-cache").glob("*/cache.json"))


def difference(one, other):
    a, b = load_file(one / "weights.safetensors"), load_file(other / "weights.safetensors")
    assert a.keys() == b.keys()
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a)


def test_a_float32_cache_gives_the_run_that_the_network_gives(teacher, tmp_path):
    progress = Asked()
    settings = taught(teacher, data=CROPPED)
    cached = train_run(tmp_path / "cached", settings, progress=progress)
    asked = train_run(tmp_path / "asked", taught(teacher, data=CROPPED, cache="none"))
    assert difference(tmp_path / "cached", tmp_path / "asked") < 1e-4
    assert cached.train.loss == pytest.approx(asked.train.loss, rel=1e-4)
    # Two views of 100 images, each once.
    assert progress.answers[0] == (0, 200)
    assert progress.answers[-1] == (200, 200)
    assert cached.teacher_cache.views == 2
    assert cached.teacher_cache.total_variation["1"].largest == 0.0
    assert asked.teacher_cache is None
    # The comparison sees the augmentation: other views give another run.
    other = taught(teacher, cache="none", data=replace(CROPPED, views=None))
    train_run(tmp_path / "other", other)
    assert difference(tmp_path / "cached", tmp_path / "other") > 1e-3


def test_without_a_number_of_views_there_is_one_an_epoch(teacher, tmp_path):
    settings = taught(teacher, epochs=3, data=replace(CROPPED, views=None))
    train_run(tmp_path / "cached", settings)
    asked = changed(settings, teacher=RunTeacher(run=str(teacher)))
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
        settings = taught(teacher, **{"data": CROPPED, **change})
        data = load_data(settings.recipe.data, seed=settings.seed)
        identity = cache_identity(settings, data, load_teacher(settings.teacher, data))
        found.append(cache_path(settings.teacher, identity))
    return found


def test_runs_of_one_teacher_data_and_augmentation_share_a_cache(teacher, tmp_path):
    train_run(tmp_path / "one", taught(teacher, data=CROPPED))
    progress = Asked()
    numbers = {"alpha": 0.9, "temperature": 20.0}
    printed = MethodSettings("knowledge_distillation", "paper", numbers)
    other = taught(teacher, data=CROPPED, method=printed, epochs=2)
    train_run(tmp_path / "two", other, progress=progress)
    assert progress.answers == []
    assert len(caches(teacher)) == 1
    shared = paths(teacher, {}, {"method": printed}, {"student": "plain_cnn"}, {"epochs": 9})
    assert set(shared) == {caches(teacher)[0].parent}


def test_what_differs_has_a_cache_of_its_own(teacher):
    changes = [
        {},
        {"cache": "float16"},
        {"seed": 1},
        {"data": replace(CROPPED, views=1)},
        {"data": replace(CROPPED, views=None)},
        {"data": replace(CROPPED, name="own_parts:shifted_digits")},
        {"data": replace(CROPPED, train_size=101)},
        {"data": replace(CROPPED, augmentation="none")},
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
        stated = result.teacher_cache
        assert stated.form == form
        assert 0.0 < stated.total_variation["1"].largest < 0.5
        assert RunDirectory(tmp_path / form).result().teacher_cache == stated


def test_draws_are_made_at_the_temperature_of_the_method(teacher, tmp_path):
    result = train_run(tmp_path / "run", taught(teacher, cache="sampled-12"))
    (description,) = caches(teacher)
    temperature = taught(teacher).method.numbers["temperature"]
    sampling = json.loads(description.read_text())["sampling"]
    assert sampling == {"temperature": temperature, "seed": taught(teacher).seed}
    assert list(result.teacher_cache.total_variation) == [f"{temperature:g}"]
    train_run(tmp_path / "again", taught(teacher, cache="sampled-12"))
    assert caches(teacher) == [description]
    assert difference(tmp_path / "run", tmp_path / "again") == 0.0


def test_draws_are_refused_where_they_are_not_right_on_average(teacher):
    settings = taught(teacher, cache="sampled-12")
    for name in ("decoupled_kd", "top_two_kd", "normalized_kd", "logit_standardization_kd"):
        with pytest.raises(ValueError, match=rf"no `teacher_cache` of draws with .* {name}"):
            RunSettings(settings.recipe, MethodSettings(name), settings.teacher)


def test_weights_from_a_file_have_their_cache_beside_them(teacher, tmp_path):
    model = create_model("small_cnn", num_classes=10, in_channels=1)
    save_file(model.state_dict(), tmp_path / "mine.safetensors")
    weights = str(tmp_path / "mine.safetensors")
    named = WeightsTeacher(model="small_cnn", weights=weights, cache="float32")
    train_run(tmp_path / "run", changed(taught(teacher, epochs=1), teacher=named))
    assert len(list((tmp_path / "mine.teacher-cache").glob("*/cache.json"))) == 1


def test_runs_side_by_side_make_it_once(teacher):
    data, settings, found = load_data(DATA), taught(teacher), []
    place, model = make_accelerator(settings), create_model(**NETWORK)
    asked, may = threading.Event(), threading.Event()
    times = []

    def answer(module, images):
        times.append(len(images[0]))
        asked.set()
        assert may.wait(timeout=100)

    model.register_forward_pre_hook(answer)

    def get():
        found.append(
            cached_teacher(settings, data, model, accelerator=place, workers=0, progress=Silent())
        )

    first, second = threading.Thread(target=get), threading.Thread(target=get)
    first.start()
    assert asked.wait(timeout=100)
    second.start()
    second.join(timeout=0.5)
    assert second.is_alive()
    assert found == []
    may.set()
    first.join()
    second.join()
    assert times == [100]  # one batch of one view
    assert len(found) == 2
    assert found[0].path == found[1].path


def test_label_mixing_is_refused_before_anything_is_done(teacher):
    for name in ("mixup", "cutmix"):
        with pytest.raises(ValueError, match=rf"no `teacher_cache` with {name}"):
            taught(teacher, **{name: 0.2})
        taught(teacher, cache="none", **{name: 0.2})
    with pytest.raises(ValueError, match=r"`teacher_cache` to be none, float32.*got 'zip'"):
        RunTeacher(run="x", cache="zip")


def test_no_room_is_said_before_the_teacher_is_asked(teacher, tmp_path, monkeypatch):
    from collections import namedtuple

    # Of 100 samples the logits of 10 classes, and of each index up to the largest its row.
    data = load_data(DATA, seed=0)
    needed = 100 * 10 * 4 + 8 * (int(data.train.indices.max()) + 1)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10, 10, needed - 1))
    progress = Asked()
    with pytest.raises(OSError, match=rf"room for a teacher cache of {needed / 1e9:.3g} GB"):
        train_run(tmp_path / "run", taught(teacher), progress=progress)
    assert progress.answers == []
    monkeypatch.undo()
    train_run(tmp_path / "run", taught(teacher))
    (description,) = caches(teacher)
    assert sum(file.stat().st_size for file in description.parent.glob("*.bin")) == needed


def test_batches_shrink_until_they_fit_the_memory_of_an_accelerator():
    tried = []

    def record(batch_size):
        tried.append(batch_size)
        if device.type != "cpu" and batch_size > fits:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    # Each smaller one takes a while, in which memory is cleared.
    device, fits = torch.device("cuda"), 64
    in_batches_that_fit(record, device, 100)
    assert tried[0] == 100
    assert 32 < tried[-1] <= 64
    fits = 4000
    in_batches_that_fit(record, device, 10**9)
    assert 2000 < tried[-1] <= 4000
    assert max(tried) < 10**5
    device = torch.device("cpu")
    in_batches_that_fit(record, device, 10**9)
    assert tried[-1] == 512


PROGRAM = """
import torch
from tfkd.train import train_run

torch.set_num_threads(1)
train_run(run, settings)
"""


def test_the_processes_of_a_run_share_a_cache(teacher, tmp_path):
    # Without batch norm, which sees each process's samples alone.
    settings = taught(teacher, data=CROPPED, student="own_parts:mlp")
    program = written(tmp_path / "program.py", PROGRAM)
    for process in pair(program, run=str(tmp_path / "float32"), settings=settings):
        process.finish()
    asked = taught(teacher, cache="none", data=CROPPED, student="own_parts:mlp")
    train_run(tmp_path / "none", asked)
    assert len(caches(teacher)) == 1
    assert difference(tmp_path / "float32", tmp_path / "none") < 1e-4


HALTING = """
import time, torch
from tfkd.train import train_run
from tfkd.train.progress import Silent

torch.set_num_threads(1)

class Halting(Silent):
    def teacher(self, done, total):
        if done >= after:
            print("asking", flush=True)
            while True:
                time.sleep(1)

train_run(run, settings, progress=Halting())
"""


def halting(teacher, **changes):
    """Of 1081 images: the teacher is asked in three batches, before 0, 512 and 1024 of them."""
    data = replace(DATA, train_size=None)
    return taught(teacher, data=data, student="own_parts:announced", **changes)


@pytest.fixture
def start(teacher, tmp_path):
    """Starts a process that trains a run, and halts when its teacher has been asked so often."""
    file, settings, started = written(tmp_path / "halting.py", HALTING), halting(teacher), []

    def start(name, after=float("inf")):
        values = {"run": str(tmp_path / name), "settings": settings, "after": after}
        started.append(Program(file, f"halting-{len(started)}", **values))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.end()


def asks(process):
    process.wait_for("built")
    process.wait_for("asking")
    return process


def test_sigterm_ends_at_once_who_asks_a_teacher_and_who_waits_for_that(start, teacher, tmp_path):
    asking, waiting = asks(start("run", 512)), start("other")
    waiting.wait_for("built")
    for process in (waiting, asking):
        os.kill(process.pid, signal.SIGTERM)
        assert process.end() == 143
    assert not (tmp_path / "run").exists() and not (tmp_path / "other").exists()
    assert list((teacher / "teacher-cache").glob("*/*.bin")) == []


def test_a_run_killed_while_it_asks_its_teacher_may_be_started_again(start, teacher, tmp_path):
    for after in (512, 1081):  # of 1081
        asking = asks(start("run", after))
        asking.kill()
        asking.end()
        assert caches(teacher) == []
        assert not (tmp_path / "run" / "settings.json").exists()
    start("run").finish()
    train_run(tmp_path / "whole", halting(teacher, cache="none"))
    assert difference(tmp_path / "run", tmp_path / "whole") < 1e-4
    left = {file.name for file in caches(teacher)[0].parent.iterdir()}
    assert left == {"cache.json", "values.bin", "positions.bin"}


def test_where_the_maker_of_a_cache_is_killed_one_of_those_who_wait_makes_it(
    start, teacher, tmp_path
):
    maker = asks(start("maker", after=512))
    waiting = [start(name) for name in ("one", "two")]
    for process in waiting:
        process.wait_for("built")
    assert caches(teacher) == []
    maker.kill()
    for process in waiting:
        process.finish()
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
    data = DataSettings("folder", image_size=8, validation_fraction=0.0, views=2)
    place = Circumstances(data_root=str(tmp_path / "images"))
    plain = changed(PLAIN, data=data, batch_size=4)
    train_run(tmp_path / "teacher", plain, place)
    settings = taught(tmp_path / "teacher", data=data, batch_size=4, epochs=3)
    train_run(tmp_path / "cached", settings, place)
    asked = changed(settings, teacher=RunTeacher(run=str(tmp_path / "teacher")))
    train_run(tmp_path / "asked", asked, place)
    assert difference(tmp_path / "cached", tmp_path / "asked") < 1e-4
    (description,) = caches(tmp_path / "teacher")
    assert "torchvision" in CachedTeacher(description.parent).identity["decoding"]

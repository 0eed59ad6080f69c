"""What a directory lets go on: the same run in any circumstances, and no other."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from own_parts import Poisoned, changed
from safetensors.torch import load_file, save_file

from tfkd.data import DataSettings
from tfkd.runs import (
    SGD,
    AdamW,
    Circumstances,
    Constant,
    Cosine,
    MethodSettings,
    OneCycle,
    Recipe,
    RunDirectory,
    RunSettings,
    RunTeacher,
    Step,
    WeightsTeacher,
)
from tfkd.runs.lock import RunBusyError
from tfkd.train import train_run
from tfkd.train.progress import Silent

pytestmark = pytest.mark.usefixtures("one_thread")

DATA = DataSettings("digits", train_size=60, validation_fraction=0.1)
PLAIN = RunSettings(Recipe(data=DATA, epochs=2, batch_size=30))
OFTEN = Circumstances(checkpoint_seconds=0.0)
SOFT = MethodSettings("knowledge_distillation", numbers={"alpha": 0.5, "temperature": 2.0})


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    path = tmp_path_factory.mktemp("teacher") / "run"
    train_run(path, PLAIN, Circumstances(save_epochs=(1,)))
    return path


@pytest.fixture(scope="module")
def taught(teacher):
    return changed(PLAIN, method=SOFT, teacher=RunTeacher(run=str(teacher)))


def begun(path, settings, interrupt, epoch=1):
    """A run of which so many epochs are trained."""
    with pytest.raises(KeyboardInterrupt):
        train_run(path, settings, OFTEN, progress=interrupt(epoch))
    assert RunDirectory(path).is_begun
    return path


def weights(path):
    return load_file(path / "weights.safetensors")


def same_weights(one, other):
    a, b = weights(one), weights(other)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


OTHERS = {
    "seed": ({"seed": 1}, "seed is 0 there, 1 here"),
    "method": (
        {"method": MethodSettings("label_smoothing")},
        "method.name is 'cross_entropy' there, 'label_smoothing' here",
    ),
    "number": (
        {"method": MethodSettings("cross_entropy", numbers={"scale": 2.0})},
        "method.numbers.scale is 1.0 there, 2.0 here",
    ),
    "student": ({"student": "plain_cnn"}, "recipe.student is 'small_cnn' there, 'plain_cnn' here"),
    "batch size": ({"batch_size": 20}, "recipe.batch_size is 30 there, 20 here"),
    "optimizer": ({"optimizer": AdamW()}, "recipe.optimizer.name is 'sgd' there, 'adamw' here"),
    "learning rate": (
        {"optimizer": SGD(learning_rate=0.2)},
        "recipe.optimizer.learning_rate is 0.1 there, 0.2 here",
    ),
    "schedule": ({"schedule": OneCycle()}, "recipe.schedule.name is 'cosine' there"),
    "data": (
        {"data": DataSettings("digits", train_size=61, validation_fraction=0.1)},
        "recipe.data.train_size is 60 there, 61 here",
    ),
    "epochs": ({"epochs": 3}, "Expected 2 epochs, .*, got 3: "),
    "two at once": ({"epochs": 3, "seed": 1}, "seed is 0 there, 1 here"),
}


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "begun"])
@pytest.mark.parametrize("what", OTHERS)
def test_another_run_is_refused_by_name_and_nothing_is_changed(
    what, finished, interrupt, tree, teacher, tmp_path
):
    run = tmp_path / "run"
    if finished:
        shutil.copytree(teacher, run)
    else:
        begun(run, PLAIN, interrupt)
    before = tree(run)
    changes, message = OTHERS[what]
    with pytest.raises(ValueError, match=message) as caught:
        train_run(run, changed(PLAIN, **changes))
    assert str(run) in str(caught.value)
    assert "--overwrite" in str(caught.value)
    assert tree(run) == before


def test_other_circumstances_are_no_other_run(interrupt, tree, teacher, tmp_path):
    elsewhere = Circumstances(
        data_root=str(tmp_path / "elsewhere"),
        tensorboard=True,
        workers=1,
        checkpoint_seconds=1.0,
    )
    before = tree(teacher)
    assert train_run(teacher, PLAIN, elsewhere) == RunDirectory(teacher).result()
    assert tree(teacher) == before
    run = begun(tmp_path / "run", PLAIN, interrupt)
    progress = interrupt()
    train_run(run, PLAIN, elsewhere, progress=progress)
    assert progress.steps < 4
    same_weights(run, teacher)
    assert RunDirectory(run).stored().circumstances == elsewhere
    assert list((run / "tensorboard").iterdir())


def test_where_a_teacher_lies_is_no_part_of_a_run(interrupt, teacher, taught, tmp_path):
    finished = tmp_path / "finished"
    result = train_run(finished, taught)
    run = begun(tmp_path / "run", taught, interrupt)
    moved = shutil.copytree(teacher, tmp_path / "moved" / "teacher")
    elsewhere = changed(taught, teacher=RunTeacher(run=str(moved)))
    assert train_run(finished, elsewhere) == result
    train_run(run, elsewhere)
    same_weights(run, finished)
    assert RunDirectory(run).settings() == elsewhere
    # Likewise of a file.
    shutil.copy(teacher / "weights.safetensors", tmp_path / "w.safetensors")
    file = WeightsTeacher(model="small_cnn", weights=str(teacher / "weights.safetensors"))
    other = WeightsTeacher(model="small_cnn", weights=str(tmp_path / "w.safetensors"))
    train_run(tmp_path / "file", changed(taught, teacher=file))
    assert train_run(tmp_path / "file", changed(taught, teacher=other)).epochs == 2
    same_weights(tmp_path / "file", finished)


def test_who_teaches_is_part_of_a_run(teacher, taught, tree, tmp_path):
    run = tmp_path / "run"
    train_run(run, taught)
    before = tree(run)
    moved = shutil.copytree(teacher, tmp_path / "moved")
    values = weights(moved)
    next(tensor for tensor in values.values() if tensor.is_floating_point())[:] += 0.01
    save_file(values, moved / "weights.safetensors")
    for other, message in (
        (RunTeacher(run=str(moved)), "weights that taught"),
        (RunTeacher(run=str(teacher), epoch=1), "teacher.epoch is None there, 1 here"),
        (RunTeacher(run=str(teacher), cache="float32"), "teacher.cache is 'none' there"),
    ):
        with pytest.raises(ValueError, match=message):
            train_run(run, changed(taught, teacher=other))
        assert tree(run) == before


def test_a_snapshot_that_a_finished_run_has_not_kept_is_named(teacher, tree):
    before = tree(teacher)
    with pytest.raises(ValueError, match="weights after epoch 2 in"):
        train_run(teacher, PLAIN, Circumstances(save_epochs=(1, 2)))
    assert train_run(teacher, PLAIN, Circumstances(save_epochs=(1,))).epochs == 2
    assert tree(teacher) == before


# A directory in which nothing was trained, and one that is trained anew.


def test_a_run_that_failed_before_its_first_checkpoint_is_no_obstacle(teacher, tmp_path, tree):
    run = tmp_path / "run"
    wild = changed(PLAIN, optimizer=SGD(learning_rate=1e30), schedule=Constant(warmup_epochs=0.0))
    with pytest.raises(FloatingPointError):
        train_run(run, wild)
    assert (run / "settings.json").exists()
    assert (run / "failure.json").exists()
    train_run(run, PLAIN, Circumstances(save_epochs=(1,)))
    same_weights(run, teacher)
    assert set(tree(run)) == set(tree(teacher))


def test_what_a_run_without_a_checkpoint_left_is_not_taken_for_the_next(
    interrupt, teacher, tmp_path, tree
):
    run = tmp_path / "run"
    seldom = Circumstances(save_epochs=(1,), tensorboard=True, checkpoint_seconds=1000.0)
    with pytest.raises(KeyboardInterrupt):
        train_run(run, changed(PLAIN, seed=1), seldom, progress=interrupt(2))
    assert (run / "snapshots" / "epoch-1.safetensors").exists()
    assert not RunDirectory(run).is_begun
    train_run(run, PLAIN)
    same_weights(run, teacher)
    assert RunDirectory(run).snapshots() == []
    assert not (run / "tensorboard").exists()
    assert "epoch-1" not in (run / "SHA256SUMS").read_text()


def test_wrong_settings_can_be_corrected(tmp_path, teacher):
    run = tmp_path / "run"
    low = MethodSettings("tf_kd_reg", numbers={"confidence": 0.05})
    with pytest.raises(ValueError, match="`confidence`"):
        train_run(run, changed(PLAIN, method=low))
    assert not run.exists()
    high = MethodSettings("tf_kd_reg", numbers={"confidence": 0.95})
    assert train_run(run, changed(PLAIN, method=high)).epochs == 2


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "begun"])
def test_overwriting_trains_anew_and_removes_only_what_a_run_has_written(
    finished, interrupt, teacher, taught, tree, tmp_path
):
    run, outside = tmp_path / "run", tmp_path / "outside"
    first = changed(taught, seed=1)
    if finished:
        train_run(run, first, Circumstances(save_epochs=(1, 2), tensorboard=True))
    else:
        begun(run, first, interrupt)
        (run / "snapshots").mkdir()
    (run / "failure.json").write_text("{}")
    (run / "snapshots" / "epoch-1.json").write_text("{}")  # as a study keeps it
    mine = {"notes.txt": "mine", "snapshots/epoch-1.notes": "mine", "snapshots/epoch-best": "mine"}
    mine |= {".notes.tmp": "mine", "weights.safetensors.old": "mine"}
    for name, text in mine.items():
        (run / name).write_text(text)
    # Links to outside are taken away at most, and what they lead to is left alone.
    outside.mkdir()
    (outside / "theirs.txt").write_text("theirs")
    (run / "teacher-cache").symlink_to(outside)
    shutil.rmtree(run / "tensorboard", ignore_errors=True)
    (run / "tensorboard").symlink_to(outside)
    there = tree(outside)
    progress = interrupt()
    train_run(run, PLAIN, overwrite=True, progress=progress)
    assert progress.begun == 0
    assert progress.steps == 4
    same_weights(run, teacher)
    assert tree(outside) == there
    left = tree(run)
    assert {name for name in mine if (run / name).read_text() == "mine"} == set(mine)
    assert set(left) - set(mine) == {
        *(name for name in tree(teacher) if not name.startswith("snapshots/")),
        "teacher-cache",
        "tensorboard",
    }
    assert RunDirectory(run).settings() == PLAIN
    assert train_run(run, PLAIN).epochs == 2


def test_links_of_snapshots_are_not_followed_either(teacher, tree, tmp_path):
    run, outside = shutil.copytree(teacher, tmp_path / "run"), tmp_path / "outside"
    (run / "snapshots").rename(outside)
    (outside / ".epoch-1.safetensors.abcd1234.tmp").write_text("half")
    (run / "snapshots").symlink_to(outside)
    there = tree(outside)
    train_run(run, changed(PLAIN, seed=1), overwrite=True)
    assert tree(outside) == there


def test_a_teacher_cache_of_the_run_before_goes_with_it(teacher, taught, tmp_path):
    run = shutil.copytree(teacher, tmp_path / "run")
    train_run(
        tmp_path / "student", changed(taught, teacher=RunTeacher(run=str(run), cache="float32"))
    )
    assert (run / "teacher-cache").exists()
    train_run(run, changed(PLAIN, seed=1), overwrite=True)
    assert not (run / "teacher-cache").exists()


def test_a_damaged_run_can_be_overwritten(teacher, tmp_path):
    for name in ("result.json", "settings.json", "SHA256SUMS"):
        run = shutil.copytree(teacher, tmp_path / name)
        (run / name).write_text("damaged")
        with pytest.raises(ValueError, match=name):
            train_run(run, PLAIN)
        train_run(run, PLAIN, overwrite=True)
        same_weights(run, teacher)


def test_what_is_wrong_is_found_before_a_run_is_overwritten(teacher, tree):
    before = tree(teacher)
    for wrong in (
        changed(PLAIN, student="magic"),
        changed(PLAIN, method=MethodSettings("tf_kd_reg", numbers={"confidence": 0.05})),
        changed(PLAIN, method=SOFT, teacher=RunTeacher(run=str(teacher / "none"))),
    ):
        with pytest.raises((ValueError, FileNotFoundError)):
            train_run(teacher, wrong, overwrite=True)
        assert tree(teacher) == before


# Another length.

EXACT = {
    "constant": Constant(warmup_epochs=0.5),
    "step": Step(milestones=(1, 3), gamma=0.3, warmup_epochs=0.5),
}


@pytest.mark.parametrize("schedule", EXACT)
@pytest.mark.parametrize("before", [2, 5])
def test_another_length_is_exact_where_the_schedule_does_not_depend_on_it(
    schedule, before, interrupt, tmp_path
):
    settings = changed(
        PLAIN,
        student="plain_cnn",  # has dropout
        schedule=EXACT[schedule],
        mixup=0.2,
        method=MethodSettings("tf_kd_reg"),
    )
    train_run(tmp_path / "whole", changed(settings, epochs=4))
    run = begun(tmp_path / "run", changed(settings, epochs=before), interrupt)
    progress = interrupt()
    result = train_run(run, changed(settings, epochs=4), progress=progress)
    assert progress.begun in (0, 1)
    assert progress.steps < 4 * 2  # it went on
    same_weights(run, tmp_path / "whole")
    whole = RunDirectory(tmp_path / "whole")
    assert result.test == whole.result().test
    assert result.epochs == 4
    assert RunDirectory(run).settings().recipe.epochs == 4
    rates = [[r.learning_rate for r in own.history()] for own in (RunDirectory(run), whole)]
    assert rates[0] == rates[1]


@pytest.mark.parametrize("schedule", [Cosine(), OneCycle()])
def test_another_length_is_refused_where_every_step_would_be_another(
    schedule, interrupt, tree, tmp_path
):
    run = begun(tmp_path / "run", changed(PLAIN, schedule=schedule), interrupt)
    before = tree(run)
    with pytest.raises(ValueError, match=r"got 4: the schedule .* depends on the number of epochs"):
        train_run(run, changed(PLAIN, schedule=schedule, epochs=4))
    assert tree(run) == before


def test_another_length_is_refused_where_it_is_behind_or_over(interrupt, tree, tmp_path):
    settings = changed(PLAIN, schedule=Constant(), epochs=4)
    run = begun(tmp_path / "run", settings, interrupt, epoch=3)
    # After the last checkpoint two epochs lie behind, and all batches of the third.
    before = tree(run)
    with pytest.raises(ValueError, match="got 1: 2 epochs are trained already"):
        train_run(run, changed(settings, epochs=1))
    with pytest.raises(ValueError, match="at most 2 epochs, got 2 batches of the next"):
        train_run(run, changed(settings, epochs=2))
    assert tree(run) == before
    assert train_run(run, changed(settings, epochs=3)).epochs == 3
    before = tree(run)
    with pytest.raises(ValueError, match="got 4: it is finished, and its optimiser is gone"):
        train_run(run, settings)
    assert tree(run) == before


def test_milestones_that_move_with_the_length_are_other_settings(interrupt, tmp_path):
    settings = changed(PLAIN, schedule=Step(milestones=(1,)))
    run = begun(tmp_path / "run", settings, interrupt)
    longer = changed(settings, epochs=4, schedule=Step(milestones=(2,)))
    with pytest.raises(ValueError, match=r"recipe.schedule.milestones is \(1,\) there, \(2,\) h"):
        train_run(run, longer)


def test_a_snapshot_behind_a_shorter_run_is_refused(interrupt, tree, tmp_path):
    settings = changed(PLAIN, schedule=Constant(), epochs=4)
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train_run(run, settings, OFTEN, progress=interrupt(1))
    # As a run that kept it, and was killed before its next checkpoint.
    (run / "snapshots").mkdir()
    shutil.copy(run / "checkpoint.pt", run / "snapshots" / "epoch-3.safetensors")
    before = tree(run)
    with pytest.raises(ValueError, match="got 2: 3 epochs are trained already"):
        train_run(run, changed(settings, epochs=2))
    assert tree(run) == before


def test_a_run_that_stopped_of_its_own_goes_on_at_any_length(interrupt, tmp_path, monkeypatch):
    # Killed in the middle of an epoch by what it is trained with.
    settings = changed(PLAIN, student="own_parts:poisoned", schedule=Constant())
    train_run(tmp_path / "whole", changed(settings, epochs=4))
    monkeypatch.setattr(Poisoned, "forwards", 4)
    with pytest.raises(FloatingPointError, match="epoch 2, batch 2 of 2"):
        train_run(tmp_path / "run", settings, OFTEN)
    monkeypatch.setattr(Poisoned, "forwards", -1)
    train_run(tmp_path / "run", changed(settings, epochs=4))
    same_weights(tmp_path / "run", tmp_path / "whole")


# What is somebody else's.


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        *("settings.json", "data.json", "metrics.jsonl", "checkpoint.pt", "weights.safetensors"),
        *("model.safetensors", "notes.txt", "run-1"),
    ],
)
def test_files_that_no_run_wrote_are_not_written_over(name, overwrite, tree, tmp_path):
    (tmp_path / name).write_text('{"mine": 1}')
    before = tree(tmp_path)
    with pytest.raises(ValueError, match=f"{name}.*Take another directory"):
        train_run(tmp_path, PLAIN, overwrite=overwrite)
    assert tree(tmp_path) == before
    with pytest.raises(ValueError, match=r"Expected a directory at .*, got a file"):
        train_run(tmp_path / name, PLAIN, overwrite=overwrite)
    assert tree(tmp_path) == before


def test_a_folder_of_hidden_files_is_free(tmp_path):
    for name in (".DS_Store", "Thumbs.db", ".gitignore"):
        (tmp_path / name).write_text("x")
    assert train_run(tmp_path, changed(PLAIN, epochs=1)).epochs == 1


def test_what_lies_in_folders_of_a_run_but_is_not_of_it_stays(teacher, tree, tmp_path):
    new, old = tmp_path / "new", shutil.copytree(teacher, tmp_path / "old")
    for run in (new, old):
        for name in ("tensorboard/notes.txt", "teacher-cache/notes/a.txt", "snapshots/my.txt"):
            (run / name).parent.mkdir(parents=True, exist_ok=True)
            (run / name).write_text("mine")
    (old / "tensorboard" / "events.out.tfevents.1.of-the-run").write_text("")
    (new / "tensorboard" / "events.out.tfevents.1.of-another").write_text("")
    before = {name: digest for name, digest in tree(new).items() if digest != "folder"}
    train_run(new, PLAIN)
    train_run(old, changed(PLAIN, seed=1), overwrite=True)
    assert before.items() <= tree(new).items()
    assert not (old / "tensorboard" / "events.out.tfevents.1.of-the-run").exists()
    del before["tensorboard/events.out.tfevents.1.of-another"]
    assert before.items() <= tree(old).items()


def test_weights_alone_are_a_run_that_is_not_lost(teacher, tmp_path):
    run = shutil.copytree(teacher, tmp_path / "run")
    for name in ("result.json", "metrics.jsonl"):
        (run / name).unlink()
    with pytest.raises(ValueError, match="seed is 0 there, 1 here"):
        train_run(run, changed(PLAIN, seed=1))


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_run_is_not_written_over_its_teacher(teacher, taught, overwrite, tree):
    before = tree(teacher)
    for of in (
        RunTeacher(run=str(teacher)),
        RunTeacher(run=str(teacher), epoch=1),
        WeightsTeacher(model="small_cnn", weights=str(teacher / "weights.safetensors")),
    ):
        with pytest.raises(ValueError, match="`teacher` in another directory"):
            train_run(teacher, changed(taught, teacher=of), overwrite=overwrite)
    assert tree(teacher) == before


def test_a_process_trains_one_run_at_a_time(tmp_path):
    said = []

    class AnotherThread(Silent):
        def step(self):
            if said:
                return
            with ThreadPoolExecutor(1) as pool:
                said.append(pool.submit(train_run, tmp_path / "other", PLAIN).exception())

    train_run(tmp_path / "run", PLAIN, progress=AnotherThread())
    assert isinstance(said[0], RunBusyError)
    assert not (tmp_path / "other").exists()
    train_run(tmp_path / "other", PLAIN)
    same_weights(tmp_path / "run", tmp_path / "other")

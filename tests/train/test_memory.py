"""What cannot fit into memory is refused before it is tried; of large images few come together."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from own_parts import changed

from tfkd.data import DataSettings, load_data
from tfkd.runs import Circumstances, MethodSettings, Recipe, RunSettings
from tfkd.study.plan import Arm, Study
from tfkd.study.run import check_runs
from tfkd.train import memory, train_run

DATA = DataSettings("digits", train_size=60)
PLAIN = RunSettings(Recipe(data=DATA, epochs=1, batch_size=30))
FITS = 30 * 1 * 8 * 8 * 4  # bytes of 30 grey images of 8 pixels in float32


@pytest.mark.parametrize(
    ("side", "most", "number"),
    [(8, 512, 512), (224, 512, 512), (225, 512, 507), (448, 512, 128), (4096, 512, 1), (448, 1, 1)],
)
def test_of_larger_images_fewer_are_looked_at_together(side, most, number):
    data = load_data(replace(DATA, image_size=side if side == 8 else None), seed=0)
    object.__setattr__(data, "image_size", side)
    assert memory.at_once(data, most) == number
    assert number * side**2 <= max(most * 224**2, side**2)


def test_a_batch_that_no_memory_holds_is_refused_before_anything(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "memory", lambda: FITS - 1)
    message = r"30 images of 8 pixels take 7.68e-06 GB. Take a smaller `batch_size` or `image_size`"
    with pytest.raises(ValueError, match=message):
        train_run(tmp_path / "run", PLAIN)
    study = Study("small", "?", (Arm("a", MethodSettings(), PLAIN.recipe),), seeds=1)
    with pytest.raises(ValueError, match=message):
        check_runs(study, study.runs(tmp_path), tmp_path, Circumstances())
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(memory, "memory", lambda: FITS)
    assert train_run(tmp_path / "run", PLAIN).epochs == 1


def test_what_no_memory_can_remember_is_refused_before_anything(tmp_path, monkeypatch):
    settings = changed(PLAIN, method=MethodSettings("remembering:by_class"))
    needed = memory.bytes_remembered(settings.method, load_data(DATA, seed=0))
    # Sums in int64 and means in float32 of 10 × 10 classes, counts of 10, and the progress.
    assert needed == 8 * 100 + 4 * 100 + 8 * 10 + 8 * 4
    monkeypatch.setattr(memory, "memory", lambda: needed - 1)
    message = (
        r"what remembering:by_class remembers of [\d,]+ images and 10 classes takes 1.31e-06 GB"
    )
    with pytest.raises(ValueError, match=message):
        memory.check_remembered(settings.method, load_data(DATA, seed=0))
    study = Study("small", "?", (Arm("a", settings.method, PLAIN.recipe),), seeds=1)
    monkeypatch.setattr("tfkd.train.loop.check_memory", lambda *_: None)
    monkeypatch.setattr("tfkd.study.run.check_memory", lambda *_: None)
    with pytest.raises(ValueError, match=message):
        train_run(tmp_path / "run", settings)
    with pytest.raises(ValueError, match=message):
        check_runs(study, study.runs(tmp_path), tmp_path, Circumstances())
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(memory, "memory", lambda: needed)
    memory.check_remembered(settings.method, load_data(DATA, seed=0))


@pytest.mark.parametrize("name", ["cross_entropy", "tf_kd_reg", "tf_kd_self"])
def test_most_losses_remember_nothing(name):
    assert memory.bytes_remembered(MethodSettings(name), load_data(DATA, seed=0)) == 0


def test_of_a_machine_that_does_not_say_nothing_is_asked(tmp_path, monkeypatch):
    monkeypatch.delattr("os.sysconf")
    assert memory.memory() is None
    memory.check_memory(changed(PLAIN, batch_size=10**9).recipe, load_data(DATA, seed=0))


def test_the_memory_of_this_machine_is_that_of_the_system():
    lines = Path("/proc/meminfo").read_text().splitlines()
    (told,) = [line.split() for line in lines if line.startswith("MemTotal")]
    assert memory.memory() == pytest.approx(1024 * int(told[1]), rel=0.05)

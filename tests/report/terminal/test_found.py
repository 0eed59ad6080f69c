"""What is said before anything is trained."""

import dataclasses

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image
from rich.cells import cell_len

from tfkd.data import DataSettings, load_data
from tfkd.data.image_files.listing import LeftOut
from tfkd.report.terminal.found import found_for_run
from tfkd.report.terminal.planned import found_for_study, what_seeds_show
from tfkd.report.terminal.rows import WIDTH, laid_out, listed
from tfkd.report.text import printable
from tfkd.runs import SGD, Circumstances, MethodSettings, Recipe, RunSettings
from tfkd.study.plan import Arm, Study
from tfkd.study.progress import StudyBeginning
from tfkd.study.statistics.power import seeds_for_equivalence, spreads_found
from tfkd.train.progress import Beginning

COUNTS = {"cat": 20, "dog": 7, "ünïcode 兎": 5}


@pytest.fixture
def pets(tmp_path, chance):
    array = np.random.default_rng(chance.getrandbits(32))
    for name, count in COUNTS.items():
        (tmp_path / name).mkdir()
        for number in range(count):
            pixels = array.integers(0, 256, (9, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    return tmp_path


def rows(lines):
    """Names and texts of lines, those that go on joined; of several notes all."""
    found = []
    for line in lines:
        name, text = line[:14].strip(), line[14:]
        if name:
            found.append([name, text])
        else:
            found[-1][1] += f" {text}"
    notes = [text for name, text in found if name == "note"]
    return {**dict(found), "note": notes}


def test_blank_names_are_seen_and_one_is_not_several(tmp_path):
    for number, name in enumerate((" ", "  ")):
        (tmp_path / name).mkdir()
        for place in range(2):
            image = Image.new("RGB", (4, 4), (number, place, 0))
            image.save(tmp_path / name / f"{place}.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "loose.png")
    recipe = Recipe(data=DataSettings("folder", image_size=16), epochs=1)
    data = load_data(recipe.data, root=str(tmp_path))
    settings = RunSettings(recipe, MethodSettings("cross_entropy"))
    lines = found_for_run(Beginning(data, settings, Circumstances(), 13_587))
    told = rows(lines)
    assert told["classes"] == "' ', '  '"
    assert told["left out"].startswith("1 file: 1 image outside of the folders")


def test_a_folder_is_told_before_a_run(pets):
    recipe = Recipe(
        data=DataSettings("folder", image_size=16, validation_fraction=0.2),
        epochs=3,
        batch_size=8,
        optimizer=SGD(learning_rate=0.05),
    )
    data = load_data(recipe.data, root=str(pets))
    settings = RunSettings(recipe, MethodSettings("tf_kd_reg"))
    before = torch.get_rng_state()
    lines = found_for_run(Beginning(data, settings, Circumstances(), 13_587))
    assert torch.equal(torch.get_rng_state(), before)
    assert len(lines) <= 15
    assert all(cell_len(line) <= WIDTH for line in lines)
    said = rows(lines)
    assert said["data"] == f"{pets.name}: 3 classes, from 5 (ünïcode 兎) to 20 (cat) images"
    assert said["classes"] == "cat, dog, ünïcode 兎"
    sizes = [len(data.train), len(data.validation), len(data.test)]
    assert sum(sizes) == sum(COUNTS.values())
    for name, size in zip(("train", "validation", "test"), sizes, strict=True):
        assert said[name] == f"{size} images: {data.origins[name]}"
    assert said["shown as"] == "16 × 16, RGB, crop 0.875, bilinear, ImageNet's mean and sd"
    assert said["augmentation"] == "random resized crop, flip"
    assert said["network"] == "small_cnn, 13,587 parameters"
    assert said["start"].startswith("scratch; usually much better: --student timm/")
    numbers = settings.method.numbers
    assert said["method"] == (
        f"Tf-KD_reg: alpha {numbers['alpha']:g}, temperature {numbers['temperature']:g}, "
        f"confidence {numbers['confidence']:g}"
    )
    assert said["training"] == "3 epochs, batches of 8; sgd, learning rate 0.05, cosine"
    assert said["time"].startswith("about ")
    assert said["uneven"] == "20 : 5: see --class-weights balanced and --sampler balanced"
    few = f"{sizes[2]} test images: one image is {100 / sizes[2]:.1f} points"
    assert said["note"] == [*data.remarks, few]


def test_where_splits_came_from_and_what_was_left_out_is_told(pets):
    recipe = Recipe(data=DataSettings("folder", image_size=16))
    data = load_data(recipe.data, root=str(pets))
    left_out = LeftOut("not images", 3, ("a\x1b[2J.txt", "b.md"))
    told = dataclasses.replace(
        data, origins={"train": "train/", "test": "val/"}, left_out=(left_out,)
    )
    said = rows(found_for_run(Beginning(told, RunSettings(recipe), Circumstances(), 1)))
    assert said["train"] == f"{len(data.train)} images: train/"
    assert said["validation"] == f"{len(data.validation)} images"
    assert said["test"] == f"{len(data.test)} images: val/"
    assert said["left out"] == r"3 files: 3 not images (a\x1b[2J.txt, b.md)"


def test_known_data_and_even_classes_are_told_without_advice():
    recipe = Recipe(data=DataSettings("digits"), epochs=1)
    data = load_data(recipe.data)
    said = rows(found_for_run(Beginning(data, RunSettings(recipe), Circumstances(), 1)))
    assert not {"start", "uneven", "left out"} & set(said)
    assert said["note"] == []
    assert "compiling" not in said["time"]


def test_compiling_is_told_beside_the_time(tmp_path):
    recipe = Recipe(data=DataSettings("digits", train_size=60), epochs=1, compile=True)
    data = load_data(recipe.data)
    said = rows(found_for_run(Beginning(data, RunSettings(recipe), Circumstances(), 1)))
    assert said["time"].endswith(", and compiling, half a minute or more")
    study = Study("test", "Why?", (Arm("a/plain", MethodSettings(), recipe),), seeds=2)
    beginning = StudyBeginning(study, tmp_path, {recipe.data: data}, Circumstances(), 1)
    said = rows(found_for_study(beginning)[0])
    assert said["time"].endswith(", and compiling of each run, half a minute or more")


def test_what_of_a_network_is_trained_is_told_where_it_is_announced(tmp_path):
    recipe = Recipe(data=DataSettings("digits", train_size=60), epochs=1, freeze="backbone")
    data = load_data(recipe.data)
    settings = RunSettings(recipe)

    def network(*counts):
        return rows(found_for_run(Beginning(data, settings, Circumstances(), *counts)))["network"]

    assert network(372_979, 1_539) == "small_cnn, 372,979 parameters, 1,539 of them trained"
    assert network(23_500_000, 2_049_000) == (
        "small_cnn, 23.5 million parameters, 2.05 million of them trained"
    )
    assert network(13_754, 13_754) == network(13_754) == "small_cnn, 13,754 parameters"
    study = Study("test", "Why?", (Arm("a/plain", MethodSettings(), recipe),), seeds=2)
    lines, _ = found_for_study(
        StudyBeginning(study, tmp_path, {recipe.data: data}, Circumstances(), 1)
    )
    assert rows(lines)["networks"] == "small_cnn (13,754 parameters, 650 of them trained)"


def test_a_study_is_told_with_its_cost(tmp_path):
    base = Recipe(data=DataSettings("digits", train_size=60), epochs=2)
    arms = (
        Arm("a/plain", MethodSettings(), base),
        Arm("a/reg", MethodSettings("tf_kd_reg"), base, baseline="a/plain"),
        Arm("b/plain", MethodSettings(), replace(base, student="wide_cnn"), baseline="a/plain"),
    )
    study = Study("test", "Why?", arms, seeds=4)
    data = {base.data: load_data(base.data)}
    beginning = StudyBeginning(study, tmp_path, data, Circumstances(), 1)
    lines, cost = found_for_study(beginning)
    assert all(cell_len(line) <= WIDTH for line in lines)
    said = rows(lines)
    assert said["runs"] == "12 runs: 3 arms, 4 seeds; 24 epochs left"
    assert said["networks"].startswith("small_cnn (13,754 parameters), wide_cnn (")
    assert said["seeds"] == what_seeds_show(4, 2)
    assert set(cost.by_run) == {run.name for run in study.runs(tmp_path)}
    assert sum(cost.by_run.values()) == pytest.approx(cost.seconds)


@pytest.mark.parametrize("claims", [1, 2, 6, 18])
@pytest.mark.parametrize("seeds", [1, 3, 5, 6, 8, 12])
def test_seeds_cannot_show_anything_exactly_where_no_p_is_small_enough(seeds, claims):
    text = what_seeds_show(seeds, claims)
    can = 2 / 2**seeds <= 0.05
    assert ("cannot show any" in text) is not can
    if not can:
        assert "; 6 is the least; with 8, one of " in text
    assert f"{spreads_found(seeds if can else 8, claims):.1f} times" in text
    assert ("over" in text) is (claims > 1)


def test_with_runs_that_are_finished_it_is_told_in_points():
    text = what_seeds_show(10, 6, sd=0.5)
    assert f"a difference of {0.5 * spreads_found(10, 6):.2f} points with 80 % power" in text
    assert f"none of 0.2 points, about {seeds_for_equivalence(0.5, 0.2)} would" in text
    assert "spread 0.50 points, as in the runs so far" in text
    assert "more than 1000 would" in what_seeds_show(3, 6, sd=50.0)


def test_folds_are_counted_in_whole_cross_validations():
    text = what_seeds_show(5, 1, folds=5)
    assert "5 folds cannot" in text
    assert "10 is the least; with 15, one of" in text


def test_rows_fit_whatever_they_hold(chance):
    letters = "ab cd 兎\t\x1b[31m/" + "x" * 5
    for _ in range(100):
        text = "".join(chance.choice(letters) for _ in range(chance.randrange(400)))
        told, cut = laid_out([("note", text)]), laid_out([("left out", text)])
        assert 1 <= len(cut) <= 3
        assert all(cell_len(line) <= WIDTH for line in [*told, *cut])
        assert all(line.isprintable() for line in [*told, *cut])
        assert "".join(line[14:] for line in told).replace(" ", "") == printable(text).replace(
            " ", ""
        )
        assert printable(text).isprintable()
        names = [f"n{chance.randrange(10**9)}" for _ in range(chance.randrange(1, 40))]
        assert cell_len(listed(names, 30)) <= 30

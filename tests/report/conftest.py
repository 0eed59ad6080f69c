"""A small finished study on digits, and runs on photographs, for the tests of their reports."""

from typing import NamedTuple

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from tfkd.data import DataSettings
from tfkd.report.run_page.write import write_run_report
from tfkd.report.write import write_report
from tfkd.runs import SGD, Circumstances, MethodSettings, Recipe, RunSettings, RunTeacher
from tfkd.study.plan import Arm, Published, Study
from tfkd.study.records import collect
from tfkd.train import train_run

RECIPE = Recipe(
    data=DataSettings("digits", train_size=60, validation_fraction=0.1), epochs=2, batch_size=30
)
PLAIN = "small_cnn/cross_entropy"


def plan():
    undone = replace(RECIPE, optimizer=SGD(learning_rate=0.2, weight_decay=2.5e-4))
    half = MethodSettings(numbers={"scale": 0.5})
    claims = ("small_cnn/tf_kd_reg", "small_cnn/de_kd")
    return Study(
        "small",
        "Does it work on <b>digits</b>?",
        (
            Arm(PLAIN, MethodSettings(), RECIPE),
            Arm(claims[0], MethodSettings("tf_kd_reg"), RECIPE, baseline=PLAIN),
            Arm(
                claims[1],
                MethodSettings("de_kd", "released", {"alpha": 0.9, "temperature": 4.0}),
                RECIPE,
                teacher=PLAIN,
                teacher_epoch=1,
                baseline=PLAIN,
                published=Published(70.65, 0.35, 2.27, "arithmetic <says> otherwise"),
            ),
            Arm(
                "small_cnn/scaled-0.5",
                half,
                RECIPE,
                control="scaled",
                baseline=PLAIN,
                control_of=claims,
            ),
            Arm(
                "small_cnn/undone-0.5",
                half,
                undone,
                control="undone",
                baseline=PLAIN,
                control_of=claims,
            ),
        ),
        seeds=2,
        remarks=("A remark, <script>alert(1)</script>.",),
    )


@pytest.fixture(scope="session")
def small_study(tmp_path_factory):
    """The plan, the directory of its finished runs, and their records."""
    root, study = tmp_path_factory.mktemp("study"), plan()
    for run in study.runs(root):
        circumstances = Circumstances(save_epochs=run.save_epochs)
        train_run(root / run.name, run.settings, circumstances)
    records, left_out = collect(study, root)
    assert left_out == []
    return study, root, records


@pytest.fixture(scope="session")
def report(small_study, tmp_path_factory):
    """The report of that study: the paths of its HTML, Markdown and CSV."""
    study, root, _ = small_study
    return write_report(study, root, tmp_path_factory.mktemp("report"))


# Names that a folder may have, with what an HTML page, Markdown, a spreadsheet or a terminal would
# take for something else.
COLOURS = {
    "<b>red": (200, 40, 40),
    "=green|&amp;": (40, 180, 60),
    "`blue* 猫": (40, 60, 200),
}
CLASSES = tuple(sorted(COLOURS))
PLANTED = {"test": "wrong\x1b[31m\n<img src=x>\u202e.png", "train": "wrong & <i>here.png"}
TO_TRAIN, TO_TEST = 24, 9


class Photographs(NamedTuple):
    """A folder of images by class, and by split the one image of each class that is another's."""

    root: object
    planted: dict


def photograph(generator, colour):
    """Noise of a colour, of a size of its own."""
    height, width = generator.integers(20, 50, 2)
    noise = generator.normal(colour, 30.0, (height, width, 3))
    return Image.fromarray(noise.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """Three classes that are told by their colour; in each split one image of each is another's."""
    root, generator = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    planted = {"train": {}, "test": {}}
    for split, count in (("train", TO_TRAIN), ("test", TO_TEST)):
        for place, name in enumerate(CLASSES):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                photograph(generator, COLOURS[name]).save(folder / f"{number}.png")
            other = CLASSES[(place + 1) % len(CLASSES)]
            photograph(generator, COLOURS[other]).save(folder / PLANTED[split])
            planted[split][f"{split}/{name}/{PLANTED[split]}"] = (name, other)
    return Photographs(root, planted)


@pytest.fixture(scope="session")
def run_on_photographs(photographs, tmp_path_factory):
    """A run on them, and one that it has taught."""
    root = tmp_path_factory.mktemp("runs")
    recipe = Recipe(
        data=DataSettings("folder", image_size=16, augmentation="none"),
        student="small_cnn",
        epochs=6,
        batch_size=16,
        optimizer=SGD(learning_rate=0.05, weight_decay=1e-4),
    )
    circumstances = Circumstances(data_root=str(photographs.root))
    train_run(root / "run", RunSettings(recipe), circumstances)
    taught = RunSettings(
        replace(recipe, epochs=2),
        MethodSettings("knowledge_distillation"),
        RunTeacher(run=str(root / "run")),
    )
    train_run(root / "taught", taught, circumstances)
    return root


@pytest.fixture(scope="session")
def run_report(run_on_photographs, tmp_path_factory):
    """The page of the run that was taught: the paths of its HTML and Markdown."""
    return write_run_report(run_on_photographs / "taught", tmp_path_factory.mktemp("page"))

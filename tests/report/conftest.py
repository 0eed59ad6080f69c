"""A small finished study on digits, trained once, for the tests of its report."""

import dataclasses

import pytest

from tfkd.data import DataSettings
from tfkd.report.write import write_report
from tfkd.runs import MethodSettings, OptimizerSettings, RunSettings
from tfkd.study.plan import Arm, Published, Study
from tfkd.study.records import collect
from tfkd.train import train_run

RECIPE = RunSettings(
    data=DataSettings("digits", train_size=60, validation_fraction=0.1), epochs=2, batch_size=30
)
PLAIN = "small_cnn/cross_entropy"


def plan():
    rate = OptimizerSettings(learning_rate=0.2, weight_decay=2.5e-4)
    undone = dataclasses.replace(RECIPE, optimizer=rate)
    claims = ("small_cnn/tf_kd_reg", "small_cnn/de_kd")
    return Study(
        "small",
        "Does it work on <b>digits</b>?",
        (
            Arm(PLAIN, "cross_entropy", MethodSettings(), RECIPE),
            Arm(claims[0], "tf_kd_reg", MethodSettings("tf_kd_reg"), RECIPE, baseline=PLAIN),
            Arm(
                claims[1],
                "de_kd",
                MethodSettings("released_kd", alpha=0.9, temperature=4.0),
                RECIPE,
                dialect="released",
                teacher=PLAIN,
                teacher_epoch=1,
                baseline=PLAIN,
                published=Published(70.65, 0.35, 2.27, "arithmetic <says> otherwise"),
            ),
            Arm(
                "small_cnn/scaled-0.5",
                "scaled",
                MethodSettings(scale=0.5),
                RECIPE,
                baseline=PLAIN,
                control_of=claims,
            ),
            Arm(
                "small_cnn/undone-0.5",
                "undone",
                MethodSettings(scale=0.5),
                undone,
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
        train_run(root / run.name, run.settings)
    return study, root, collect(study, root)


@pytest.fixture(scope="session")
def report(small_study, tmp_path_factory):
    """The report of that study: the paths of its HTML, Markdown and CSV."""
    study, root, _ = small_study
    return write_report(study, root, tmp_path_factory.mktemp("report"))

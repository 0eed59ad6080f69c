"""A small finished study on digits, trained once, for the tests of its report."""

import pytest
from msgspec.structs import replace

from tfkd.data import DataSettings
from tfkd.report.write import write_report
from tfkd.runs import SGD, Circumstances, MethodSettings, Recipe
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

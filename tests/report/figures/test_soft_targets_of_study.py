"""The figure of soft targets: every loss of a study, with the numbers of its formula."""

import pytest
from blank_record import BLANK
from msgspec.structs import replace

from tfkd.data import DataIdentity
from tfkd.paper.catalogue import PAPER
from tfkd.report.figures import soft_targets_of_study
from tfkd.report.study_data import RunData, StudyData
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.plan import Arm, Study
from tfkd.study.summary import summarise_study

# By hand from the released alpha, temperature and multiplier with 100 classes: the scale is
# (1 - alpha) + alpha * multiplier / 100.
SCALES = {
    "mobilenet_v2/released-tf_kd_reg": 0.0595,
    "shufflenet_v2/released-tf_kd_reg": 0.0595,
    "resnet18/released-tf_kd_reg": 1.0,
    "googlenet/released-tf_kd_reg": 0.95,
}


def drawn(study, num_classes):
    records = [replace(BLANK, arm=arm.name) for arm in study.arms]
    data = DataIdentity(
        name="cifar100",
        classes=tuple(str(label) for label in range(num_classes)),
        channels=3,
        image_size=32,
        fit="square",
        mean=(0.5, 0.5, 0.5),
        std=(0.3, 0.3, 0.3),
        samples={"train": 1, "validation": 0, "test": 1},
        digests=dict.fromkeys(("train", "validation", "test"), "0" * 64),
    )
    runs = {record.arm: [RunData(record, None, data, None, [], None)] for record in records}
    return soft_targets_of_study.draw(StudyData(study, runs, summarise_study(study, records)))


def test_losses_without_one_soft_target_are_left_out():
    methods = ["max_sup", "focal", "logit_norm", "cross_entropy"]
    own = ["growing", "remembering", "squared"]
    methods += [f"controls_of_tests:{name}" for name in own]
    assert drawn(study_of(methods), 10) is None
    figure = drawn(study_of([*methods, "label_smoothing"]), 10)
    assert [row[0] for row in figure.table.rows] == ["label smoothing"]


def study_of(methods):
    arms = [
        Arm(f"small_cnn/{place}", MethodSettings(name), Recipe())
        for place, name in enumerate(methods)
    ]
    return Study("x", "Is it?", tuple(arms), 1)


def test_losses_of_one_name_and_other_numbers_are_all_there():
    study = PAPER["table-9"](seeds=1)
    figure = drawn(study, 100)
    scales = {row[0]: row[3] for row in figure.table.rows}
    # Beside Tf-KD_reg of four networks and label smoothing, label smoothing at the strength of each
    # Tf-KD_reg of another scale, of which two are alike.
    assert len(scales) == len(figure.table.rows) == len(figure.panels) == 7
    at_strength = [scale for title, scale in scales.items() if ", loss ×" in title]
    assert sorted(at_strength) == [pytest.approx(0.0595), pytest.approx(0.95)]
    for arm, scale in SCALES.items():
        assert scales[f"Tf-KD_reg, as released ({arm})"] == pytest.approx(scale)
    # The same for every network, and so without one's name.
    assert scales["label smoothing, as released"] == pytest.approx(1.0)

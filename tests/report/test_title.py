"""The page is called after its data, its network and what is compared."""

import pytest

from tfkd.data import DataSettings
from tfkd.paper.catalogue import make_study
from tfkd.report.study_data import StudyData
from tfkd.report.title import title_of_study
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.comparison import comparison
from tfkd.study.plan import Arm, Study


def title(study):
    return title_of_study(StudyData(study, {}, []))


@pytest.mark.parametrize(
    ("data", "methods", "expected"),
    [
        ("fashion-mnist", ("tf_kd_reg",), "Fashion-MNIST, small_cnn: Tf-KD_reg"),
        ("cifar100", ("tf_kd_reg", "label_smoothing"), "CIFAR-100, small_cnn: 2 methods"),
        ("digits", ("tf_kd_reg", "normal_kd", "max_sup"), "digits, small_cnn: 3 methods"),
    ],
)
def test_a_comparison_names_data_network_and_how_many_methods(data, methods, expected):
    recipe = Recipe(data=DataSettings(data), student="small_cnn")
    study = comparison(recipe, teacher="wide_cnn", methods=methods, seeds=1)
    assert title(study) == f"{expected} against cross-entropy"


def test_several_networks_and_stages_of_a_teacher_are_counted():
    study, _ = make_study("figure-2", data="digits", seeds=1)
    stages = {(arm.teacher, arm.teacher_epoch) for arm in study.arms if arm.teacher is not None}
    found = f"digits, small_cnn: distillation from {len(stages)} teachers against cross-entropy"
    assert title(study) == found
    study, _ = make_study("table-9", seeds=1)
    assert ", 4 networks: " in title(study)


def test_nothing_but_cross_entropy_is_no_comparison():
    study = Study("x", "Is it?", (Arm("a/plain", MethodSettings(), Recipe()),), 1)
    assert title(study) == "digits, small_cnn: cross-entropy"

"""What each study of the paper compares: the pairs of arms, by hand."""

import pytest

from tfkd.data import DataSettings
from tfkd.paper.catalogue import PAPER
from tfkd.paper.contrasts import WORTHWHILE
from tfkd.paper.in_small import in_small
from tfkd.runs import Recipe

SMALL = Recipe(data=DataSettings("digits"), epochs=60, batch_size=30)
CE = "small_cnn/cross_entropy"


def small(name, dialect="tfkd", **options):
    options = {"networks": ("small_cnn", "wide_cnn"), "num_classes": 10, "controls": (), **options}
    return in_small(name, SMALL, dialect=dialect, **options)


def pairs(study):
    return [(contrast.arm, contrast.against) for contrast in study.contrasts]


def of(dialect, arm):
    return f"small_cnn/{dialect}-{arm}"


@pytest.mark.parametrize("dialect", ["tfkd", "paper", "released"])
@pytest.mark.parametrize("number", range(1, 9))
def test_tables_in_small_compare_what_they_ask(number, dialect):
    kd = of(dialect, "normal_kd-wide_cnn")
    if number <= 3:
        re_kd = f"wide_cnn/{dialect}-re_kd-small_cnn"
        expected = [(kd, CE), (re_kd, "wide_cnn/cross_entropy")]
    elif number == 4:
        bad = [of(dialect, f"de_kd-wide_cnn-{epoch}") for epoch in (1, 15)]
        expected = [(arm, other) for arm in bad for other in (CE, kd)]
    else:
        expected = [(of(dialect, "tf_kd_self"), other) for other in (CE, kd)]
    study = small(f"table-{number}", dialect)
    assert pairs(study) == expected
    assert study.worthwhile == WORTHWHILE


# Of the dialect's Tf-KD_reg for MobileNetV2, α 0.95 at τ 40, by hand: weights of label and teacher
# are 0.05 and 0.95 / 100 as released, 0.05 and 0.95 / 1600 as printed.
PRINTED = 0.05 + 0.95 / 1600
STRENGTH = {
    "released": (0.0095 / 0.0595, 0.0595),
    "paper": (0.95 / 1600 / PRINTED, PRINTED),
}


@pytest.mark.parametrize("dialect", STRENGTH)
@pytest.mark.parametrize("number", [9, 10, 11])
def test_tf_kd_reg_is_compared_with_label_smoothing_of_its_strength(number, dialect):
    study = small(f"table-{number}", dialect)
    (alike,) = (arm for arm in study.arms if arm.title is not None)
    reg = of(dialect, "tf_kd_reg")
    others = [CE, alike.name, of(dialect, "label_smoothing"), of(dialect, "normal_kd-wide_cnn")]
    assert sorted(pairs(study)) == sorted((reg, other) for other in others)
    numbers = alike.method.numbers
    assert (numbers["alpha"], numbers["scale"]) == pytest.approx(STRENGTH[dialect], rel=1e-3)
    assert alike.recipe == study.arm(reg).recipe
    assert (alike.method.name, alike.baseline, alike.control) == ("label_smoothing", CE, None)


def test_where_label_smoothing_is_as_strong_as_it_is_no_other_is_added():
    study = small("table-9")  # both have α 0.1 by default
    reg = "small_cnn/tfkd-tf_kd_reg"
    others = [CE, "small_cnn/tfkd-label_smoothing", "small_cnn/tfkd-normal_kd-wide_cnn"]
    assert sorted(pairs(study)) == sorted((reg, other) for other in others)
    # As released: 0.9 and 0.1 beside label smoothing's 0.1 over the wrong classes, on ResNet18.
    full = PAPER["table-9"](controls=())
    added = [arm.name for arm in full.arms if arm.title is not None]
    assert [name.partition("/")[0] for name in added] == [
        "mobilenet_v2",
        "shufflenet_v2",
        "googlenet",
    ]
    of_resnet = [against for arm, against in pairs(full) if arm == "resnet18/released-tf_kd_reg"]
    assert of_resnet == [
        "resnet18/cross_entropy",
        "resnet18/released-label_smoothing",
        "resnet18/released-normal_kd-resnet50",
    ]


def test_tables_1_to_3_compare_with_the_exact_controls_and_no_others():
    controls = ("scaled", "smoothed", "balanced", "double")
    study = small("table-1", "released", controls=controls)
    kd, re_kd = of("released", "normal_kd-wide_cnn"), "wide_cnn/released-re_kd-small_cnn"
    assert pairs(study) == [
        (kd, CE),
        (kd, "small_cnn/scaled-0.0595"),
        (re_kd, "wide_cnn/cross_entropy"),
        (re_kd, "wide_cnn/scaled-0.406"),
    ]


def test_table_4_pairs_each_poor_teacher_with_the_same_network_trained():
    study = PAPER["table-4"](controls=())
    found = dict.fromkeys(arm for arm, _ in pairs(study))
    assert len(found) == 12  # the cells of the paper's table
    against = {arm: [b for a, b in pairs(study) if a == arm] for arm in found}
    assert against["mobilenet_v2/released-de_kd-resnet50-50"] == [
        "mobilenet_v2/cross_entropy",
        "mobilenet_v2/released-normal_kd-resnet50",
    ]
    # The paper has no normal KD of ShuffleNetV2 by ResNeXt29.
    assert against["shufflenet_v2/released-de_kd-resnext29_8x64d-50"] == [
        "shufflenet_v2/cross_entropy"
    ]
    assert against["tiny-imagenet/shufflenet_v2/released-de_kd-resnet18-1"] == [
        "tiny-imagenet/shufflenet_v2/cross_entropy",
        "tiny-imagenet/shufflenet_v2/released-normal_kd-resnet18",
    ]


@pytest.mark.parametrize(("number", "count"), [(1, 16), (2, 8), (3, 10), (7, 4), (8, 2)])
def test_every_cell_of_the_paper_is_compared(number, count):
    for dialect in ("released", "paper"):
        study = PAPER[f"table-{number}"](dialect=dialect, controls=())
        assert len(study.contrasts) == count
        assert all(study.arm(each.arm).published is not None for each in study.contrasts)


def test_figure_2_compares_the_ends_of_its_curve():
    study = small("figure-2", "released", controls=("scaled", "balanced"))
    best, worst = of("released", "normal_kd-wide_cnn"), of("released", "de_kd-wide_cnn-1")
    scaled = "small_cnn/scaled-0.0595"
    assert pairs(study) == [
        (best, worst),
        (best, CE),
        (best, scaled),
        (worst, CE),
        (worst, scaled),
    ]
    assert len(PAPER["figure-2"](controls=()).contrasts) == 2 * 3  # two teachers

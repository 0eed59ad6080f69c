"""The paper's numbers: cells typed again from its tables, and its arithmetic."""

import pytest

from tfkd.paper.published import DEFECTIVE_TEACHERS, FIGURE_2, TABLES
from tfkd.study.comparison import COMPARED

CELLS = {
    (number, block.data, cell.student, cell.method, cell.teacher): (cell.published, block)
    for number, blocks in TABLES.items()
    for block in blocks
    for cell in block.cells
}

# Table, data, student, method, teacher; accuracy, spread, gain.
TYPED_AGAIN = [
    ((1, "cifar100", "mobilenet_v2", "normal_kd", "resnext29_8x64d"), (71.65, 0.41, 3.27)),
    ((1, "cifar100", "densenet121", "re_kd", "shufflenet_v2"), (79.83, 0.05, 0.79)),
    ((1, "cifar100", "resnet50", "re_kd", "mobilenet_v2"), (79.30, 0.11, 1.14)),
    ((2, "cifar10", "plain_cnn", "normal_kd", "mobilenet_v2"), (87.45, 0.18, 0.31)),
    ((2, "cifar10", "resnext29_8x64d", "re_kd", "resnet18"), (96.49, 0.15, 0.73)),
    ((3, "tiny-imagenet", "resnet18", "re_kd", "shufflenet_v2"), (64.35, None, 0.91)),
    ((3, "tiny-imagenet", "resnet18", "normal_kd", "resnet50"), (64.23, None, 0.79)),
    ((4, "cifar100", "mobilenet_v2", "de_kd", "resnet18"), (70.65, 0.35, 2.27)),
    ((4, "cifar100", "shufflenet_v2", "de_kd", "resnext29_8x64d"), (72.26, 0.36, 1.92)),
    ((4, "tiny-imagenet", "shufflenet_v2", "de_kd", "resnet50"), (61.09, None, 0.58)),
    ((5, "cifar100", "googlenet", "tf_kd_self", "googlenet"), (80.17, None, 1.45)),
    ((5, "cifar100", "resnext29_8x64d", "tf_kd_self", "resnext29_8x64d"), (82.08, None, 1.05)),
    ((6, "tiny-imagenet", "densenet121", "tf_kd_self", "densenet121"), (68.29, None, 0.14)),
    ((7, "imagenet", "timm/densenet121", "tf_kd_self", "timm/densenet121"), (75.72, None, 0.44)),
    ((8, "imagenet", "timm/resnet18", "normal_kd", "timm/densenet121"), (70.40, None, 0.56)),
    ((9, "cifar100", "resnet18", "tf_kd_reg", None), (77.36, None, 1.49)),
    ((9, "cifar100", "shufflenet_v2", "label_smoothing", None), (70.83, None, 0.49)),
    ((10, "tiny-imagenet", "resnet50", "normal_kd", "resnext29_8x64d"), (68.15, None, 0.68)),
    ((11, "imagenet", "timm/resnext101_32x8d", "tf_kd_reg", None), (79.76, None, 0.48)),
    ((11, "imagenet", "timm/densenet121", "label_smoothing", None), (75.24, None, -0.04)),
]
# Printed gain, and what the table's own numbers give.
CONTRADICTIONS = {
    (2, "cifar10", "mobilenet_v2", "re_kd", "plain_cnn"): (0.92, 0.83),
    (4, "cifar100", "mobilenet_v2", "de_kd", "resnet50"): (3.09, 3.07),
    (4, "cifar100", "resnet18", "de_kd", "resnet50"): (1.23, 1.36),
    (9, "cifar100", "googlenet", "normal_kd", "resnext29_8x64d"): (0.99, 0.69),
    (10, "tiny-imagenet", "shufflenet_v2", "label_smoothing", None): (0.11, 0.15),
    (10, "tiny-imagenet", "densenet121", "tf_kd_reg", None): (0.18, 0.22),
    (10, "tiny-imagenet", "densenet121", "normal_kd", "resnext29_8x64d"): (0.26, 0.29),
    (11, "imagenet", "timm/resnet50", "label_smoothing", None): (0.51, 0.61),
}


@pytest.mark.parametrize(("cell", "numbers"), TYPED_AGAIN)
def test_cells_are_those_of_the_paper(cell, numbers):
    published = CELLS[cell][0]
    assert (published.accuracy, published.sd, published.gain) == numbers


def test_no_cell_is_missing():
    # Rows times columns; Table 4: De-KD in 8 + 4 rows, a normal KD to compare with in 7 + 4.
    counts = [sum(len(block.cells) for block in TABLES[number]) for number in range(1, 12)]
    assert counts == [16, 8, 10, 12 + 11, 12, 8, 4, 2, 12, 12, 8]
    assert len(CELLS) == sum(counts)
    assert {cell[3] for cell in CELLS} == set(COMPARED) - {"cross_entropy"}


def test_gains_are_differences_except_where_the_paper_is_wrong():
    for cell, (published, block) in CELLS.items():
        difference = round(published.accuracy - block.baselines[cell[2]], 2)
        if cell in CONTRADICTIONS:
            assert (published.gain, difference) == CONTRADICTIONS[cell]
            assert f"{difference:+.2f}" in published.remark
        else:
            assert published.gain == difference, cell
            assert published.remark is None


def test_baselines_typed_again():
    def baselines(number, part=0):
        return TABLES[number][part].baselines

    assert baselines(1)["resnext29_8x64d"] == 81.03
    assert baselines(2)["plain_cnn"] == 87.14
    assert baselines(4, 1)["shufflenet_v2"] == 60.51
    assert (baselines(5)["googlenet"], baselines(9)["googlenet"]) == (78.72, 78.15)
    assert baselines(11)["timm/resnext101_32x8d"] == 79.28


def test_figure_2_and_the_teachers_of_table_4():
    assert DEFECTIVE_TEACHERS["cifar100", "resnext29_8x64d"] == (50, 51.94)
    assert FIGURE_2["resnet18"].teacher_accuracy == (15.5, 75.9)
    # About a point between the worst and the best teacher.
    for curve in FIGURE_2.values():
        assert 0.7 < curve.student_accuracy[-1] - curve.student_accuracy[0] < 1.1

"""What the paper prints: Tables 1 to 11 and Figure 2.

Percent of top-1 accuracy; gains in points over the baseline, as printed. Tables 1, 2 and, on
CIFAR-100, 4 are means and standard deviations of 3 runs; the others do not say how many.

Source: Yuan et al., "Revisiting Knowledge Distillation via Label Smoothing Regularization", CVPR
2020, arXiv 1909.11723.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tfkd.study.plan import Published


class Cell(NamedTuple):
    """What trains whom, and what the paper prints for it.

    Attributes:
        student: network that is trained.
        method: a name of `tfkd.method_table.METHODS`.
        teacher: network that teaches; None if none does, the student itself for Tf-KD_self.
        published: accuracy, its spread and its gain.
    """

    student: str
    method: str
    teacher: str | None
    published: Published


class Block(NamedTuple):
    """The part of a table that is on one data set.

    Attributes:
        data: name of the data set.
        baselines: accuracy of each network with cross-entropy, as far as the table prints it.
        cells: the others, in the order of the table.
    """

    data: str
    baselines: dict[str, float]
    cells: tuple[Cell, ...]


class Curve(NamedTuple):
    """One curve of Figure 2, read off the figure: every number is approximate.

    Attributes:
        teacher_accuracy: of the worst and of the best snapshot.
        student_accuracy: MobileNetV2's, from the worst to the best teacher; those that are legible.
    """

    teacher_accuracy: tuple[float, float]
    student_accuracy: tuple[float, ...]


PLAIN, MOBILE, SHUFFLE = "plain_cnn", "mobilenet_v2", "shufflenet_v2"
R18, R50, DENSE = "resnet18", "resnet50", "densenet121"
GOOGLE, RX29 = "googlenet", "resnext29_8x64d"
RX101 = "resnext101"
"""A teacher of Table 5, on CIFAR-100; its network was not released, and there is none here."""
IN_R18, IN_R50, IN_DENSE = "timm/resnet18", "timm/resnet50", "timm/densenet121"
IN_RX101 = "timm/resnext101_32x8d"

DEFECTIVE_TEACHERS = {
    ("cifar100", R18): (1, 15.48),
    ("cifar100", R50): (50, 45.82),
    ("cifar100", RX29): (50, 51.94),
    ("tiny-imagenet", R18): (1, 9.41),
    ("tiny-imagenet", R50): (50, 31.01),
}
"""Of Table 4, by data and network: after which epoch of 200 the teacher was taken; its accuracy."""

_Numbers = tuple[float, float | None, float]  # accuracy, sd, gain


def _pairs(rows: Iterable[tuple[str, str, _Numbers, _Numbers | Published]]) -> tuple[Cell, ...]:
    """Rows of teacher, student, normal KD and Re-KD, in which the two change places."""
    cells = []
    for teacher, student, normal, reverse in rows:
        cells.append(Cell(student, "normal_kd", teacher, Published(*normal)))
        reverse = reverse if isinstance(reverse, Published) else Published(*reverse)
        cells.append(Cell(teacher, "re_kd", student, reverse))
    return tuple(cells)


def _wrong(accuracy: float, sd: float | None, printed: float, arithmetic: float) -> Published:
    """A number whose printed gain is not its difference to the baseline."""
    remark = f"printed gain {printed:+.2f}, the table's own numbers give {arithmetic:+.2f}"
    return Published(accuracy, sd, printed, remark)


def _gain(baseline: float, gain: float) -> Published:
    """A cell of which the table prints the gain alone: the accuracy is the baseline plus it."""
    return Published(round(baseline + gain, 2), None, gain)


_CIFAR100 = {MOBILE: 68.38, SHUFFLE: 70.34, R18: 75.87, R50: 78.16, DENSE: 79.04, RX29: 81.03}
_CIFAR10 = {PLAIN: 87.14, MOBILE: 90.98, R18: 95.12, RX29: 95.76}
_TINY = {MOBILE: 55.06, SHUFFLE: 60.51, R18: 63.44, R50: 67.47, DENSE: 68.15}
_IMAGENET = {IN_R18: 69.84, IN_R50: 75.77, IN_DENSE: 75.28, IN_RX101: 79.28}

_TABLE_1 = Block(
    "cifar100",
    _CIFAR100,
    _pairs(
        [
            (R18, MOBILE, (71.05, 0.16, 2.67), (77.28, 0.28, 1.41)),
            (R18, SHUFFLE, (72.05, 0.13, 1.71), (77.35, 0.32, 1.48)),
            (R50, MOBILE, (71.04, 0.20, 2.66), (79.30, 0.11, 1.14)),
            (R50, SHUFFLE, (72.15, 0.18, 1.81), (79.43, 0.39, 1.27)),
            (DENSE, MOBILE, (71.29, 0.23, 2.91), (79.55, 0.11, 0.51)),
            (DENSE, SHUFFLE, (72.32, 0.25, 1.98), (79.83, 0.05, 0.79)),
            (RX29, MOBILE, (71.65, 0.41, 3.27), (81.53, 0.14, 0.50)),
            (RX29, R18, (77.84, 0.15, 1.97), (81.62, 0.22, 0.59)),
        ]
    ),
)
_TABLE_2 = Block(
    "cifar10",
    _CIFAR10,
    _pairs(
        [
            (R18, PLAIN, (87.67, 0.17, 0.53), (95.33, 0.12, 0.21)),
            (R18, MOBILE, (91.69, 0.14, 0.71), (95.71, 0.11, 0.59)),
            (MOBILE, PLAIN, (87.45, 0.18, 0.31), _wrong(91.81, 0.23, 0.92, 0.83)),
            (RX29, R18, (95.80, 0.13, 0.68), (96.49, 0.15, 0.73)),
        ]
    ),
)
_TABLE_3 = Block(
    "tiny-imagenet",
    _TINY,
    _pairs(
        [
            (R18, MOBILE, (56.70, None, 1.64), (64.12, None, 0.68)),
            (R18, SHUFFLE, (61.19, None, 0.68), (64.35, None, 0.91)),
            (R50, MOBILE, (56.02, None, 0.96), (67.68, None, 0.21)),
            (R50, SHUFFLE, (60.79, None, 0.28), (67.62, None, 0.15)),
            (R50, R18, (64.23, None, 0.79), (67.89, None, 0.42)),
        ]
    ),
)
# The normal KD beside De-KD is that of Tables 1 and 3; of ResNet18 by ResNet50, that of Table 9.
_TABLE_4_CIFAR = Block(
    "cifar100",
    _CIFAR100,
    (
        Cell(MOBILE, "de_kd", R18, Published(70.65, 0.35, 2.27)),
        Cell(SHUFFLE, "de_kd", R18, Published(71.82, 0.11, 1.48)),
        Cell(MOBILE, "de_kd", R50, _wrong(71.45, 0.23, 3.09, 3.07)),
        Cell(SHUFFLE, "de_kd", R50, Published(72.11, 0.09, 1.77)),
        Cell(R18, "de_kd", R50, _wrong(77.23, 0.11, 1.23, 1.36)),
        Cell(MOBILE, "de_kd", RX29, Published(71.52, 0.27, 3.14)),
        Cell(SHUFFLE, "de_kd", RX29, Published(72.26, 0.36, 1.92)),
        Cell(R18, "de_kd", RX29, Published(77.28, 0.17, 1.41)),
        *(cell for cell in _TABLE_1.cells if cell.method == "normal_kd" and cell.teacher != DENSE),
        Cell(R18, "normal_kd", R50, Published(77.19, None, 1.32)),
    ),
)
_TABLE_4_TINY = Block(
    "tiny-imagenet",
    _TINY,
    (
        Cell(MOBILE, "de_kd", R18, Published(56.22, None, 1.16)),
        Cell(SHUFFLE, "de_kd", R18, Published(60.66, None, 0.15)),
        Cell(MOBILE, "de_kd", R50, Published(56.02, None, 0.96)),
        Cell(SHUFFLE, "de_kd", R50, Published(61.09, None, 0.58)),
        *(
            cell
            for cell in _TABLE_3.cells
            if cell.method == "normal_kd" and cell.student in (MOBILE, SHUFFLE)
        ),
    ),
)
_TABLE_5 = Block(
    "cifar100",
    {**_CIFAR100, GOOGLE: 78.72},
    (
        Cell(MOBILE, "tf_kd_self", MOBILE, Published(70.96, None, 2.58)),
        Cell(MOBILE, "normal_kd", R18, _gain(68.38, 2.67)),
        Cell(SHUFFLE, "tf_kd_self", SHUFFLE, Published(72.23, None, 1.89)),
        Cell(SHUFFLE, "normal_kd", R18, _gain(70.34, 1.71)),
        Cell(R18, "tf_kd_self", R18, Published(77.10, None, 1.23)),
        Cell(R18, "normal_kd", R50, _gain(75.87, 1.19)),
        Cell(GOOGLE, "tf_kd_self", GOOGLE, Published(80.17, None, 1.45)),
        Cell(GOOGLE, "normal_kd", RX29, _gain(78.72, 1.39)),
        Cell(DENSE, "tf_kd_self", DENSE, Published(80.26, None, 1.22)),
        Cell(DENSE, "normal_kd", RX29, _gain(79.04, 1.15)),
        Cell(RX29, "tf_kd_self", RX29, Published(82.08, None, 1.05)),
        Cell(RX29, "normal_kd", RX101, _gain(81.03, 1.12)),
    ),
)
_TABLE_6 = Block(
    "tiny-imagenet",
    _TINY,
    (
        Cell(MOBILE, "tf_kd_self", MOBILE, Published(56.77, None, 1.71)),
        Cell(MOBILE, "normal_kd", R18, _gain(55.06, 1.64)),
        Cell(SHUFFLE, "tf_kd_self", SHUFFLE, Published(61.36, None, 0.85)),
        Cell(SHUFFLE, "normal_kd", R18, _gain(60.51, 0.68)),
        Cell(R50, "tf_kd_self", R50, Published(68.18, None, 0.71)),
        Cell(R50, "normal_kd", DENSE, _gain(67.47, 0.76)),
        Cell(DENSE, "tf_kd_self", DENSE, Published(68.29, None, 0.14)),
        Cell(DENSE, "normal_kd", RX29, _gain(68.15, 0.16)),
    ),
)
_TABLE_7 = Block(
    "imagenet",
    _IMAGENET,
    (
        Cell(IN_R18, "tf_kd_self", IN_R18, Published(70.42, None, 0.58)),
        Cell(IN_R50, "tf_kd_self", IN_R50, Published(76.41, None, 0.64)),
        Cell(IN_DENSE, "tf_kd_self", IN_DENSE, Published(75.72, None, 0.44)),
        Cell(IN_RX101, "tf_kd_self", IN_RX101, Published(79.56, None, 0.28)),
    ),
)
_TABLE_8 = Block(
    "imagenet",
    _IMAGENET,
    (
        Cell(IN_R18, "tf_kd_self", IN_R18, Published(70.42, None, 0.58)),
        Cell(IN_R18, "normal_kd", IN_DENSE, Published(70.40, None, 0.56)),
    ),
)
_TABLE_9 = Block(
    "cifar100",
    {**_CIFAR100, GOOGLE: 78.15},
    (
        Cell(MOBILE, "tf_kd_reg", None, Published(70.88, None, 2.50)),
        Cell(MOBILE, "normal_kd", R18, Published(71.05, None, 2.67)),
        Cell(MOBILE, "label_smoothing", None, Published(69.32, None, 0.94)),
        Cell(SHUFFLE, "tf_kd_reg", None, Published(72.09, None, 1.75)),
        Cell(SHUFFLE, "normal_kd", R18, Published(72.05, None, 1.71)),
        Cell(SHUFFLE, "label_smoothing", None, Published(70.83, None, 0.49)),
        Cell(R18, "tf_kd_reg", None, Published(77.36, None, 1.49)),
        Cell(R18, "normal_kd", R50, Published(77.19, None, 1.32)),
        Cell(R18, "label_smoothing", None, Published(77.26, None, 1.39)),
        Cell(GOOGLE, "tf_kd_reg", None, Published(79.22, None, 1.07)),
        Cell(GOOGLE, "normal_kd", RX29, _wrong(78.84, None, 0.99, 0.69)),
        Cell(GOOGLE, "label_smoothing", None, Published(79.07, None, 0.92)),
    ),
)
_TABLE_10 = Block(
    "tiny-imagenet",
    _TINY,
    (
        Cell(MOBILE, "tf_kd_reg", None, Published(56.47, None, 1.41)),
        Cell(MOBILE, "normal_kd", R18, Published(56.53, None, 1.47)),
        Cell(MOBILE, "label_smoothing", None, Published(56.24, None, 1.18)),
        Cell(SHUFFLE, "tf_kd_reg", None, Published(60.93, None, 0.42)),
        Cell(SHUFFLE, "normal_kd", R18, Published(61.19, None, 0.68)),
        Cell(SHUFFLE, "label_smoothing", None, _wrong(60.66, None, 0.11, 0.15)),
        Cell(R50, "tf_kd_reg", None, Published(67.92, None, 0.45)),
        Cell(R50, "normal_kd", RX29, Published(68.15, None, 0.68)),
        Cell(R50, "label_smoothing", None, Published(67.63, None, 0.16)),
        Cell(DENSE, "tf_kd_reg", None, _wrong(68.37, None, 0.18, 0.22)),
        Cell(DENSE, "normal_kd", RX29, _wrong(68.44, None, 0.26, 0.29)),
        Cell(DENSE, "label_smoothing", None, Published(68.19, None, 0.04)),
    ),
)
_TABLE_11 = Block(
    "imagenet",
    _IMAGENET,
    (
        Cell(IN_R18, "tf_kd_reg", None, Published(70.24, None, 0.40)),
        Cell(IN_R18, "label_smoothing", None, Published(70.02, None, 0.18)),
        Cell(IN_R50, "tf_kd_reg", None, Published(76.42, None, 0.65)),
        Cell(IN_R50, "label_smoothing", None, _wrong(76.38, None, 0.51, 0.61)),
        Cell(IN_DENSE, "tf_kd_reg", None, Published(75.62, None, 0.34)),
        Cell(IN_DENSE, "label_smoothing", None, Published(75.24, None, -0.04)),
        Cell(IN_RX101, "tf_kd_reg", None, Published(79.76, None, 0.48)),
        Cell(IN_RX101, "label_smoothing", None, Published(79.67, None, 0.39)),
    ),
)

TABLES: dict[int, tuple[Block, ...]] = {
    1: (_TABLE_1,),
    2: (_TABLE_2,),
    3: (_TABLE_3,),
    4: (_TABLE_4_CIFAR, _TABLE_4_TINY),
    5: (_TABLE_5,),
    6: (_TABLE_6,),
    7: (_TABLE_7,),
    8: (_TABLE_8,),
    9: (_TABLE_9,),
    10: (_TABLE_10,),
    11: (_TABLE_11,),
}
"""By number, the tables; Table 4 is on two data sets."""

FIGURE_2 = {
    R18: Curve((15.5, 75.9), (70.5, 70.5, 70.9, 70.9, 71.0, 70.5, 71.3)),
    RX29: Curve((14.3, 80.3), (70.8, 70.6, 71.4, 71.5, 71.6, 71.7, 71.8)),
}
"""By teacher, its curve, approximately; seven of nine points are legible. MobileNetV2: 68.4."""

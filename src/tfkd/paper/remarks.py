"""What each table of the paper asks, and where they contradict each other."""

from __future__ import annotations

from tfkd.method_table import METHODS
from tfkd.paper.published import FIGURE_2, R18, RX29, TABLES

TITLES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "tiny-imagenet": "Tiny-ImageNet",
    "imagenet": "ImageNet",
    R18: "ResNet18",
    RX29: "ResNeXt29",
}

_RE_KD = "Can a small network teach a larger one, as the larger one teaches it"
_DE_KD = "Does a poorly trained teacher teach as much as a fully trained one"
_SELF = "Does a network learn as much from a copy of itself as from a larger teacher"
_REG = "Does a designed virtual teacher teach more than label smoothing, and as much as a network"
QUESTIONS = {
    1: f"{_RE_KD}, on CIFAR-100?",
    2: f"{_RE_KD}, on CIFAR-10?",
    3: f"{_RE_KD}, on Tiny-ImageNet?",
    4: f"{_DE_KD}, on CIFAR-100 and Tiny-ImageNet?",
    5: f"{_SELF}, on CIFAR-100?",
    6: f"{_SELF}, on Tiny-ImageNet?",
    7: "Does a network learn from a copy of itself, on ImageNet?",
    8: f"{_SELF}, on ImageNet?",
    9: f"{_REG}, on CIFAR-100?",
    10: f"{_REG}, on Tiny-ImageNet?",
    11: "Does a designed virtual teacher teach more than label smoothing, on ImageNet?",
}
"""By number of the table."""

QUESTION_IN_SMALL = {
    "normal_kd": f"{_RE_KD}?",
    "de_kd": f"{_DE_KD}?",
    "tf_kd_self": f"{_SELF}?",
    "tf_kd_reg": f"{_REG}?",
}
"""By the first method of the table."""

IN_SMALL = "Not the paper's data and networks."
NUMBERS_IN_SMALL = (
    "Alpha, temperature and multiplier are those of MobileNetV2 on CIFAR-100 (of ResNet18 for "
    "Re-KD), and the released divergence has the weight that it has with 100 classes."
)

_RESNET18 = "ResNet18 taught by ResNet50 on CIFAR-100 gains +1.19 in Table 5 and +1.32 in Table 9."
_GOOGLENET = "GoogLeNet's baseline on CIFAR-100 is 78.72 in Table 5 and 78.15 in Table 9."
_MOBILENET = (
    "MobileNetV2 taught by ResNet18 on Tiny-ImageNet gains +1.64 (56.70) in Tables 3 and 6 and "
    "+1.47 (56.53) in Table 10."
)
_RESNET50 = (
    "ResNet50 on Tiny-ImageNet gains +0.76 taught by DenseNet121 in Table 6 and +0.68 taught by "
    "ResNeXt29 in Table 10."
)
_DENSENET = (
    "DenseNet121 taught by ResNeXt29 on Tiny-ImageNet gains +0.16 in Table 6 and +0.26 in Table 10."
)
_GAIN_ALONE = (
    "Of normal KD the table prints the gain alone; its accuracy is here the baseline plus it."
)
_DIVIDED = (
    "Of Tables 7 and 8, Table 7 is here Tf-KD_self of four networks and Table 8 normal KD beside "
    "it, of ResNet18."
)
TABLE_REMARKS: dict[int, tuple[str, ...]] = {
    3: (_MOBILENET,),
    4: (
        "The paper's ResNet18 after one epoch on Tiny-ImageNet has 9.41 % in Table 4, 9.14 % in "
        "the text.",
        "Published numbers of normal KD are those of Tables 1 and 3; of ResNet18 taught by "
        "ResNet50, of Table 9.",
        _RESNET18,
    ),
    5: (
        _GOOGLENET,
        _RESNET18,
        _GAIN_ALONE,
        "ResNeXt29 taught by ResNeXt101 (published: +1.12) is left out: that network was not "
        "released.",
    ),
    6: (_MOBILENET, _RESNET50, _DENSENET, _GAIN_ALONE),
    7: (_DIVIDED,),
    8: (_DIVIDED,),
    9: (_GOOGLENET, _RESNET18),
    10: (_MOBILENET, _RESNET50, _DENSENET),
}
"""By number of the table; a cell that contradicts itself has its remark in `Published`."""


def figure_2_remark() -> str:
    """Return what Figure 2 shows, approximately."""
    curves = [
        f"teachers {TITLES[teacher]} from {curve.teacher_accuracy[0]:g} to "
        f"{curve.teacher_accuracy[1]:g} %: students "
        f"{', '.join(f'{accuracy:g}' for accuracy in curve.student_accuracy)}"
        for teacher, curve in FIGURE_2.items()
    ]
    return (
        "Read off the paper's figure, approximately, MobileNetV2 on CIFAR-100 (alone: 68.4): "
        f"{'; '.join(curves)}."
    )


def gains_remark(number: int) -> str:
    """Return the range of gains that a table of the paper prints for each of its methods.

    Example:
        >>> gains_remark(1)
        'The paper, CIFAR-100: normal KD +1.71 to +3.27 points, Re-KD +0.50 to +1.48 points.'
    """
    parts = []
    for block in TABLES[number]:
        ranges = []
        for method in dict.fromkeys(cell.method for cell in block.cells):
            gains = [
                cell.published.gain
                for cell in block.cells
                if cell.method == method and cell.published.gain is not None
            ]
            ends = dict.fromkeys(f"{gain:+.2f}" for gain in (min(gains), max(gains)))
            ranges.append(f"{METHODS[method].title} {' to '.join(ends)} points")
        parts.append(f"{TITLES[block.data]}: {', '.join(ranges)}")
    return f"The paper, {'; '.join(parts)}."

"""The α, τ and multiplier of every pair of networks of the paper, in both dialects.

Source: the `params.json` files of github.com/yuanli2333/Teacher-free-Knowledge-Distillation at
d000ab3; Yuan et al., 2020, arXiv 1909.11723, section 5. The paper's own per-model numbers are in
its supplement, for which those files stand in.
"""

from __future__ import annotations

from typing import NamedTuple

from tfkd._checks import check_choice
from tfkd.method_table import BASELINE, DIALECTS
from tfkd.paper.published import (
    DENSE,
    GOOGLE,
    MOBILE,
    PLAIN,
    R18,
    R50,
    RX29,
    SHUFFLE,
    Cell,
)
from tfkd.runs import MethodSettings

CONFIDENCE = 0.99
SMOOTHING = 0.1
CLASSES = {"cifar10": 10, "cifar100": 100, "tiny-imagenet": 200, "imagenet": 1000}


FORMULA_REMARKS = {
    "tfkd": "Every loss has this package's defaults, chosen on validation data of digits and "
    "Fashion-MNIST.",
    "released": "The released divergence is divided by the number of classes and multiplied by "
    "a factor, its multiplier.",
    "paper": "As printed, the divergence has no factor of squared temperature: at 20 its weight is "
    "400 times smaller than in the usual KD, and little but (1 - alpha) times cross-entropy "
    "remains.",
}


class Numbers(NamedTuple):
    """Of one student: α, temperature, and the released code's factor on the teacher term."""

    alpha: float
    temperature: float
    multiplier: float = 1.0


_KD = {MOBILE: Numbers(0.95, 20.0), SHUFFLE: Numbers(0.95, 20.0), PLAIN: Numbers(0.9, 20.0)}
KD_OTHERS = Numbers(0.6, 20.0)
_SELF = {
    MOBILE: Numbers(0.95, 20.0),
    SHUFFLE: Numbers(0.95, 20.0),
    R18: Numbers(0.95, 6.0, 50.0),
    R50: Numbers(0.95, 6.0, 50.0),  # its own file lacks the multiplier: ResNet18's
    DENSE: Numbers(0.9, 20.0, 50.0),
    GOOGLE: Numbers(0.4, 20.0, 50.0),
    RX29: Numbers(0.9, 20.0, 100.0),
}
_REG = {
    MOBILE: Numbers(0.95, 40.0),
    SHUFFLE: Numbers(0.95, 10.0),
    R18: Numbers(0.1, 20.0, 100.0),
    R50: Numbers(0.1, 20.0, 100.0),  # its file has none: ResNet18's
    GOOGLE: Numbers(0.1, 40.0, 50.0),
    DENSE: Numbers(0.1, 40.0, 50.0),  # its file lacks the multiplier: GoogLeNet's
}
# The text for Tf-KD_reg, the code's defaults for the others; 1000 undoes the division by K.
_IMAGENET = Numbers(0.1, 20.0, 1000.0)


def numbers(method: str, student: str, data: str) -> Numbers:
    """Return the released numbers of a method with a teacher; they depend on the student alone.

    Args:
        method: a name of `tfkd.method_table.METHODS`.
        student: network that is trained.
        data: name of a data set of the paper.

    Example:
        >>> numbers("tf_kd_self", "resnet18", "cifar100")
        Numbers(alpha=0.95, temperature=6.0, multiplier=50.0)
    """
    if data == "imagenet":
        return _IMAGENET
    if method == "tf_kd_self":
        return _SELF[student]
    if method == "tf_kd_reg":
        return _REG[student]
    return _KD.get(student, KD_OTHERS)


def method_settings(
    method: str, *, dialect: str, own: Numbers | None, num_classes: int, as_with: int | None = None
) -> MethodSettings:
    """Return the loss of a method in a dialect.

    Args:
        method: a name of `tfkd.method_table.METHODS`.
        dialect: `released`, `paper`, or `tfkd` for this package's defaults.
        own: its numbers; None for cross-entropy, label smoothing and the dialect `tfkd`.
        num_classes: number of classes K of the data.
        as_with: the released divergence has the weight that it has with so many classes; None:
            with K.

    Raises:
        ValueError: for another dialect, or no numbers.

    Example:
        >>> method = method_settings(
        ...     "de_kd", dialect="released", own=Numbers(0.6, 20.0), num_classes=10, as_with=100
        ... )
        >>> method.name, method.numbers["alpha"], method.numbers["multiplier"]
        ('de_kd', 0.6, 0.1)
    """
    check_choice("dialect", dialect, tuple(DIALECTS))
    if method == BASELINE:
        return MethodSettings()
    if dialect == "tfkd":
        return MethodSettings(method)
    if method == "label_smoothing":
        return MethodSettings(method, dialect, {"alpha": SMOOTHING})
    if own is None:
        raise ValueError(f"Expected the numbers of {method} in `own`, got None.")
    numbers = {"alpha": own.alpha, "temperature": own.temperature}
    if method == "tf_kd_reg":
        numbers["confidence"] = CONFIDENCE
    if dialect == "released":
        numbers["multiplier"] = own.multiplier * num_classes / (as_with or num_classes)
    return MethodSettings(method, dialect, numbers)


def number_remarks(cells: tuple[Cell, ...], data: str, dialect: str) -> list[str]:
    """Return where numbers are stand-ins, and what a dialect's formulas amount to.

    Args:
        cells: what is trained.
        data: name of a data set of the paper.
        dialect: `released` or `paper`.
    """
    methods = {cell.method for cell in cells}
    remarks = [FORMULA_REMARKS[dialect]]
    if dialect == "paper" and data != "imagenet":
        remarks.append(
            "Alpha and temperature are the released code's; the paper's are in its supplement."
        )
    if data == "imagenet":
        remarks.append(
            "Alpha 0.1 and temperature 20 are the text's for Tf-KD_reg; for the others, the "
            "defaults of the code."
        )
        if dialect == "released":
            remarks.append(
                "The ImageNet code lacks the file of its losses. Here its divergence is not "
                "divided by the number of classes (multiplier 1000): divided, its weight would be "
                "0.0001."
            )
    if data == "tiny-imagenet":
        remarks.append(
            "No numbers for Tiny-ImageNet were released: those of the same student on CIFAR-100 "
            "stand in."
        )
    if data in ("tiny-imagenet", "imagenet") and "tf_kd_reg" in methods and dialect == "released":
        remarks.append(
            "Tf-KD_reg has the formula released for CIFAR-100, whose student is not tempered. The "
            "authors say (issue 3 of their repository) that it was tempered on these data; that "
            "code was not released, and dialect paper has it."
        )
    if (SHUFFLE, "tf_kd_reg") in {cell[:2] for cell in cells}:
        remarks.append(
            "ShuffleNetV2's temperature for Tf-KD_reg is 10 in the code, below the 20 and more "
            "that the text recommends."
        )
    if data != "imagenet":
        remarks += [remark for cell in cells if (remark := _stand_in(cell)) is not None]
    return remarks


def _stand_in(cell: Cell) -> str | None:
    """Where the released code has no numbers for a cell, whose it has."""
    student, method, teacher = cell[:3]
    if method == "tf_kd_self" and student == R50:
        return "Tf-KD_self of ResNet50 has ResNet18's numbers: its own file lacks the multiplier."
    if method == "tf_kd_reg" and student == R50:
        return "Tf-KD_reg of ResNet50 has ResNet18's numbers: its own file has none."
    if method == "tf_kd_reg" and student == DENSE:
        return "Tf-KD_reg of DenseNet121 has GoogLeNet's multiplier: its own file lacks it."
    if method not in ("normal_kd", "re_kd", "de_kd"):
        return None
    if student in (MOBILE, SHUFFLE):
        if method != "re_kd":
            return None
        return f"No numbers were released for Re-KD of {student}: those of its normal KD stand in."
    documented = {
        "re_kd": student in (R18, R50, DENSE, RX29),
        "normal_kd": (student, teacher) in ((R18, R50), (R18, RX29), (PLAIN, R18)),
        "de_kd": (student, teacher) in ((R18, R50), (R18, RX29)),
    }
    if documented[method]:
        return None
    nearest = "the plain CNN's by ResNet18" if student == PLAIN else "ResNet18's by ResNet50"
    return f"No numbers were released for {student} taught by {teacher}: {nearest} stand in."

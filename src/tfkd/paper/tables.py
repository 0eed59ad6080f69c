"""Tables 1 to 11 and Figure 2 of the paper as studies, on its own data and networks.

Source: Yuan et al., "Revisiting Knowledge Distillation via Label Smoothing Regularization", CVPR
2020, arXiv 1909.11723.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from tfkd.paper.arms import (
    SNAPSHOTS,
    method_arm,
    named_as_in_tables,
    plain_arm,
    with_controls,
    with_equal_smoothing,
)
from tfkd.paper.contrasts import WORTHWHILE, figure_contrasts, table_contrasts
from tfkd.paper.figure_2 import figure_2
from tfkd.paper.numbers import CLASSES, method_settings, number_remarks, numbers
from tfkd.paper.published import (
    DEFECTIVE_TEACHERS,
    FIGURE_2,
    MOBILE,
    R18,
    R50,
    RX29,
    RX101,
    TABLES,
    Block,
)
from tfkd.paper.recipes import recipe, recipe_remarks
from tfkd.paper.remarks import QUESTIONS, TABLE_REMARKS, figure_2_remark
from tfkd.study.plan import Arm, Study

CONTROLS = ("scaled", "uninformed", "smoothed")

# Of CIFAR-100: what each network keeps for Table 4 and Figure 2, whichever study trains it first.
_KEPT = {R18: SNAPSHOTS, R50: (50,), RX29: SNAPSHOTS}


def table(
    number: int,
    *,
    dialect: str = "released",
    seeds: int = 3,
    controls: Sequence[str] = CONTROLS,
) -> Study:
    """Plan a table of the paper.

    Args:
        number: 1 to 11. 1, 2, 3: normal KD and Re-KD; 4: De-KD; 5 to 8: Tf-KD_self; 9, 10, 11:
            Tf-KD_reg.
        dialect: `released` (loss, numbers and recipe of the released code) or `paper` (equations
            as printed, recipe of the text).
        seeds: number of seeds.
        controls: names of `tfkd.study.plan.CONTROLS`.

    Raises:
        ValueError: for another table or dialect, an unknown control or no seed.

    Example:
        >>> study = table(1, seeds=1, controls=())
        >>> study.arm("mobilenet_v2/released-normal_kd-resnet18").published.gain
        2.67
    """
    if number not in TABLES:
        raise ValueError(f"Expected `number` from 1 to {max(TABLES)}, got {number}.")
    arms: list[Arm] = []
    remarks = list(TABLE_REMARKS.get(number, ()))
    for block in TABLES[number]:
        place = "" if block is TABLES[number][0] else f"{block.data}/"
        own = with_equal_smoothing(_arms(block, dialect, place), CLASSES[block.data])
        arms += with_controls(own, controls, CLASSES[block.data])
        remarks += [
            f"{arm.name}: {arm.published.remark}."
            for arm in own
            if arm.published is not None and arm.published.remark is not None
        ]
        trained = tuple(arm.recipe.student for arm in own)
        remarks += recipe_remarks(block.data, dialect, trained)
        remarks += number_remarks(block.cells, block.data, dialect)
    return Study(
        f"table-{number}",
        QUESTIONS[number],
        tuple(arms),
        seeds,
        tuple(dict.fromkeys(remarks)),
        contrasts=table_contrasts(number, arms),
        worthwhile=WORTHWHILE,
    )


def figure_2_of_paper(
    *, dialect: str = "released", seeds: int = 3, controls: Sequence[str] = CONTROLS
) -> Study:
    """Plan Figure 2: MobileNetV2 taught by nine snapshots of ResNet18 and of ResNeXt29.

    Args and Raises: as for `table`.
    """
    data = "cifar100"
    method = method_settings(
        "normal_kd",
        dialect=dialect,
        own=numbers("normal_kd", MOBILE, data),
        num_classes=CLASSES[data],
    )
    study = figure_2(
        recipe(data, MOBILE, dialect=dialect),
        teachers=tuple(FIGURE_2),
        method=method,
        snapshots=SNAPSHOTS,
        seeds=seeds,
    )
    block = TABLES[1][0]
    plain = [_plain(block, name, dialect) for name in (MOBILE, *FIGURE_2)]
    taught = [arm for arm in named_as_in_tables(study) if arm.teacher is not None]
    remarks = (
        "The paper does not say after which epochs its nine snapshots were taken: here "
        f"{', '.join(map(str, SNAPSHOTS))}.",
        figure_2_remark(),
        *recipe_remarks(data, dialect, (MOBILE, *FIGURE_2)),
        *number_remarks((), data, dialect),
    )
    arms = with_controls([*plain, *taught], controls, CLASSES[data])
    return replace(
        study,
        arms=tuple(arms),
        remarks=remarks,
        contrasts=figure_contrasts(arms),
        worthwhile=WORTHWHILE,
    )


def _arms(block: Block, dialect: str, place: str) -> list[Arm]:
    """The baselines of a block, each followed by the cells of its network."""
    cells = [cell for cell in block.cells if cell.teacher != RX101]
    taking_part = [name for cell in cells for name in (cell.student, cell.teacher)]
    arms = []
    for network in dict.fromkeys(name for name in taking_part if name is not None):
        arms.append(_plain(block, network, dialect, place))
        for cell in cells:
            if cell.student != network:
                continue
            epoch = None
            if cell.method == "de_kd":
                epoch = DEFECTIVE_TEACHERS[block.data, str(cell.teacher)][0]
            own = None
            if cell.method != "label_smoothing":
                own = numbers(cell.method, network, block.data)
            method = method_settings(
                cell.method, dialect=dialect, own=own, num_classes=CLASSES[block.data]
            )
            arms.append(
                method_arm(
                    method,
                    recipe(block.data, network, dialect=dialect),
                    teacher=cell.teacher,
                    epoch=epoch,
                    place=place,
                    published=cell.published,
                )
            )
    return arms


def _plain(block: Block, network: str, dialect: str, place: str = "") -> Arm:
    return plain_arm(
        recipe(block.data, network, dialect=dialect),
        place=place,
        accuracy=block.baselines.get(network),
        keep=_KEPT.get(network, ()) if block.data == "cifar100" else (),
    )

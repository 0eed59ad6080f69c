"""What a comparison is asked for: methods at their defaults, and entries that were chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tfkd.method_table import BASELINE, METHODS, find_method, full_name
from tfkd.runs import MethodSettings, Recipe
from tfkd.runs.chosen import Chosen
from tfkd.study.plan import Arm

TEACHER = "teacher"
"""The entry by whose settings the larger network is trained, with cross-entropy."""


@dataclass(frozen=True)
class Asked:
    """One method that is compared.

    Attributes:
        name: of its arm, without the network.
        method: with its numbers.
        chosen: the entry that it comes from; None: nothing was chosen for it.
    """

    name: str
    method: MethodSettings
    chosen: Chosen | None = None


def asked_for(
    methods: Sequence[str] | None, chosen: Sequence[Chosen], *, usual: Sequence[str]
) -> list[Asked]:
    """Return what is compared: entries in their order, then methods in that of the table.

    Args:
        methods: names of methods or entries; None: all entries, or without any the usual ones.
        chosen: the entries.
        usual: names of methods.

    Raises:
        ValueError: for a name that is neither an entry's nor a method's.
    """
    entries = [own for own in chosen if own.name != TEACHER]
    if methods is None and chosen:
        return [Asked(own.name, own.method, own) for own in entries]
    names = [str(name) for name in (usual if methods is None else methods)]
    known = {own.name for own in entries}
    full = [name if name in known else full_name(name) for name in names]
    of_file = [own for own in entries if own.name in full or own.method.name in full]
    found = known | {own.method.name for own in entries}
    rest = [MethodSettings(name) for name in dict.fromkeys(full) if name not in found]
    order = list(METHODS)
    rest.sort(key=lambda own: order.index(own.name) if own.name in order else len(order))
    return [
        *(Asked(own.name, own.method, own) for own in of_file),
        *(Asked(folder_of(own.name), own) for own in rest),
    ]


def folder_of(method: str) -> str:
    """Return what a method's directory is called.

    Example:
        >>> folder_of("my_package.losses:my_method"), folder_of("tf_kd_reg")
        ('my_package.losses.my_method', 'tf_kd_reg')
    """
    return method.replace(":", ".")


class Plain:
    """Plain cross-entropy on each network: what others are compared with, and who teaches them.

    Args:
        base: data, student and recipe of every run.
        chosen: the entries, that of cross-entropy and that of the teacher perhaps among them.

    Raises:
        ValueError: for a teacher that is to be trained with another method.
    """

    def __init__(self, base: Recipe, chosen: Sequence[Chosen]) -> None:
        self._base = base
        own = [each for each in chosen if each.method.name == BASELINE and each.name != TEACHER]
        self._own = own[0] if own else None
        self._teacher = next((each for each in chosen if each.name == TEACHER), None)
        if self._teacher is not None and self._teacher.method.name != BASELINE:
            raise ValueError(
                f"Expected the entry {TEACHER} of `chosen` to be of {BASELINE}, got "
                f"{self._teacher.method.name}."
            )

    def _chosen(self, network: str) -> Chosen | None:
        return self._own if network == self._base.student else self._teacher

    def arm(self, network: str) -> Arm:
        """Return the arm of a network."""
        recipe, found = self._base.for_student(network), self._chosen(network)
        if found is None:
            return Arm(f"{network}/{BASELINE}", MethodSettings(), recipe)
        name = BASELINE if found.name == TEACHER else found.name
        return Arm(f"{network}/{name}", found.method, found.recipe(recipe))

    def remarks(self, asked: Sequence[Asked], arms: Iterable[Arm]) -> tuple[str, ...]:
        """Return what a reader must know of how a comparison at chosen settings came about.

        Args:
            asked: what is compared.
            arms: what is trained.
        """
        remarks = [
            "Each method has the numbers, learning rate and weight decay that were chosen for it "
            "before."
        ]
        if self._own is None:
            remarks.append(
                "Nothing was chosen for cross-entropy: it has the learning rate and weight decay "
                "of the recipe."
            )
        untuned = [
            find_method(own.method.name).title
            for own in asked
            if own.chosen is None and own.method.name != BASELINE
        ]
        if untuned:
            remarks.append(
                f"Not tuned, at the defaults with cross-entropy's learning rate and weight decay: "
                f"{', '.join(untuned)}."
            )
        others = dict.fromkeys(arm.recipe.student for arm in arms)
        remarks += [
            f"Nothing was chosen for {network}, which teaches: it is trained with the learning "
            "rate and weight decay of the recipe."
            for network in others
            if network != self._base.student and self._teacher is None
        ]
        return tuple(remarks)

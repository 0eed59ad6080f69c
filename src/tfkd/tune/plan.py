"""What is searched, for which methods, with which budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import force_setattr

from tfkd._checks import check_choice, check_integer
from tfkd.method_table import BASELINE, find_method, full_name
from tfkd.runs import MethodSettings, Recipe
from tfkd.runs.chosen import Chosen
from tfkd.runs.settings import check_cache_form
from tfkd.runs.several_labels import check_one_label
from tfkd.study.asked import TEACHER, folder_of
from tfkd.study.comparison import NAMED_INSTEAD, has_two_networks, student_and_teacher
from tfkd.tune.objective import OBJECTIVES, Objective, ObjectiveName
from tfkd.tune.ranges import DECAYS, RATES, Range, range_around

FIRST_SEED = 1000
"""Of the runs by which settings are chosen; those of a comparison count from 0."""

MOST_SEEDS = 100
MOST_TRIALS = 10_000


@dataclass(frozen=True)
class Entry:
    """One thing that is tuned: it becomes an entry of chosen.json.

    Attributes:
        name: of the entry.
        method: with the numbers that the first trial has.
        student: name of the network that is trained.
        taught_by: name of the network that teaches; None if none does.
        start: learning rate and weight decay of the first trial; None: the recipe's own.
        keeps_numbers: whether learning rate and weight decay alone are searched.
    """

    name: str
    method: MethodSettings
    student: str
    taught_by: str | None
    start: Chosen | None = None
    keeps_numbers: bool = False


class Tuning(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A search for the settings of several methods, with the same budget for each.

    Attributes:
        recipe: data, student and recipe of every run but for learning rate and weight decay.
        teacher: name of the larger network, for methods that have one.
        methods: names; cross-entropy, with which they will be compared, is always the first.
        chosen: entries whose numbers stay as they are: learning rate and weight decay alone are
            searched for them.
        tune_teacher: whether the larger network's own cross-entropy is tuned too, as the entry
            `teacher`; those networks that teach in this search are not of it.
        teacher_chosen: the entries `cross_entropy` and `teacher` by which the networks that teach
            are trained: the student's own kind, and the larger one. Those without an entry are
            trained at the recipe's own settings.
        trials: settings tried for each method, at least 1.
        seeds: runs of each setting, from seed 1000; the seeds of a comparison are others.
        objective: what decides, of `OBJECTIVES`, averaged over the seeds.
        learning_rates: smallest and largest that is tried; None: from a tenth of the recipe's own
            to three times that.
        weight_decays: likewise; None: from a tenth of the recipe's own to ten times that.
        teacher_cache: how outputs of network teachers are stored.
        prune: whether a setting that is worse than half of the others with the first seed is given
            no more seeds.
        search_seed: of the search itself.

    Raises:
        ValueError: for unknown methods, names that come twice, numbers out of range, or folds.
    """

    recipe: Recipe
    teacher: str
    methods: tuple[str, ...] = ()
    chosen: tuple[Chosen, ...] = ()
    tune_teacher: bool = False
    teacher_chosen: tuple[Chosen, ...] = ()
    trials: int = 20
    seeds: int = 2
    objective: ObjectiveName = "calibrated_nll"
    learning_rates: Range | None = None
    weight_decays: Range | None = None
    teacher_cache: str = "none"
    prune: bool = True
    search_seed: int = 0

    def __post_init__(self) -> None:
        check_one_label(self.recipe.data, "to choose settings")
        names = dict.fromkeys([BASELINE, *(full_name(name) for name in self.methods)])
        force_setattr(self, "methods", tuple(names))
        check_integer("search_seed", self.search_seed, minimum=0)
        for name, most in (("trials", MOST_TRIALS), ("seeds", MOST_SEEDS)):
            if not 1 <= check_integer(name, getattr(self, name), minimum=1) <= most:
                raise ValueError(f"Expected `{name}` from 1 to {most}, got {getattr(self, name)}.")
        check_choice("objective", self.objective, tuple(OBJECTIVES))
        check_cache_form(self.teacher_cache)
        if self.recipe.data.folds is not None:
            raise ValueError(
                f"Expected no `folds` while settings are chosen, got {self.recipe.data.folds}: the "
                "images that one fold is tested on are validation images of another, so what is "
                "chosen on them would know them. Choose on a validation split, and compare at the "
                "settings found."
            )
        self._check_methods()
        optimizer = self.recipe.optimizer
        rates = range_around("learning_rates", self.learning_rates, optimizer.learning_rate, RATES)
        decays = range_around("weight_decays", self.weight_decays, optimizer.weight_decay, DECAYS)
        force_setattr(self, "learning_rates", rates)
        force_setattr(self, "weight_decays", decays)

    def _check_methods(self) -> None:
        methods = [*self.methods, *(own.method.name for own in self.chosen)]
        for name in methods:
            if find_method(name).taught_by == "any":
                raise ValueError(
                    f"Expected `methods` with a teacher of their own, got {name!r}: "
                    f"{NAMED_INSTEAD}."
                )
        taught = [name for name in methods if has_two_networks(name)]
        if (taught or self.tune_teacher) and self.recipe.student == self.teacher:
            raise ValueError(
                f"Expected a `teacher` other than the student{' for ' * bool(taught)}"
                f"{', '.join(taught)}, got {self.teacher} for both."
            )
        names = [entry.name for entry in self.entries]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"Expected entries with names of their own, got {name} twice.")
        for own in self.teacher_chosen:
            if own.name in (BASELINE, TEACHER) and own.method.name != BASELINE:
                raise ValueError(
                    f"Expected the entry {own.name} of `teacher_chosen` to be of {BASELINE}, got "
                    f"{own.method.name}."
                )

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is tuned: methods, entries that keep their numbers, and perhaps the teacher."""
        found = [
            Entry(folder_of(name), MethodSettings(name), *self._networks(name))
            for name in self.methods
        ]
        found += [
            Entry(own.name, own.method, *self._networks(own.method.name), own, keeps_numbers=True)
            for own in self.chosen
        ]
        if self.tune_teacher:
            found.append(Entry(TEACHER, MethodSettings(BASELINE), self.teacher, None))
        return tuple(found)

    def _networks(self, method: str) -> tuple[str, str | None]:
        return student_and_teacher(method, self.recipe.student, self.teacher)

    def entry(self, name: str) -> Entry:
        """Return the entry of a name."""
        return next(entry for entry in self.entries if entry.name == name)

    def teacher_recipe(self, network: str) -> Recipe:
        """Return the recipe of a network that teaches."""
        recipe = self.recipe.for_student(network)
        name = BASELINE if network == self.recipe.student else TEACHER
        own = next((each for each in self.teacher_chosen if each.name == name), None)
        return recipe if own is None else own.recipe(recipe)

    @property
    def run_seeds(self) -> tuple[int, ...]:
        """The seeds of the runs of each setting."""
        return tuple(range(FIRST_SEED, FIRST_SEED + self.seeds))

    @property
    def goal(self) -> Objective:
        """What decides."""
        return OBJECTIVES[self.objective]

    @property
    def ranges(self) -> dict[str, Range]:
        """Where learning rate and weight decay are searched."""
        assert self.learning_rates is not None
        assert self.weight_decays is not None
        return {"learning_rate": self.learning_rates, "weight_decay": self.weight_decays}


def entries_beside(methods: Sequence[str], chosen: Sequence[Chosen]) -> tuple[Chosen, ...]:
    """Return the entries of a file that are not tuned as a whole: no teacher's, no method's own.

    Args:
        methods: names of those that are.
        chosen: the entries.
    """
    own = {TEACHER, BASELINE, *(folder_of(full_name(name)) for name in methods)}
    return tuple(each for each in chosen if each.name not in own)

"""What was planned for a budget of time, and how much of it is used: kept over interruptions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from tfkd._checks import check_at_least_0, check_positive
from tfkd.advice.budget import BASELINE, METHODS, Fitting, Size
from tfkd.runs import files

SESSION_FILE = "recommend.json"


class Session(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was planned for a budget, and how much of it is used.

    Attributes:
        minutes: the budget.
        methods: that are compared, cross-entropy first.
        size: of tuning and comparison; None where nothing can be told.
        left_out: sentences on what did not fit.
        least: seconds in which something could be told.
        spent: seconds that were used.
    """

    minutes: float
    methods: tuple[str, ...]
    size: Size | None
    left_out: tuple[str, ...]
    least: float
    spent: float = 0.0

    def __post_init__(self) -> None:
        check_positive("minutes", self.minutes)
        check_at_least_0("spent", self.spent)
        if self.methods[:1] != (BASELINE,) or not {BASELINE, *METHODS}.issuperset(self.methods):
            raise ValueError(
                f"Expected `methods` of {BASELINE}, {', '.join(METHODS)}, that first, got "
                f"{', '.join(self.methods) or 'none'}."
            )


class Budget:
    """A budget of time that is being used.

    Args:
        minutes: of it.
        root: directory in which is kept how much is used.
        clock: seconds that pass.
    """

    def __init__(self, minutes: float, root: Path, clock: Callable[[], float]) -> None:
        self._minutes, self._file, self._clock = minutes, root / SESSION_FILE, clock
        self._began, self._session = clock(), None

    _session: Session | None

    def plan(self, found: Fitting, *, compared: bool) -> Session:
        """Return the plan that the directory has for this budget, or for another one a new one.

        Once the comparison has begun, a smaller budget changes no plan: what was found with more
        time is not lost to less.

        Args:
            found: what fits into the budget now.
            compared: whether the comparison has begun.
        """
        session = self.planned(found, compared=compared)
        files.make_folder(self._file.parent)
        files.write_json(self._file, session)
        self._session = session
        return session

    def planned(self, found: Fitting, *, compared: bool) -> Session:
        """Return what `plan` does, and write nothing."""
        session = Session(
            minutes=self._minutes,
            methods=found.methods,
            size=found.size,
            left_out=found.left_out,
            least=found.least,
        )
        if self._file.is_file():
            before = files.read_json(self._file, Session)
            less = compared and before.size is not None and self._minutes < before.minutes
            stands = less or self._minutes == before.minutes
            session = before if stands else replace(session, spent=before.spent)
        return session

    @property
    def left(self) -> float:
        """Seconds that are left; below 0 where more was used."""
        before = 0.0 if self._session is None else self._session.spent
        return 60.0 * self._minutes - before - (self._clock() - self._began)

    def keep(self) -> None:
        """Write down how much is used."""
        if self._session is not None:
            spent = 60.0 * self._minutes - self.left
            files.write_json(self._file, replace(self._session, spent=spent))

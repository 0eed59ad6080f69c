"""The finished trials of every entry, in Optuna's journal; and the lock on the directory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from tfkd.runs import files
from tfkd.runs.lock import wait_for_lock
from tfkd.tune.outcome import State
from tfkd.tune.plan import Tuning
from tfkd.tune.sampler import direction_of, quiet_optuna

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import JournalStorage
    from optuna.trial import FrozenTrial

JOURNAL_FILE = "optuna.journal"
LOCK_FILE = ".tune.lock"


class Journal:
    """Optuna's journal of a directory, with one study for each entry.

    A trial comes into it when it is finished, in one line, so that a process may be killed at any
    moment. Optuna's own tools read it: the storage is
    `optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(FILE))`, and a study
    is called as its entry.

    Args:
        root: the directory.
        tuning: whose objective gives the direction.
    """

    def __init__(self, root: Path, tuning: Tuning) -> None:
        self._root, self._tuning = root, tuning
        self._storage: JournalStorage | None = None
        self._studies: dict[str, Study] = {}
        self._checked: dict[str, int] = {}

    @property
    def file(self) -> Path:
        """Where it lies."""
        return self._root / JOURNAL_FILE

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory, waiting for whoever holds it; all else is called within this."""
        with wait_for_lock(self._root / LOCK_FILE), quiet_optuna():
            _remove_torn_line(self.file)
            yield

    def finished(self, entry: str) -> Sequence[FrozenTrial]:
        """Return the finished trials of an entry, in their order.

        Raises:
            ValueError: if the journal is damaged, or holds what this program did not write.
        """
        try:
            trials = self._study(entry).get_trials(deepcopy=False)
        except OSError:
            raise
        except Exception as error:
            raise self._damaged(f"{type(error).__name__}: {error}") from error
        for trial in trials[self._checked.get(entry, 0) :]:
            if (
                trial.user_attrs.get("state") not in get_args(State)
                or not trial.state.is_finished()
            ):
                raise self._damaged(f"trial {trial.number} of {entry} is not of this program")
        self._checked[entry] = len(trials)
        return trials

    def _damaged(self, why: str) -> ValueError:
        return ValueError(
            f"Expected {self.file} as this program writes it: {why}. Delete it: it is written anew "
            "from the trials, which lie beside it."
        )

    def add(self, entry: str, trial: FrozenTrial) -> None:
        """Add a finished trial, which is then the entry's last."""
        self._study(entry).add_trial(trial)

    def _study(self, entry: str) -> Study:
        if entry not in self._studies:
            import optuna
            from optuna.storages.journal import JournalFileBackend

            if self._storage is None:
                # Whoever is here holds the directory; Optuna's own lock outlives its holder.
                lock = cast(Any, _NoLock())
                backend = JournalFileBackend(str(self.file), lock)
                self._storage = optuna.storages.JournalStorage(backend)
            storage = self._storage
            self._studies[entry] = (
                optuna.load_study(study_name=entry, storage=storage)
                if entry in optuna.get_all_study_names(storage)
                else optuna.create_study(
                    study_name=entry, storage=storage, direction=direction_of(self._tuning)
                )
            )
        return self._studies[entry]


class _NoLock:
    """In place of Optuna's lock, a file that would stay where its holder is killed."""

    def acquire(self) -> bool:
        """Do nothing."""
        return True

    def release(self) -> None:
        """Do nothing."""


def _remove_torn_line(file: Path) -> None:
    """Remove a last line without an end, of a writer that was killed within it."""
    if not file.exists() or files.check_regular(file) == 0:
        return
    with file.open("rb+") as stream:
        stream.seek(-1, os.SEEK_END)
        if stream.read() != b"\n":
            stream.seek(0)
            stream.truncate(stream.read().rfind(b"\n") + 1)

"""The finished trials of every method, in Optuna's journal; and a lock on the directory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tfkd.runs.lock import wait_for_lock
from tfkd.tune.plan import Tuning
from tfkd.tune.sampler import quiet_optuna

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

JOURNAL_FILE = "optuna.journal"
LOCK_FILE = ".tune.lock"


class Journal:
    """Optuna's journal of a directory, with one study for each method.

    A trial comes into it when it is finished, in one line, so that a process may be killed at any
    moment. It can be looked at with Optuna's own tools: the storage is
    `optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(FILE))`, and a study
    is called as its method.

    Args:
        root: the directory.
        tuning: whose objective gives the direction.
    """

    def __init__(self, root: Path, tuning: Tuning) -> None:
        self._root, self._tuning = root, tuning
        self._studies: dict[str, Study] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory, waiting for whoever holds it; all else is called within this."""
        with wait_for_lock(self._root / LOCK_FILE), quiet_optuna():
            _remove_torn_line(self._root / JOURNAL_FILE)
            yield

    def finished(self, method: str) -> Sequence[FrozenTrial]:
        """Return the finished trials of a method, in their order."""
        return self._study(method).get_trials(deepcopy=False)

    def add(self, method: str, trial: FrozenTrial) -> None:
        """Add a finished trial, which is then the method's last."""
        self._study(method).add_trial(trial)

    def _study(self, method: str) -> Study:
        if method not in self._studies:
            import optuna
            from optuna.storages.journal import JournalFileBackend

            # Whoever is here holds the directory; Optuna's own lock outlives its holder.
            backend = JournalFileBackend(str(self._root / JOURNAL_FILE), cast(Any, _NoLock()))
            storage = optuna.storages.JournalStorage(backend)
            direction = "maximize" if self._tuning.goal.maximise else "minimize"
            if method in optuna.get_all_study_names(storage):
                study = optuna.load_study(study_name=method, storage=storage)
            else:
                study = optuna.create_study(study_name=method, storage=storage, direction=direction)
            self._studies[method] = study
        return self._studies[method]


class _NoLock:
    """In place of Optuna's lock, a file that would stay where its holder is killed."""

    def acquire(self) -> bool:
        """Do nothing."""
        return True

    def release(self) -> None:
        """Do nothing."""


def _remove_torn_line(file: Path) -> None:
    """Remove a last line without an end, of a writer that was killed within it."""
    if not file.exists() or file.stat().st_size == 0:
        return
    with file.open("rb+") as stream:
        stream.seek(-1, os.SEEK_END)
        if stream.read() == b"\n":
            return
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)

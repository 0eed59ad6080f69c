"""Which setting a trial has: of the trials before it, and of nothing else."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from tfkd.tune.plan import Entry, Tuning
from tfkd.tune.space import Setting, axes, first_setting, setting_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


class Proposer:
    """Proposes the settings of an entry, one after the other.

    The first is the defaults. The next ones, up to the tenth, are drawn at random, and from then on
    by a tree-structured Parzen estimator over all numbers together (Bergstra et al., 2011,
    Algorithms for Hyper-Parameter Optimization; Falkner et al., 2018, arXiv 1807.01774). They are
    drawn from a seed of the search and the trial's number, so that a setting is the same in
    whatever process it is asked for, and all entries have the same learning rates and weight decays
    at random: none is lucky in these.

    Args:
        tuning: what is searched.
        entry: for which.
    """

    def __init__(self, tuning: Tuning, entry: Entry) -> None:
        self._tuning, self._entry = tuning, entry
        self._study: Study | None = None
        self._known = 0

    def next(self, finished: Sequence[FrozenTrial]) -> Setting:
        """Return the next setting.

        Args:
            finished: its trials before this one, in their order; those of the call before come
                first, and are known.
        """
        tuning, entry = self._tuning, self._entry
        if not finished:
            return first_setting(tuning, entry)
        import optuna

        searched = axes(tuning, entry)
        seed = _seed(tuning.search_seed, len(finished))
        with quiet_optuna():
            if self._study is None:
                self._study = optuna.create_study(direction=direction_of(tuning))
            study = self._study
            study.add_trials(finished[self._known :])
            self._known = len(finished)
            study.sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
            asked = study.ask({axis.name: axis.distribution() for axis in searched})
            # It is finished elsewhere, and comes back as one of those; this one counts for nothing.
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
        return setting_of(
            entry, {axis.name: axis.rounded(asked.params[axis.name]) for axis in searched}
        )


def propose(tuning: Tuning, entry: Entry, finished: Sequence[FrozenTrial]) -> Setting:
    """Return the next setting of an entry, as a `Proposer` does that knows of no trial yet."""
    return Proposer(tuning, entry).next(finished)


def direction_of(tuning: Tuning) -> Literal["minimize", "maximize"]:
    """Return what Optuna calls it."""
    return "maximize" if tuning.goal.maximise else "minimize"


def _seed(search_seed: int, number: int) -> int:
    digest = hashlib.sha256(f"{search_seed} {number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Let Optuna say nothing of what it does; what it was set to is put back."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Its earlier versions call the joint search experimental.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)

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
    from optuna.trial import FrozenTrial


def propose(tuning: Tuning, entry: Entry, finished: Sequence[FrozenTrial]) -> Setting:
    """Return the next setting of an entry.

    The first is the defaults. The next ones, up to the tenth, are drawn at random, and from then on
    by a tree-structured Parzen estimator over all numbers together (Bergstra et al., 2011,
    Algorithms for Hyper-Parameter Optimization; Falkner et al., 2018, arXiv 1807.01774). They are
    drawn from a seed of the search and the trial's number, so that a setting is the same in
    whatever process it is asked for, and all entries have the same learning rates and weight decays
    at random: none is lucky in these.

    Args:
        tuning: what is searched.
        entry: for which.
        finished: its trials before this one, in their order.
    """
    if not finished:
        return first_setting(tuning, entry)
    import optuna

    searched = axes(tuning, entry)
    seed = _seed(tuning.search_seed, len(finished))
    with quiet_optuna():
        study = optuna.create_study(
            direction=direction_of(tuning),
            sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True),
        )
        study.add_trials(finished)
        asked = study.ask({axis.name: axis.distribution() for axis in searched})
    return setting_of(
        entry, {axis.name: axis.rounded(asked.params[axis.name]) for axis in searched}
    )


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

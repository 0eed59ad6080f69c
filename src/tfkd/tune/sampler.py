"""Which setting a trial has: of the trials before it, and of nothing else."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tfkd.tune.plan import Tuning
from tfkd.tune.space import Setting, axes, default_setting, setting_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


def propose(tuning: Tuning, method: str, finished: Sequence[FrozenTrial]) -> Setting:
    """Return the next setting of a method.

    The first is the method's defaults. The next ones, up to the tenth, are drawn at random, and
    from then on by a tree-structured Parzen estimator (Bergstra et al., 2011, Algorithms for
    Hyper-Parameter Optimization) over all numbers together. Drawn is from a seed of the search, the
    method and the trial, so that the setting is the same in whatever process it is asked for.

    Args:
        tuning: what is searched.
        method: its name.
        finished: its trials before this one, in their order.
    """
    if not finished:
        return default_setting(tuning, method)
    import optuna

    searched = axes(tuning, method)
    with quiet_optuna():
        study = optuna.create_study(
            direction="maximize" if tuning.goal.maximise else "minimize",
            sampler=optuna.samplers.TPESampler(
                seed=_seed(tuning, method, len(finished)), multivariate=True
            ),
        )
        study.add_trials(finished)
        asked = study.ask({axis.name: axis.distribution() for axis in searched})
    return setting_of(
        method, {axis.name: axis.clamped(asked.params[axis.name]) for axis in searched}
    )


def _seed(tuning: Tuning, method: str, number: int) -> int:
    text = f"{tuning.search_seed} {method} {number}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Let Optuna say nothing of what it does; what it is set to is put back."""
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

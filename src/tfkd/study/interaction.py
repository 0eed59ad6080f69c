"""Whether one difference depends on another: what a study asks beside its contrasts."""

from __future__ import annotations

from collections.abc import Sequence

from tfkd.study.over_seeds import against_zero
from tfkd.study.plan import Contrast, Interaction
from tfkd.study.records import Record
from tfkd.study.statistics.differences import PairedDifference


def difference_of(interaction: Interaction, records: Sequence[Record]) -> PairedDifference | None:
    """Return one contrast minus another, in points, over the seeds that have all of their arms.

    Args:
        interaction: that is asked for.
        records: of finished runs.

    Returns:
        Its mean, interval and p-value; None if no seed has all arms.
    """
    accuracies: dict[str, dict[int, float]] = {}
    for record in records:
        accuracies.setdefault(record.arm, {})[record.seed] = 100.0 * record.accuracy
    both = (interaction.of, interaction.minus)
    arms = [accuracies.get(arm, {}) for each in both for arm in (each.arm, each.against)]
    seeds = sorted(set.intersection(*map(set, arms)))
    if not seeds:
        return None

    def of(contrast: Contrast, seed: int) -> float:
        return accuracies[contrast.arm][seed] - accuracies[contrast.against][seed]

    return against_zero([of(both[0], seed) - of(both[1], seed) for seed in seeds])

"""What a study says beside its contrasts: slopes, and differences between differences."""

from __future__ import annotations

from collections.abc import Sequence

from tfkd.study.interaction import interaction_sentences
from tfkd.study.plan import Study
from tfkd.study.records import Record
from tfkd.study.slope import slopes


def beside_contrasts(study: Study, records: Sequence[Record]) -> list[str]:
    """Return a sentence on each slope and each interaction.

    Args:
        study: the plan.
        records: of its finished runs.
    """
    return [
        *(slope.sentence for slope in slopes(study, records)),
        *interaction_sentences(study, records),
    ]

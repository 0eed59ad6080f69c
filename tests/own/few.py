"""What a teacher says, as logits of all classes."""

from __future__ import annotations

import tfkd
from tfkd.teachers.few_logits import all_logits


def in_full(said, num_classes):
    """Return logits of all classes in place of few; others as they are."""
    return all_logits(said, num_classes) if isinstance(said, tfkd.FewLogits) else said

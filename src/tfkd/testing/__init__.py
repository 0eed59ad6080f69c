"""Invariants that every teacher keeps, to be run on anyone's.

`check_teacher` is what a test calls. What it looks at is a `subject`: a teacher in a small training
of its own. Each check is one named function of `answers`, `memory`, `loop` or `processes`.
"""

from tfkd.testing.check import Check, check_teacher

__all__ = ["Check", "check_teacher"]

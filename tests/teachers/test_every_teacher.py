"""The invariants that are offered to users, for every teacher of the table."""

from __future__ import annotations

import pytest
from teacher_table import TABLE, K

import tfkd
from tfkd.testing import check_teacher
from tfkd.testing.processes import held_against_one
from tfkd.testing.subject import Subject


def is_there(row):
    named = [name for name in row.make.__code__.co_names if name.endswith("Teacher")]
    return all(hasattr(tfkd, name) for name in (row.name, *named))


ROWS = [row for row in TABLE if is_there(row)]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.name} {row.note}".strip() for row in ROWS])
def test_every_invariant(row):
    compiles = row.compiles and not row.note  # once for each class: it takes longest
    checks = check_teacher(
        row.make, num_classes=K, alike=row.alike, compiles=compiles, **row.options
    )
    assert sum(check.left_out is None for check in checks) >= 12


def test_every_teacher_has_a_row():
    there = {name for name in tfkd.__all__ if name.endswith("Teacher")}
    there -= {"Teacher", "LastBatchTeacher"}
    assert there == {row.name for row in ROWS}


@pytest.mark.long
def test_two_processes_remember_what_one_does():
    subjects = [Subject(row.make, K, options=row.options) for row in ROWS]
    held_against_one([subject for subject in subjects if subject.hooks])

"""The invariants that are offered to users, for every teacher of the table."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

import tfkd
from tfkd.testing import check_teacher
from tfkd.testing.processes import held_against_one
from tfkd.testing.subject import Subject


def _table():
    # As tests are imported by path, so is what lies beside them.
    name = "tfkd_tests_teachers_table"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("table.py"))
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


ROWS = [row for row in _table().TABLE if hasattr(tfkd, row.name)]
K = _table().K


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.name} {row.note}".strip() for row in ROWS])
def test_every_invariant(row):
    checks = check_teacher(
        row.make, num_classes=K, alike=row.alike, compiles=row.compiles, **row.options
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

"""Fixtures shared by the tests of the loss: the float64 reference and every teacher."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _load_reference() -> ModuleType:
    # Tests are imported by path (importmode=importlib), so a sibling is loaded by path too.
    name = "tfkd_tests_reference"
    if name not in sys.modules:
        path = Path(__file__).with_name("reference.py")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `teacher_row` once for every teacher of the table."""
    if "teacher_row" in metafunc.fixturenames:
        rows = _load_reference().TEACHERS
        metafunc.parametrize("teacher_row", rows, ids=[row.name for row in rows])


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """Return the module of the float64 reference."""
    return _load_reference()

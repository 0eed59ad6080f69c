"""Every benchmark is there to be run: what it imports exists."""

import importlib
import inspect

import pytest

from records import HERE, read_options

NO_BENCHMARKS = {"cached_errors", "measure", "measured_methods", "records", "tables", "workload"}
SCRIPTS = sorted({path.stem for path in HERE.glob("*.py")} - NO_BENCHMARKS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_a_benchmark_imports_exists(name):
    main = importlib.import_module(name).main
    assert not inspect.signature(main).parameters
    assert read_options.__name__ in main.__code__.co_names
    assert name in (HERE.parent / "scripts" / "bench").read_text(encoding="utf-8")

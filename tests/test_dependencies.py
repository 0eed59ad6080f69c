"""Whatever is imported is declared in pyproject.toml, and the library imports torch alone."""

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib", reason="of Python 3.11 and later")
requirements = pytest.importorskip("packaging.requirements")

ROOT = Path(__file__).parents[1]
EXTRAS = (
    "_field_types.py",
    "adapters",
    "advice",
    "cli",
    "data",
    "models",
    "paper",
    "report",
    "runs",
    "study",
    "train",
    "tune",
)
BY_TORCH = {"filelock", "triton"}
"""Packages that torch itself depends on, and the library uses where it does."""


def normal(name):
    return name.lower().replace("_", "-").replace(".", "-")


def declared(*extras):
    """The packages of the library, of these extras, and of the extras that those name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found, left = set(), [*extras]
    listed = [*project["dependencies"]]
    while left:
        listed += project["optional-dependencies"][left.pop()]
    while listed:
        requirement = requirements.Requirement(listed.pop())
        if requirement.name == project["name"]:
            for extra in requirement.extras:
                listed += project["optional-dependencies"][extra]
        else:
            found.add(normal(requirement.name))
    return found


def python(*folders):
    return [file for folder in folders for file in (ROOT / folder).rglob("*.py")]


def imported(files):
    """By package from outside that files import: one of them, for the message."""
    ours = {"tfkd", *(file.stem for name in ("tests", "benchmarks") for file in python(name))}
    distributions, found = packages_distributions(), {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_bytes())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            for name in {name.partition(".")[0] for name in names}:
                if name not in sys.stdlib_module_names and name not in ours:
                    of = distributions.get(name, [name])
                    found[min(map(normal, of))] = f"{name} in {file.relative_to(ROOT)}"
    return found


def test_the_library_imports_what_its_dependencies_are():
    folder = ROOT / "src" / "tfkd"
    files = {
        file for file in folder.rglob("*.py") if file.relative_to(folder).parts[0] not in EXTRAS
    }
    found = imported(files)
    assert "torch" in found
    missing = found.keys() - declared() - BY_TORCH
    assert not missing, [found[name] for name in missing]


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("src", ["cli", "export", "heif", "hosts", "ray"]),
        ("tests", ["dev", "hosts"]),
        ("benchmarks", ["dev", "bench"]),
    ],
)
def test_what_is_imported_is_declared(folder, extras):
    found = imported(python(folder))
    assert "torch" in found
    missing = found.keys() - declared(*extras) - BY_TORCH
    assert not missing, [found[name] for name in missing]


def test_what_is_declared_is_imported():
    # Tools are called and not imported; types are for mypy.
    tools = {"import-linter", "mypy", "pytest-timeout", "pytest-xdist", "ruff", "types-pyyaml"}
    unused = declared("dev", "bench") - imported(python("src", "tests", "benchmarks")).keys()
    assert unused == tools

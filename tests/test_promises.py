"""The page of promises names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_promise_names_tests_that_exist():
    text = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    files = re.findall(r"`(tests/[\w/.]*)`", text)
    names = re.findall(r"`(test_\w+)(?:\.\.\.)?`", text)
    assert len(files) > 10
    assert len(names) > 5
    for file in files:
        assert (ROOT / file).exists(), file
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    for name in names:
        assert f"def {name}" in sources, name

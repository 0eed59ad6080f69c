"""One version, said alike wherever it is said."""

import re
from pathlib import Path

import tfkd
from tfkd.cli import main

ROOT = Path(__file__).parents[1]


def test_whoever_says_the_version_says_the_same(capsys):
    assert re.fullmatch(r"\d+\.\d+\.\d+", tfkd.__version__)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tfkd {tfkd.__version__}\n"
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {tfkd.__version__}\n" in cited
    newest = re.search(
        r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert newest is not None
    assert newest[1] == tfkd.__version__

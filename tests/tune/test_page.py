"""What docs/tuning.md says is so: its code runs, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tuning.md"


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.mark.usefixtures("one_thread")
def test_the_code_runs_and_prints_what_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert blocks("python")
    for block in blocks("python"):
        exec(block, {})
    assert capsys.readouterr().out == "".join(blocks("text"))


def test_its_numbers_are_those_of_the_code():
    from tfkd.tune import OBJECTIVES
    from tfkd.tune.plan import FIRST_SEED
    from tfkd.tune.ranges import DECAYS, RATES
    from tfkd.tune.tuned import NEAR

    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    named = re.findall(r"`(\w+)`", text.partition("the `--objective`: ")[2].partition("##")[0])
    assert set(OBJECTIVES) <= set(named)
    assert f"several seeds, {FIRST_SEED} and {FIRST_SEED + 1} for two" in text
    assert RATES == (1 / 10, 3.0)
    assert DECAYS == (1 / 10, 10.0)
    assert "from a tenth of the recipe's own to three times that" in text
    assert "the weight decay from a tenth to ten times" in text
    assert f"within {100 * NEAR:.0f} % of the best" in text

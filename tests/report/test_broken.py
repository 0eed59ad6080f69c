"""A report of a study in which one value of one file was changed: a page, or one line of error."""

import copy
import json
import shutil

import pytest

from tfkd.cli import main
from tfkd.study.directory import write_study

QUICK, LONG = 6, 60
NAMES = ("settings.json", "data.json", "environment.json", "metrics.jsonl", "result.json")
WEIRD = [None, True, -1, 0, 10**30, 1e308, float("nan"), "", "../../x", "x" * 3000, [], {}, "=1"]
WEIRD += ["\udc80", "<script>", [[]], 2**31, 0.5, [1], ["a", "b"], "scaled", "released", "a/b"]


def places(value):
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def broken_reports(study, root, folder, chance, cases, capsys, sealed):
    """Return how many reports were written and how many refused."""
    codes = []
    shutil.copytree(root, folder)
    write_study(study, folder)
    files = [*folder.glob("*.study.json")] * 10
    files += sorted(file for file in folder.rglob("seed-*/*") if file.name in NAMES)
    for number in range(cases):
        file = chance.choice(files)
        whole = file.read_bytes()
        values = [json.loads(line) for line in whole.splitlines()] if "jsonl" in file.name else None
        values = json.loads(whole) if values is None else values
        holder, key = chance.choice(list(places(values)))
        holder[key] = copy.deepcopy(chance.choice(WEIRD))
        lines = [json.dumps(row) + "\n" for row in values] if "jsonl" in file.name else None
        file.write_text("".join(lines) if lines is not None else json.dumps(values))
        if "study" not in file.name:
            sealed(file.parent)
        out = folder.parent / "out"
        for command in (
            ["study", "status", str(folder)],
            ["report", str(folder), "--out", str(out)],
        ):
            codes.append(main(command))
            error = capsys.readouterr().err
            lines = error.splitlines()
            if codes[-1] == 1:  # without the runs that are damaged, each in a line
                assert lines and all("left out" in line for line in lines), (number, file, error)
            else:
                assert (codes[-1], len(lines)) in ((0, 0), (2, 1)), (number, file, error)
            assert "--debug" not in error, (number, file, error)
        file.write_bytes(whole)
        if "study" not in file.name:
            sealed(file.parent)
    assert sorted(path.name for path in folder.parent.iterdir()) in (["out", "s"], ["s"])
    return codes.count(0) + codes.count(1), codes.count(2)


@pytest.mark.filterwarnings("ignore")
def test_one_changed_value_gives_a_page_or_one_line(small_study, sealed, chance, tmp_path, capsys):
    study, root, _ = small_study
    written, refused = broken_reports(study, root, tmp_path / "s", chance, QUICK, capsys, sealed)
    assert written + refused == 2 * QUICK


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.filterwarnings("ignore")
def test_many_changed_values_give_pages_or_one_line(small_study, sealed, chance, tmp_path, capsys):
    study, root, _ = small_study
    written, refused = broken_reports(study, root, tmp_path / "s", chance, LONG, capsys, sealed)
    with capsys.disabled():
        print(
            f"\n{LONG} studies with a changed value: {written} pages and tables, {refused} refused"
        )
    assert written > 0
    assert refused > 0

import argparse

import pytest
import torch

from measure import summarise
from records import COLUMNS, Records, read_rows


def options(path):
    return argparse.Namespace(out=path, device=torch.device("cpu"))


def measured(first, second):
    return summarise({"a": [first] * 3, "b": [second] * 3}, baseline="a", work=6.0, unit="images")


def test_measuring_again_replaces_the_rows_of_the_case_alone(tmp_path):
    path = tmp_path / "table.csv"
    records = Records("speed", options(path))
    records.add("small", measured(1.0, 2.0))
    records.add("large", measured(1.0, 3.0))
    records.add("small", measured(1.0, 4.0))
    rows = read_rows(path)
    found = {(row["case"], row["contender"]): float(row["ratio_median"]) for row in rows}
    assert len(rows) == 4
    assert found == {
        ("small", "a"): 1.0,
        ("small", "b"): 4.0,
        ("large", "a"): 1.0,
        ("large", "b"): 3.0,
    }


def test_rows_of_other_devices_and_benchmarks_stay(tmp_path):
    path = tmp_path / "table.csv"
    records = Records("speed", options(path))
    records.machine["device_name"] = "another"
    records.add("small", measured(1.0, 2.0))
    Records("speed", options(path)).add("small", measured(1.0, 3.0))
    Records("alone", options(path)).add("small", measured(1.0, 4.0))
    rows = read_rows(path)
    assert len(rows) == 6
    assert [row["benchmark"] for row in rows] == ["alone"] * 2 + ["speed"] * 4
    assert {row["device_name"] for row in rows if row["benchmark"] == "alone"} != {"another"}


def test_a_row_says_what_it_was_measured_on(tmp_path):
    path = tmp_path / "table.csv"
    Records("speed", options(path)).add("small", measured(1.0, 2.0))
    row = read_rows(path)[1]
    assert tuple(row) == COLUMNS
    assert row["torch"] == torch.__version__
    assert row["threads"] == str(torch.get_num_threads())
    assert (row["unit"], float(row["rate"]), row["repeats"]) == ("images", 3.0, "3")


def test_a_table_of_other_columns_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("benchmark,case\n", encoding="utf-8")
    with pytest.raises(ValueError, match="Expected the columns"):
        read_rows(path)

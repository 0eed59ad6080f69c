import pytest

from records import COLUMNS, HERE, Row
from tables import COLUMNS as TABLES
from tables import DOCUMENT, ERRORS, NOT_MEASURED, PART, fill


def row(**values: str) -> Row:
    machine = {
        "device": "cpu",
        "device_name": "Some CPU",
        "threads": "2",
        "python": "3.12",
        "torch": "2.9",
        "versions": "timm 1.0",
        "commit": "abc",
        "repeats": "15",
    }
    return {**dict.fromkeys(COLUMNS, ""), **machine, **values}


ROWS = [
    row(
        benchmark="step",
        case="net",
        contender="a",
        baseline="a",
        ratio_median="1.0",
        ratio_low="1.0",
        ratio_high="1.0",
        seconds_median="0.05",
        peak_mib="80",
        peak_ratio="1.0",
    ),
    row(
        benchmark="step",
        case="net",
        contender="b",
        baseline="a",
        ratio_median="1.0123",
        ratio_low="0.9991",
        ratio_high="1.0249",
        seconds_median="0.0006",
        peak_mib="40",
        peak_ratio="0.5",
    ),
]


def test_a_table_is_made_between_its_markers_and_the_prose_stays():
    document = "Before.\n\n<!-- table: step -->\nold\n<!-- end -->\n\nAfter.\n"
    filled = fill(document, ROWS)
    assert filled.startswith("Before.\n\n<!-- table: step -->\n\n| case | what | time |")
    assert filled.endswith("<!-- end -->\n\nAfter.\n")
    assert "| net | a | 50 ms | 1 | 80 MiB (1.00 ×) |" in filled
    assert "|  | b | 600 µs | 1.012 (0.999 to 1.025) | 40 MiB (0.50 ×) |" in filled
    assert "Some CPU (cpu), 2 threads; Python 3.12, torch 2.9, timm 1.0;" in filled
    assert "15 repeats; commit abc." in filled
    assert "old" not in filled
    assert fill(filled, ROWS) == filled


def test_machines_have_tables_of_their_own():
    other = [{**r, "device": "cuda", "device_name": "Some GPU"} for r in ROWS]
    filled = fill("<!-- table: step -->\n<!-- end -->", ROWS + other)
    assert filled.count("| case | what |") == 2
    assert "Some CPU (cpu)" in filled
    assert "Some GPU (cuda)" in filled


def test_what_was_not_measured_says_so():
    assert NOT_MEASURED in fill("<!-- table: loop -->\n<!-- end -->", ROWS)


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match="got 'speed'"):
        fill("<!-- table: speed -->\n<!-- end -->", ROWS)


def test_every_table_is_in_the_document_and_has_a_script():
    document = DOCUMENT.read_text(encoding="utf-8")
    assert sorted(part[2] for part in PART.finditer(document)) == sorted([*TABLES, ERRORS])
    bench = (HERE.parent / "scripts" / "bench").read_text(encoding="utf-8")
    for name in TABLES:
        assert (HERE / f"{name}.py").is_file()
        assert name in bench

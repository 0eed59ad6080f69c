"""Make the tables of docs/measurements.md from the table of measurements; the prose stays.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`, NAME being that of a benchmark, or
`cached_errors`, which is no matter of time and has a table of its own.

    python benchmarks/tables.py
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

import cached_errors
from records import TABLE, Row, read_rows
from tfkd.runs import files

DOCUMENT = TABLE.parent.parent / "docs" / "measurements.md"
PART = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
NOT_MEASURED = "Not measured yet.\n"
ERRORS = "cached_errors"


def seconds(row: Row) -> str:
    """Seconds of one call, in the unit that reads best."""
    value = float(row["seconds_median"])
    if value < 1e-3:
        return f"{value * 1e6:.3g} µs"
    return f"{value * 1e3:.3g} ms" if value < 1.0 else f"{value:.3g} s"


def ratio(row: Row) -> str:
    """Ratio to the baseline, with its quartiles."""
    if row["contender"] == row["baseline"]:
        return "1"
    median, low, high = (float(row[f"ratio_{part}"]) for part in ("median", "low", "high"))
    digits = 3 if 0.1 <= median < 2.0 else 2
    return f"{median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def three_digits(value: float) -> str:
    """Three digits that count, without powers of ten."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def memory(row: Row) -> str:
    """Peak memory, with its ratio to the baseline's."""
    if not row["peak_mib"]:
        return "–"
    peak = f"{three_digits(float(row['peak_mib']))} MiB"
    return f"{peak} ({float(row['peak_ratio']):.2f} ×)" if row["peak_ratio"] else peak


def floor(row: Row) -> str:
    """Time over that of the copy."""
    return f"{three_digits(float(row['over_floor']))} ×" if row["over_floor"] else "–"


def bandwidth(row: Row) -> str:
    """Bytes that must move over the time taken."""
    return three_digits(float(row["rate"]) / 1e9) if row["rate"] else "–"


def rate(row: Row) -> str:
    """Units of work a second."""
    return three_digits(float(row["rate"])) if row["rate"] else "–"


def rate_an_hour(row: Row) -> str:
    """Units of work an hour."""
    return three_digits(float(row["rate"]) * 3600) if row["rate"] else "–"


def written(row: Row) -> str:
    """Bytes of files, in MB."""
    return f"{float(row['work']) / 1e6:.3g} MB" if row["work"] else "–"


Column = tuple[str, Callable[[Row], str]]
TIME: Column = ("time", seconds)
RATIO: Column = ("× baseline (quartiles)", ratio)
PEAK: Column = ("peak memory", memory)
MOVED: tuple[Column, ...] = (("× copy", floor), ("GB/s", bandwidth))
COLUMNS: dict[str, tuple[Column, ...]] = {
    "loss": (TIME, RATIO, PEAK, *MOVED),
    "loss_on_gpu": (TIME, RATIO, PEAK, *MOVED),
    "linear": (TIME, RATIO, PEAK, ("tokens/s", rate)),
    "step": (TIME, RATIO, PEAK),
    "methods": (TIME, RATIO, PEAK),
    "teacher_cache": (TIME, RATIO, PEAK),
    "cached_answers": (TIME, RATIO, PEAK),
    "compiled": (TIME, RATIO, PEAK),
    "side_by_side": (TIME, RATIO),
    "loader": (TIME, RATIO, ("images/s", rate)),
    "loop": (TIME, RATIO),
    "start_up": (TIME, RATIO),
    "many_seeds": (TIME, RATIO, ("runs/h", rate_an_hour)),
    "growth_loss": (TIME, RATIO, PEAK, *MOVED),
    "growth_studies": (TIME, ("runs/s", rate)),
    "growth_tune": (TIME, ("files", written)),
    "growth_remembered": (TIME, RATIO, ("samples/s", rate)),
    "growth_processes": (TIME, RATIO),
}


def table(rows: list[Row], columns: tuple[Column, ...]) -> str:
    """Return the Markdown of one benchmark: a table for each machine, and what it was made on."""
    parts = []
    for machine in dict.fromkeys(_machine(row) for row in rows):
        mine = [row for row in rows if _machine(row) == machine]
        lines = [
            "| case | what | " + " | ".join(title for title, _ in columns) + " |",
            "|---|---|" + "---:|" * len(columns),
        ]
        before = None
        for row in mine:
            case = row["case"] if row["case"] != before else ""
            before = row["case"]
            cells = [show(row) for _, show in columns]
            lines.append(f"| {case} | {row['contender']} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines) + f"\n\n{provenance(mine)}\n")
    return "\n".join(parts)


def provenance(rows: list[Row]) -> str:
    """Say what rows of one machine were measured on, every value that occurs among them."""

    def values(name: str) -> str:
        return " and ".join(dict.fromkeys(row[name] for row in rows if row[name]))

    first = rows[0]
    baselines = values("baseline")
    return (
        f"Baseline: {baselines}. {first['device_name']} ({first['device']}), "
        f"{first['threads']} threads; Python {values('python')}, torch {values('torch')}, "
        f"{values('versions')}; {values('repeats')} repeats; commit {values('commit')}."
    )


def _machine(row: Row) -> tuple[str, ...]:
    return row["device"], row["device_name"], row["threads"]


def fill(document: str, rows: list[Row]) -> str:
    """Return the document with each table made anew.

    Raises:
        ValueError: if it asks for a table that no benchmark makes.
    """

    def made(part: re.Match[str]) -> str:
        name = part[2]
        if name == ERRORS:
            found = cached_errors.read()
            body = cached_errors.table(found) if found else NOT_MEASURED
            return f"{part[1]}\n{body}\n{part[3]}"
        if name not in COLUMNS:
            raise ValueError(f"Expected a table of {', '.join(COLUMNS)}, got {name!r}.")
        mine = [row for row in rows if row["benchmark"] == name]
        body = table(mine, COLUMNS[name]) if mine else NOT_MEASURED
        return f"{part[1]}\n{body}\n{part[3]}"

    return PART.sub(made, document)


def main() -> None:
    """Write the document's tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measured", type=Path, default=TABLE)
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    options = parser.parse_args()
    document = options.document.read_text(encoding="utf-8")
    files.write_text(options.document, fill(document, read_rows(options.measured)))


if __name__ == "__main__":
    main()

"""Write what was measured of each method into docs/methods, from the records in results/.

A sentence stands between `<!-- measured: ROW -->` and `<!-- end -->`, ROW being the method's of the
table, and the table of all between `<!-- measured: all -->` and `<!-- end -->`.

    python benchmarks/measured_methods.py
"""

from __future__ import annotations

import csv
import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from scipy import stats

from tfkd.method_table import BASELINE, METHODS
from tfkd.runs import files

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "results" / "later-methods" / "compare.csv"
TABLE = RECORDS.with_suffix(".table.csv")
STUDENT = "small_cnn"
PAGES = ROOT / "docs" / "methods"
PART = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
METRICS = ("accuracy", "nll", "calibrated_nll", "ece", "calibrated_ece", "calibrated_aurc")


class Measured(NamedTuple):
    """What one method came to, over the seeds.

    Args:
        method: its row.
        values: of each metric, one for each seed.
        baseline: the same of cross-entropy with that network.
        is_told: whether its accuracy is told from cross-entropy's, p corrected over all of them.
    """

    method: str
    values: dict[str, list[float]]
    baseline: dict[str, list[float]]
    is_told: bool

    @property
    def gains(self) -> list[float]:
        """Differences in accuracy of the seeds, in points."""
        pairs = zip(self.values["accuracy"], self.baseline["accuracy"], strict=True)
        return [100 * (own - plain) for own, plain in pairs]

    @property
    def accuracy(self) -> str:
        """Mean and standard deviation, in percent."""
        return spread(self.values["accuracy"])

    @property
    def gain(self) -> str:
        """The mean difference to cross-entropy with its interval."""
        low, high = interval(self.gains)
        return f"{signed(statistics.mean(self.gains))} ({signed(low)} to {signed(high)})"

    def mean(self, metric: str) -> str:
        """The mean of a metric: NLL in nats, the others in percent."""
        value = statistics.mean(self.values[metric])
        return f"{value:.3f}" if metric.endswith("nll") else f"{100 * value:.2f}"


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation of shares, in percent."""
    return f"{100 * statistics.mean(values):.2f} ± {100 * statistics.stdev(values):.2f}"


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """Student's t interval of 95 % of the mean."""
    mean, n = statistics.mean(differences), len(differences)
    half = stats.t.ppf(0.975, n - 1) * statistics.stdev(differences) / n**0.5
    return mean - half, mean + half


def signed(value: float) -> str:
    """A number with its sign, a true minus."""
    return f"{value:+.2f}".replace("-", "−")


def read_measured() -> list[Measured]:
    """Return the methods, cross-entropy first and then the most accurate."""
    by_method: dict[str, dict[int, dict[str, str]]] = {}
    with RECORDS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["student"] == STUDENT:
                by_method.setdefault(row["method"], {})[int(row["seed"])] = row
    values = {
        method: {name: [float(own[seed][name]) for seed in sorted(own)] for name in METRICS}
        for method, own in by_method.items()
    }
    told = told_apart()
    found = [Measured(name, own, values[BASELINE], name in told) for name, own in values.items()]
    return sorted(found, key=lambda own: (own.method != BASELINE, -statistics.mean(own.gains)))


def told_apart() -> set[str]:
    """Methods whose accuracy is told from cross-entropy's, as the study's own table has it."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["student"] == STUDENT]
    return {row["method"] for row in rows if row["adjusted_p"] and float(row["adjusted_p"]) <= 0.05}


def sentence(measured: Measured) -> str:
    """What the page of a method says of it."""
    plain = measured._replace(values=measured.baseline)
    seeds = len(measured.gains)
    told = ", ".join(
        f"{label} {measured.mean(f'calibrated_{name}')}{unit} ({plain.mean(f'calibrated_{name}')})"
        for name, label, unit in (("nll", "NLL", ""), ("ece", "ECE", " %"), ("aurc", "AURC", " %"))
    )
    return (
        f"**Measured here** ([how](README.md#what-we-measured), tuned, {seeds} seeds): "
        f"{measured.accuracy} %, {measured.gain} points to tuned cross-entropy "
        f"({plain.accuracy} %); after one temperature {told}, in brackets cross-entropy's.\n"
    )


def table(all_measured: Sequence[Measured]) -> str:
    """All of them."""
    lines = [
        "| method | test accuracy % | points to cross-entropy "
        r"| NLL | NLL\* | ECE % | ECE\* % | AURC\* % |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for own in all_measured:
        gain = "–" if own.method == BASELINE else f"**{own.gain}**" if own.is_told else own.gain
        numbers = " | ".join(own.mean(name) for name in METRICS[1:])
        lines.append(f"| {METHODS[own.method].title} | {own.accuracy} | {gain} | {numbers} |")
    return "\n".join(lines) + "\n"


def filled(text: str, all_measured: Sequence[Measured]) -> str:
    """A page with what was measured in its places."""
    by_method = {own.method: own for own in all_measured}

    def part(match: re.Match[str]) -> str:
        name = match[2]
        said = table(all_measured) if name == "all" else sentence(by_method[name])
        return match[1] + said + match[3]

    return PART.sub(part, text)


def main() -> None:
    """Fill every page."""
    all_measured = read_measured()
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        files.write_text(page, filled(text, all_measured))


if __name__ == "__main__":
    main()

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
PAGES = ROOT / "docs" / "methods"
PART = re.compile(r"(<!-- measured: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
METRICS = ("accuracy", "nll", "ece", "aurc")


class Measured(NamedTuple):
    """What one method came to, over the seeds.

    Args:
        method: its row.
        student: the network that was trained.
        values: of each metric, one for each seed.
        baseline: the same of cross-entropy with that network.
    """

    method: str
    student: str
    values: dict[str, list[float]]
    baseline: dict[str, list[float]]

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
        return f"{value:.3f}" if metric == "nll" else f"{100 * value:.2f}"


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
    """Return the methods in the order of the table, after their networks' cross-entropy."""
    by_arm: dict[tuple[str, str], dict[int, dict[str, str]]] = {}
    with RECORDS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            by_arm.setdefault((row["student"], row["method"]), {})[int(row["seed"])] = row
    values = {
        arm: {name: [float(own[seed][name]) for seed in sorted(own)] for name in METRICS}
        for arm, own in by_arm.items()
    }
    order = list(METHODS)
    arms = sorted(values, key=lambda arm: (arm[0] != "small_cnn", order.index(arm[1])))
    return [Measured(m, s, values[s, m], values[s, BASELINE]) for s, m in arms]


def sentence(measured: Measured) -> str:
    """What the page of a method says of it."""
    plain = measured._replace(values=measured.baseline)
    seeds = len(measured.gains)
    told = ", ".join(
        f"{label} {measured.mean(name)}{unit} ({plain.mean(name)})"
        for name, label, unit in (("nll", "NLL", ""), ("ece", "ECE", " %"), ("aurc", "AURC", " %"))
    )
    return (
        f"**Measured here**, for orientation only ([how](README.md#what-we-measured), {seeds} "
        f"seeds, student `{measured.student}`): {measured.accuracy} %, {measured.gain} points to "
        f"cross-entropy ({plain.accuracy} %); {told}, in brackets cross-entropy's.\n"
    )


def table(all_measured: Sequence[Measured]) -> str:
    """All of them."""
    lines = [
        "| method | student | test accuracy % | points to cross-entropy | NLL | ECE % | AURC % |",
        "|---|---|---|---|---|---|---|",
    ]
    for own in all_measured:
        gain = "–" if own.method == BASELINE else own.gain
        numbers = " | ".join(own.mean(name) for name in METRICS[1:])
        title = METHODS[own.method].title
        lines.append(f"| {title} | `{own.student}` | {own.accuracy} | {gain} | {numbers} |")
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

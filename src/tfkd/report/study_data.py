"""All that a report of a study is made of, read from its run directories."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tfkd.data import DataIdentity
from tfkd.method_table import DIALECTS
from tfkd.report.predictions import TEMPERATURES, Predictions, reduce_logits
from tfkd.runs import EpochRecord, Result, RunDirectory
from tfkd.runs.contents import Environment, Samples
from tfkd.study.generations import Together, generations_together
from tfkd.study.guessing import guessing_of
from tfkd.study.per_image import PerImage
from tfkd.study.plan import Contrast, Study
from tfkd.study.records import Record, collect
from tfkd.study.statistics.images import SeedsAndImages
from tfkd.study.summary import Row, summarise_study

_SCALE_AGAIN = re.compile(r"(learning rate|weight decay) ([×÷]) [^\s,]+")


@dataclass(frozen=True)
class RunData:
    """A finished run.

    Attributes:
        record: of `tfkd.study.records.collect`.
        samples: images by split.
        data: what its data.json says of them.
        environment: versions, device and commit.
        history: one entry for each epoch.
        predictions: of the test split; None if the run keeps no logits.
    """

    record: Record
    samples: Samples
    data: DataIdentity
    environment: Environment
    history: list[EpochRecord]
    predictions: Predictions | None

    @property
    def seed(self) -> int:
        """By which runs are compared."""
        return self.record.seed

    @property
    def seconds(self) -> float:
        """Of training."""
        return self.record.seconds


@dataclass(frozen=True)
class Group:
    """Arms that share a panel: of one student, and one dialect or the controls.

    Attributes:
        student: that was trained.
        title: of the dialect, "methods" for all of them or where there is no other than ours, or
            "controls".
        baseline: what they are compared with; None if it has no run yet.
        rows: the arms, without the baseline.
    """

    student: str
    title: str
    baseline: Row | None
    rows: tuple[Row, ...]

    @property
    def all_rows(self) -> tuple[Row, ...]:
        """The baseline and the arms."""
        return self.rows if self.baseline is None else (self.baseline, *self.rows)


@dataclass(frozen=True)
class StudyData:
    """A study with its finished runs.

    Attributes:
        study: the plan.
        runs: the finished ones, by arm.
        rows: one for each arm with a finished run.
        records: of the finished runs, in the order of the plan.
        left_out: a sentence on each finished run that is damaged, or does not belong to the others.
        together: generations of networks, taken together.
        images: what each claim is worth for new test images; see
            `tfkd.study.per_image.PerImage.compared`.
    """

    study: Study
    runs: dict[str, list[RunData]]
    rows: list[Row]
    records: list[Record] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    together: list[Together] = field(default_factory=list)
    images: dict[Contrast, dict[str, SeedsAndImages]] = field(default_factory=dict)

    @cached_property
    def all_runs(self) -> list[RunData]:
        """Every finished run."""
        return [run for runs in self.runs.values() for run in runs]

    @cached_property
    def by_arm(self) -> dict[str, Row]:
        """The rows by their arms' names."""
        return {row.arm.name: row for row in self.rows}

    @cached_property
    def _same_title(self) -> dict[tuple[str, str], Counter[str | None]]:
        """How many rows of a student and title have each teacher."""
        found: dict[tuple[str, str], Counter[str | None]] = {}
        for row in self.rows:
            found.setdefault((row.student, row.title), Counter())[row.teacher] += 1
        return found

    @cached_property
    def students(self) -> list[str]:
        """Networks that were trained, in the order of the tables."""
        return list(dict.fromkeys(row.student for row in self.rows))

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return list(self.all_runs[0].data.classes) if self.all_runs else []

    def name_in_table(self, row: Row) -> str:
        """What a table of one student calls an arm: its title, with the teacher if need be."""
        same = self._same_title[row.student, row.title]
        if same.total() == 1:
            return row.title
        if max(same.values()) == 1:
            return f"{row.title}, by {row.teacher or 'none'}"
        return f"{row.title} ({row.arm.name})"

    def name_in_figure(self, row: Row) -> str:
        """What a figure calls it: shorter, for all parts of a control's title say the scale."""
        return _SCALE_AGAIN.sub(
            lambda found: f"{found[1].split()[-1]} {found[2]}", self.name_in_table(row)
        )

    def groups(self, *, most: int = 7) -> list[Group]:
        """Return the arms in groups that fit into one panel, at most so many to each."""
        found: dict[tuple[str, str], list[Row]] = {}
        compared = [r for r in self.rows if r.arm.baseline is not None and not r.is_control]
        methods = Counter(row.student for row in compared)
        ours = all(row.dialect == "tfkd" for row in compared)
        for row in self.rows:
            title = DIALECTS[row.dialect]
            if ours or methods[row.student] <= most:
                title = "methods"
            if row.is_control:
                title = "controls"
            of_title = found.setdefault((row.student, title), [])
            if row.arm.baseline is not None:
                of_title.append(row)
        groups = []
        order = ["methods", *DIALECTS.values(), "controls"]
        for (student, title), rows in sorted(
            found.items(),
            key=lambda item: (self.students.index(item[0][0]), order.index(item[0][1])),
        ):
            plain = [r for r in self.rows if r.student == student and r.arm.baseline is None]
            parts = [rows[i : i + most] for i in range(0, len(rows), most)] or [[]]
            if not rows and any(other for (name, _), other in found.items() if name == student):
                continue
            for number, part in enumerate(parts, 1):
                of = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
                groups.append(
                    Group(student, f"{title}{of}", plain[0] if plain else None, tuple(part))
                )
        return groups


def read_study(study: Study, root: Path) -> StudyData:
    """Read the finished runs of a study; one that is damaged is left out.

    Args:
        study: the plan.
        root: the study's directory.
    """
    teachers = {arm.teacher for arm in study.arms}
    runs: dict[str, list[RunData]] = {}
    images = PerImage()

    def read(record: Record, directory: RunDirectory, result: Result) -> None:
        temperatures = TEMPERATURES if record.arm in teachers else ()
        logits = directory.test_logits()
        found = RunData(
            record=record,
            samples=result.samples,
            data=directory.data(),
            environment=directory.environment(),
            history=directory.history(),
            predictions=(
                None
                if logits is None
                else reduce_logits(
                    *logits, temperatures=temperatures, temperature=record.temperature
                )
            ),
        )
        runs.setdefault(record.arm, []).append(found)
        if logits is not None:
            images.add(record, *logits)

    records, left_out = collect(study, root, also=read)
    together = generations_together(study, root, records)
    rows = summarise_study(study, records, guessing_of(records, root))
    of_images = images.compared(study)
    return StudyData(study, runs, rows, records, left_out, together, of_images)

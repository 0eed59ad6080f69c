"""What each stored form costs in truth: its errors of the loss and of the gradient.

Held against the teacher's own answers, of one teacher that was trained (on scikit-learn's digits,
10 classes) and of two that are made up: a probability that falls as a power of its rank, of 1000
and of 32,000 classes, whose order differs by sample. The loss is the divergence alone, without what
does not depend on the student; α would make both errors smaller. "Nothing elsewhere" is what others
store, and what this package does not.

An answer that is drawn is off by chance. Of it the gradient is averaged over many seeds, too: by as
much as chance leaves, it is right on average.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

import tfkd
from records import HERE, Row
from tfkd.runs import files
from tfkd.teachers import FewLogits
from tfkd.teachers.cache.forms import StoredForm, total_variation
from tfkd.teachers.cache.sampling import Sampling
from tfkd.teachers.few_logits import all_logits

TABLE = HERE / "cached_errors.csv"
QUICK_TABLE = HERE.parent / "runs" / "cached_errors.csv"
COLUMNS = ("teacher", "temperature", "form", "bytes", "total_variation", "loss_error")
COLUMNS = (*COLUMNS, "gradient_error", "mean_gradient_error", "by_chance", "seeds")
TEMPERATURES = (1.0, 4.0, 20.0)
SEEDS = 64

Said = Tensor | FewLogits


class Answers(NamedTuple):
    """Logits of a teacher and of its student, `(N, K)`."""

    teacher: Tensor
    student: Tensor


def trained_on_digits() -> Answers:
    """A network of one hidden layer, and a linear student after a few steps."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    inputs, labels = torch.tensor(digits.data).float() / 16.0, torch.tensor(digits.target).long()
    torch.manual_seed(0)
    teacher, student = (
        nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)),
        nn.Linear(64, 10),
    )
    for network, steps in ((teacher, 200), (student, 10)):
        optimizer = torch.optim.Adam(network.parameters(), 1e-2)
        for _ in range(steps):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs[:1200]), labels[:1200]).backward()
            optimizer.step()
    with torch.no_grad():
        return Answers(teacher(inputs[:512]), student(inputs[:512]))


def falling_with_rank(num_classes: int, samples: int) -> Answers:
    """Probabilities as of rank^-s, s from 1 to 2 by sample, of a student that half knows them."""
    generator = torch.Generator().manual_seed(0)
    slopes = 1.0 + torch.rand(samples, 1, generator=generator)
    ranks = torch.rand(samples, num_classes, generator=generator).argsort(1) + 1
    teacher = -slopes * ranks.log()
    noise = torch.randn(samples, num_classes, generator=generator)
    return Answers(teacher, 0.5 * teacher + noise)


TEACHERS: dict[str, tuple[Callable[[], Answers], tuple[str, ...]]] = {
    "digits, 10 classes": (trained_on_digits, ("top-1", "top-3", "sampled-12")),
    "by rank, 1000 classes": (
        lambda: falling_with_rank(1000, 128),
        ("top-1", "top-10", "top-50", "sampled-12", "sampled-50"),
    ),
    "by rank, 32,000 classes": (
        lambda: falling_with_rank(32_000, 16),
        ("top-1", "top-10", "top-50", "sampled-12", "sampled-50"),
    ),
}


def stored(form: str, logits: Tensor, temperature: float, seed: int = 0) -> Said:
    """What a form answers with."""
    bare = form.removesuffix(NOTHING)
    drawn = StoredForm(bare).draws is not None
    kept = StoredForm(bare, Sampling(temperature, seed) if drawn else None)
    answer = kept.answer(kept.encode(logits, torch.arange(len(logits))))
    if form != bare:
        assert isinstance(answer, FewLogits)
        return FewLogits(answer.values, answer.classes)
    return answer


NOTHING = ", nothing elsewhere"


def loss_and_gradient(answers: Answers, said: Said, temperature: float) -> tuple[float, Tensor]:
    """Cross-entropy with what is said, and its gradient."""
    z = answers.student.double().requires_grad_()
    labels = torch.zeros(len(z), dtype=torch.int64)
    loss = tfkd.distillation_loss(
        z, labels, said, alpha=1.0, temperature=temperature, reduction="sum"
    )
    (gradient,) = torch.autograd.grad(loss, z)
    log_t = (in_full(said, z.shape[1]).double() / temperature).log_softmax(1)
    entropy = torch.special.entr(log_t.exp()).sum()
    return loss.item() / temperature**2 + entropy.item(), gradient


def in_full(said: Said, num_classes: int) -> Tensor:
    """The logits of all classes."""
    return all_logits(said, num_classes) if isinstance(said, FewLogits) else said


def errors(name: str, answers: Answers, form: str, temperature: float, seeds: int) -> Row:
    """One row of the table."""
    num_classes = answers.teacher.shape[1]
    loss, gradient = loss_and_gradient(answers, answers.teacher, temperature)
    bare = StoredForm(form.removesuffix(NOTHING))
    count = seeds if bare.draws is not None else 1
    mean, squares, losses, sizes, distances = torch.zeros_like(gradient), 0.0, 0.0, 0.0, 0.0
    for seed in range(count):
        said = stored(form, answers.teacher, temperature, seed)
        own_loss, own = loss_and_gradient(answers, said, temperature)
        apart = total_variation(answers.teacher, in_full(said, num_classes), temperature)
        distances += apart.mean().item() / count
        losses += abs(own_loss / loss - 1.0) / count
        sizes += ((own - gradient).norm() / gradient.norm()).item() / count
        squares += own.square().sum().item() / count
        mean += own / count
    # What a mean of so many is off by, were there chance alone.
    chance = max(squares - mean.square().sum().item(), 0.0) / max(count - 1, 1)
    drawn = bare.draws is not None
    return {
        "teacher": name,
        "temperature": f"{temperature:g}",
        "form": form,
        "bytes": str(bare.bytes_per_sample(num_classes)),
        "total_variation": f"{distances:.4g}",
        "loss_error": f"{losses:.4g}",
        "gradient_error": f"{sizes:.4g}",
        "mean_gradient_error": f"{((mean - gradient).norm() / gradient.norm()).item():.4g}",
        "by_chance": f"{chance**0.5 / gradient.norm().item():.4g}" if drawn else "0",
        "seeds": str(count),
    }


def measure_errors(quick: bool) -> None:
    """Measure every teacher, temperature and form, and write the table."""
    rows = []
    for name, (make, forms) in list(TEACHERS.items())[: 1 if quick else None]:
        answers = make()
        lying = [f"{form}{NOTHING}" for form in forms if form in ("top-3", "top-10", "top-50")]
        for temperature in TEMPERATURES:
            for form in ("float16", *forms, *lying):
                row = errors(name, answers, form, temperature, 4 if quick else SEEDS)
                rows.append(row)
                print("  ".join(row.values()), flush=True)
    write(QUICK_TABLE if quick else TABLE, rows)


def write(path: Path, rows: list[Row]) -> None:
    """Write the table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_text(path, text.getvalue())


def read(path: Path = TABLE) -> list[Row]:
    """Read the table; nothing if there is none."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def percent(value: str) -> str:
    """A share as a percentage; of a large one, how many times the whole it is."""
    share = float(value)
    if share >= 10.0:
        return f"{share:.0f} ×"
    return f"{100.0 * share:.2g} %" if share < 1.0 else f"{100.0 * share:.0f} %"


def table(rows: list[Row]) -> str:
    """Return the Markdown of the table."""
    lines = [
        "| teacher | τ | form | bytes | total variation "
        "| loss | gradient | on average | by chance |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    before = ("", "")
    for row in rows:
        name, tau = row["teacher"], row["temperature"]
        shown = ("" if name == before[0] else name, "" if (name, tau) == before else tau)
        before = (name, tau)
        cells = [percent(row[column]) for column in COLUMNS[5:8]]
        chance = percent(row["by_chance"]) if int(row["seeds"]) > 1 else "–"
        first = [*shown, row["form"], row["bytes"], f"{float(row['total_variation']):.2g}"]
        lines.append("| " + " | ".join([*first, *cells, chance]) + " |")
    return "\n".join(lines) + "\n"

"""The named methods against their formulas, against the authors' functions, and in whole trainings.

A row of `METHODS` says how a method of ours is asked for what a record of `vectors/official.json`
was computed with. A method that is named there and has no row fails.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tfkd

OFFICIAL = json.loads(
    (Path(__file__).parent / "vectors" / "official.json").read_text(encoding="utf-8")
)
Numbers = dict[str, Any]


class Gaps(tfkd.Teacher):
    """Answers with gaps that it is given."""

    def __init__(self, gaps: Tensor) -> None:
        super().__init__()
        self.gaps = gaps

    def forward(self, batch: tfkd.Batch) -> Tensor:
        return self.gaps


class Ours(NamedTuple):
    """A criterion of ours, and what stands between it and the authors' number.

    Attributes:
        criterion: called with the batch's `t` as its inputs.
        beside: whether it has the cross-entropy, which the authors' function leaves to its caller.
        constant: what the authors' value has beyond it, by the entropy of the soft targets.
    """

    criterion: nn.Module
    beside: bool = False
    constant: float = 0.0


def the_teacher() -> nn.Module:
    """A network whose logits are what it is shown: the inputs are `t`."""
    return nn.Identity()


def kd(f: ModuleType, s: Numbers, batch: Numbers) -> Ours:
    scale = s["label"] + s["teacher"]
    alpha = s["teacher"] / scale
    method = tfkd.knowledge_distillation
    return Ours(method(the_teacher(), alpha=alpha, temperature=s["temperature"], scale=scale))


def standardised_kd(f: ModuleType, s: Numbers, batch: Numbers) -> Ours:
    assert s == {"label": 0.1, "teacher": 9.0, "temperature": 2.0}  # the defaults
    return Ours(tfkd.logit_standardization_kd(the_teacher()))


def standardised_dkd(f: ModuleType, s: Numbers, batch: Numbers) -> Ours:
    criterion = tfkd.DistillationLoss(
        tfkd.NetworkTeacher(the_teacher()),
        alpha=0.5,
        scale=2.0,
        temperature=s["temperature"],
        decoupled=(s["target"], s["non_target"]),
        standardize=True,
    )
    return Ours(criterion, beside=True)


def nkd(f: ModuleType, s: Numbers, batch: Numbers) -> Ours:
    constants = [
        f.nkd_constant(y, t, s["gamma"], s["temperature"])
        for y, t in zip(batch["y"], batch["t"], strict=True)
    ]
    criterion = tfkd.normalized_kd(the_teacher(), added=s["gamma"], temperature=s["temperature"])
    return Ours(criterion, beside=True, constant=float(np.mean(constants)))


def mean_teacher(f: ModuleType, s: Numbers, batch: Numbers) -> Ours:
    criterion = tfkd.mean_teacher(
        the_teacher(), added=s["added"], ramp_up=1, samples_per_epoch="told"
    )
    criterion.epoch_ended()  # the ramp lies behind it
    return Ours(criterion)


def soft(f: ModuleType, criterion: nn.Module, weight: float, targets: list[list[float]]) -> Ours:
    """Ours has KL(soft ‖ p), the authors have H(soft, p)."""
    entropies = [f.entropy(target) for target in targets]
    return Ours(criterion, constant=weight * float(np.mean(entropies)))


def ols(f: ModuleType, s: Numbers, batch: Numbers) -> Ours:
    scale = s.get("scale", 1.0)
    criterion = tfkd.class_label_smoothing(
        torch.tensor(batch["by_class"], dtype=torch.float64), alpha=s["alpha"], scale=scale
    )
    targets = [batch["by_class"][y] for y in batch["y"]]
    return soft(f, criterion, scale * s["alpha"], targets)


def ps_kd(f: ModuleType, s: Numbers, batch: Numbers) -> Ours:
    teacher = tfkd.NetworkTeacher(the_teacher())  # what is remembered, whoever remembers it
    criterion = tfkd.DistillationLoss(teacher, alpha=s["alpha"])
    logits = np.log(batch["by_sample"]).tolist()
    batch["t"] = logits
    return soft(f, criterion, s["alpha"], batch["by_sample"])


def instance_specific(f: ModuleType, s: Numbers, batch: Numbers) -> Ours:
    targets = [f.probabilities(t, s["temperature"]) for t in batch["t"]]
    criterion = tfkd.instance_specific_label_smoothing(the_teacher(), **s)
    return soft(f, criterion, s["alpha"], targets)


def beta(f: ModuleType, s: Numbers, batch: Numbers) -> Ours:
    """The drawn confidences as gaps: who draws them is the test of the teacher."""
    k, y = len(batch["z"][0]), batch["y"]
    sure = [f.probabilities(t)[c] for t, c in zip(batch["t"], y, strict=True)]
    b = torch.tensor(f.beta_targets(sure, batch["drawn"]), dtype=torch.float64)
    criterion = tfkd.DistillationLoss(Gaps((b * (k - 1) / (1 - b)).log()), alpha=s["alpha"])
    targets = [f.beta_target(c, float(v), k) for c, v in zip(y, b, strict=True)]
    return soft(f, criterion, s["alpha"], targets)


METHODS: dict[str, Callable[[ModuleType, Numbers, Numbers], Ours]] = {
    "kd": kd,
    "dkd": lambda f, s, batch: Ours(tfkd.decoupled_kd(the_teacher(), warm_up=1, **s), beside=True),
    "nkd": nkd,
    "standardised kd": standardised_kd,
    "standardised dkd": standardised_dkd,
    "ttm": lambda f, s, batch: Ours(
        tfkd.transformed_teacher_matching(the_teacher(), added=1.0, **s), beside=True
    ),
    "wttm": lambda f, s, batch: Ours(
        tfkd.weighted_transformed_teacher_matching(the_teacher(), added=1.0, **s), beside=True
    ),
    "zipf": lambda f, s, batch: Ours(tfkd.zipf_label_smoothing(added=1.0), beside=True),
    "cs_kd": lambda f, s, batch: Ours(tfkd.cs_kd(the_teacher(), **s)),
    "mean_teacher": mean_teacher,
    "instance-specific label smoothing": instance_specific,
    "beta smoothing": beta,
    "ols": ols,
    "ols, fine-grained": ols,
    "ps_kd": ps_kd,
    "max_sup": lambda f, s, batch: Ours(tfkd.max_sup(added=s["weight"])),
    "margin_label_smoothing": lambda f, s, batch: Ours(
        tfkd.margin_label_smoothing(added=s["weight"], margin=s["margin"])
    ),
    "confidence_penalty": lambda f, s, batch: Ours(tfkd.confidence_penalty(added=s["weight"])),
    "confidence penalty, divided by the classes": lambda f, s, batch: Ours(
        tfkd.confidence_penalty(added=s["weight"] / len(batch["z"][0]))
    ),
    "focal": lambda f, s, batch: Ours(tfkd.focal(focusing=s["gamma"])),
    "flsd_53": lambda f, s, batch: Ours(
        tfkd.penalties.FocalLoss(focusing=s["gamma"], unsure_focusing=5.0)
    ),
    "dual_focal": lambda f, s, batch: Ours(tfkd.dual_focal(focusing=s["gamma"])),
    "logit_norm": lambda f, s, batch: Ours(tfkd.logit_norm(temperature=s["temperature"])),
}
NO_METHOD = ("zipf, only of samples that are right",)


def answered(ours: Ours, batch: Numbers) -> tuple[float, np.ndarray]:
    """Value and gradient of ours, as the authors' function would give them."""
    z = torch.tensor(batch["z"], dtype=torch.float64, requires_grad=True)
    y, t = torch.tensor(batch["y"]), torch.tensor(batch.get("t", batch["z"]), dtype=torch.float64)
    loss = ours.criterion(z, y, t)
    if ours.beside:
        loss = loss - nn.functional.cross_entropy(z, y)
    (gradient,) = torch.autograd.grad(loss, z)
    return loss.item() + ours.constant, gradient.numpy()


def named(record: Numbers) -> str:
    settings = " ".join(f"{name}={value}" for name, value in record["settings"].items())
    return f"{record['method']}, {settings}, {record.get('batch', '')}"


RECORDS = [record for record in OFFICIAL["losses"] if record["method"] not in NO_METHOD]


@pytest.mark.parametrize("record", RECORDS, ids=named)
def test_a_method_is_what_its_authors_compute(later: ModuleType, record: Numbers) -> None:
    batch = {**OFFICIAL["batches"][record["batch"]], "drawn": record.get("drawn")}
    ours = METHODS[record["method"]](later, record["settings"], batch)
    value, gradient = answered(ours, batch)
    # Two of them add 1e-8 to probabilities before they take the logarithm.
    off = 1e-6 if "1e-8" in record.get("note", "") else 1e-9
    assert value == pytest.approx(record["value"], abs=off)
    np.testing.assert_allclose(gradient, record["gradient"], rtol=0, atol=off)


def drawn_batch(f: ModuleType, chance: random.Random) -> Numbers:
    """What a record's batch has, at random: no two logits are equal."""
    n, k = 6, chance.randrange(3, 9)

    def logits(rows: int) -> list[list[float]]:
        return [[chance.gauss(0.0, 2.0) for _ in range(k)] for _ in range(rows)]

    return {
        "z": logits(n),
        "t": logits(n),
        "y": [chance.randrange(k) for _ in range(n)],
        "by_class": [f.probabilities(row) for row in logits(k)],
        "by_sample": [f.probabilities(row) for row in logits(n)],
        "drawn": [chance.betavariate(3.0, 1.0) for _ in range(n)],
    }


ONCE = {named({**record, "batch": ""}): record for record in RECORDS}


@pytest.mark.parametrize("record", ONCE.values(), ids=ONCE.keys())
def test_a_method_is_its_formula(later: ModuleType, record: Numbers, chance: random.Random) -> None:
    batch = drawn_batch(later, chance)
    one = later.of_record({**record, "drawn": record.get("drawn") and batch["drawn"]}, dict(batch))
    wanted, by_hand = later.mean_and_gradient(
        lambda rows: [one(z, i) for i, z in enumerate(rows)], np.array(batch["z"])
    )
    value, gradient = answered(METHODS[record["method"]](later, record["settings"], batch), batch)
    assert value == pytest.approx(wanted, rel=1e-10, abs=1e-10)
    np.testing.assert_allclose(gradient, by_hand, rtol=0, atol=1e-10 * max(1.0, abs(wanted)))


WITHOUT_CODE = {
    "born_again": (
        lambda: tfkd.born_again(the_teacher()),
        lambda f, z, y, t: f.kd(z, y, t, 0.0, 1.0, 1.0),
    ),
    "born_again, with labels": (
        lambda: tfkd.born_again(the_teacher(), alpha=0.5, scale=2.0),
        lambda f, z, y, t: f.kd(z, y, t, 1.0, 1.0, 1.0),
    ),
    "function_matching": (
        lambda: tfkd.function_matching(the_teacher(), temperature=2.0),
        lambda f, z, y, t: f.kd(z, y, t, 0.0, 1.0, 2.0),
    ),
    "top_two_kd": (
        lambda: tfkd.top_two_kd(the_teacher(), alpha=0.7),
        lambda f, z, y, t: 0.3 * f.cross_entropy(z, y) + 0.7 * f.divergence(f.top_two(t), z),
    ),
    "weak_to_strong_kd, as long as it teaches": (
        lambda: tfkd.weak_to_strong_kd(
            the_teacher(), alpha=0.3, temperature=3.0, samples_per_epoch="told"
        ),
        lambda f, z, y, t: f.kd(z, y, t, 0.7, 0.3, 3.0),
    ),
    "ensemble_kd": (
        lambda: tfkd.ensemble_kd([the_teacher(), Negated()], alpha=0.3, temperature=3.0),
        lambda f, z, y, t: (
            0.7 * f.cross_entropy(z, y) + 0.3 * f.ensemble(z, [t, [-v for v in t]], 3.0)
        ),
    ),
    "ensemble_kd of logits": (
        lambda: tfkd.ensemble_kd(
            [the_teacher(), Negated()], average="logits", alpha=0.3, temperature=3.0
        ),
        lambda f, z, y, t: f.kd(z, y, [0.0] * len(t), 0.7, 0.3, 3.0),
    ),
}


class Negated(nn.Module):
    """A network whose logits are the other way round."""

    def forward(self, t: Tensor) -> Tensor:
        return -t


@pytest.mark.parametrize("name", WITHOUT_CODE)
def test_a_method_whose_authors_show_no_code_is_its_formula(
    later: ModuleType, name: str, chance: random.Random
) -> None:
    build, formula = WITHOUT_CODE[name]
    batch = drawn_batch(later, chance)
    wanted, by_hand = later.mean_and_gradient(
        lambda rows: [formula(later, z, batch["y"][i], batch["t"][i]) for i, z in enumerate(rows)],
        np.array(batch["z"]),
    )
    value, gradient = answered(Ours(build()), batch)
    assert value == pytest.approx(wanted, rel=1e-10, abs=1e-10)
    np.testing.assert_allclose(gradient, by_hand, rtol=0, atol=1e-10)


WORLD = OFFICIAL["world"]
# Other starts of theirs are none of ours: a matrix of zeros, another network.
TRAININGS = [
    record
    for record in OFFICIAL["trainings"]
    if record["settings"].get("start") not in ("zeros", "smoothed labels", "another")
]


def linear(weights: str) -> nn.Module:
    """A network of these weights of the world."""
    network = nn.Linear(3, 4, bias=False).double()
    with torch.no_grad():
        network.weight.copy_(torch.tensor(WORLD[weights], dtype=torch.float64))
    return network


def criterion_of(record: Numbers, student: nn.Module) -> nn.Module:
    """Ours for a training."""
    s = {name: value for name, value in record["settings"].items() if name != "start"}
    if record["method"] == "ols":
        return tfkd.online_label_smoothing(num_classes=4, samples_per_epoch="told", **s)
    if record["method"] == "ols_fine_grained":
        return tfkd.released_online_label_smoothing(num_classes=4, samples_per_epoch="told")
    if record["method"] == "ps_kd":
        return tfkd.ps_kd(num_classes=4, num_samples=12, epochs=4, **s)
    if record["method"] == "dkd":
        return tfkd.decoupled_kd(linear("other_weights"), samples_per_epoch=12, **s)
    if record["method"] == "mean_teacher":
        return tfkd.mean_teacher(student, samples_per_epoch="told", **s)
    return tfkd.cs_kd(student, **s) if record["method"] == "cs_kd" else tfkd.dlb(**s)


def shown(record: Numbers) -> list[list[tuple[Tensor, Tensor, Tensor, Tensor]]]:
    """By epoch and batch: what the student sees, its labels, the teacher's inputs and indices."""
    x, second = (torch.tensor(WORLD[n], dtype=torch.float64) for n in ("inputs", "second_view"))
    y, size, before = torch.tensor(WORLD["labels"]), WORLD["batch_size"], []
    epochs: list[list[tuple[Tensor, Tensor, Tensor, Tensor]]] = []
    for order, partners in zip(WORLD["order"], WORLD["partners"], strict=True):
        epochs.append([])
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            images = inputs = x[rows]
            if record["method"] == "cs_kd":
                inputs = x[partners[start : start + size]]
            elif record["method"] == "dlb":
                images = inputs = torch.cat([second[before], images])
                before, rows = rows, before + rows
            epochs[-1].append((images, y[rows], inputs, torch.tensor(rows)))
    return epochs


@pytest.mark.parametrize("record", TRAININGS, ids=named)
def test_a_training_ends_where_the_authors_end(record: Numbers) -> None:
    model = linear("weights")
    criterion = criterion_of(record, model)
    settings = record["settings"]
    optimizer = torch.optim.SGD(
        model.parameters(), lr=WORLD["learning_rate"], momentum=settings.get("momentum", 0.0)
    )
    epochs = shown(record)
    for epoch in range(settings.get("epochs", len(epochs))):
        for images, labels, inputs, indices in epochs[epoch % len(epochs)]:
            loss = criterion(model(images), labels, inputs, indices=indices)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            criterion.step_ended(model)
        criterion.epoch_ended()
    # Remembered in float32 (PS-KD) or in whole numbers of 2^-32 (online label smoothing).
    off = {"ps_kd": 1e-6, "ols": 1e-8, "ols_fine_grained": 1e-7}.get(record["method"], 1e-9)
    np.testing.assert_allclose(model.weight.detach(), record["weights"], rtol=0, atol=off)
    if "by_class" in record:
        np.testing.assert_allclose(criterion.teacher.matrix, record["by_class"][-1], atol=1e-8)
    if "average" in record:
        average = criterion.teacher.network.weight
        np.testing.assert_allclose(average, record["average"], rtol=0, atol=1e-9)

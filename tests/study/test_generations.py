"""Generations that teach one another: their plan, and what they are worth together."""

from __future__ import annotations

import pytest
import torch

from tfkd.cli import main
from tfkd.data import DataSettings
from tfkd.metrics import all_metrics
from tfkd.report.study_data import read_study
from tfkd.report.together import sentences
from tfkd.report.write import write_report
from tfkd.runs import MethodSettings, Recipe, files
from tfkd.study.comparison import comparison
from tfkd.study.directory import read_studies, run_directory
from tfkd.study.plan import Arm
from tfkd.study.summary import title_of

BASE = Recipe(data=DataSettings("digits", train_size=60), epochs=1, batch_size=30)
DIGITS = ["--data", "digits", "--train-size", "60", "--epochs", "1", "--batch-size", "30"]


def plan(**options):
    options = {"teacher": "wide_cnn", "methods": ["born_again"], "seeds": 1} | options
    return comparison(BASE, **options)


def test_each_generation_is_taught_by_the_one_before():
    study = plan(generations=3, methods=["born_again", "label_smoothing"])
    taught = {arm.name: (arm.generation, arm.teacher) for arm in study.arms}
    assert taught == {
        "small_cnn/cross_entropy": (1, None),
        "small_cnn/label_smoothing": (1, None),
        "small_cnn/born_again": (1, "small_cnn/cross_entropy"),
        "small_cnn/born_again-2": (2, "small_cnn/born_again"),
        "small_cnn/born_again-3": (3, "small_cnn/born_again-2"),
    }
    assert {arm.baseline for arm in study.arms[1:]} == {"small_cnn/cross_entropy"}
    assert title_of(study.arm("small_cnn/born_again")) == "born again"
    assert title_of(study.arm("small_cnn/born_again-3")) == "born again, generation 3"
    assert any("start from the same weights" in remark for remark in study.remarks)
    assert plan() == plan(generations=1)
    assert plan().remarks == ()


def test_every_method_that_a_network_teaches_its_like_by_has_generations():
    names = [arm.name for arm in plan(generations=2, methods=["tf_kd_self", "re_kd"]).arms]
    assert "small_cnn/tf_kd_self-2" in names
    assert not any(name.endswith("re_kd-2") for name in names)


def test_generations_of_nothing_are_refused():
    with pytest.raises(ValueError, match="one generation of re_kd, got 2 `generations`: those of"):
        plan(generations=2, methods=["re_kd"])
    with pytest.raises(ValueError, match="`generations` of at least 1, got 0"):
        plan(generations=0)
    with pytest.raises(ValueError, match="the generation before it, got none"):
        Arm("a/b-2", MethodSettings("label_smoothing"), BASE, generation=2)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    root = tmp_path_factory.mktemp("compared") / "out"
    words = ["compare", "--methods", "born_again", "--generations", "2", "--seeds", "2"]
    assert main([*words, *DIGITS, "--jobs", "1", "--out", str(root)]) == 0
    return root


def test_together_they_are_the_mean_of_their_probabilities(compared):
    (study,) = read_studies(compared)
    (together,) = read_study(study, compared).together
    values = []
    for seed in range(2):
        kept = [
            run_directory(compared, f"small_cnn/{arm}/seed-{seed}").test_logits()
            for arm in ("born_again", "born_again-2")
        ]
        probabilities = sum(logits.double().softmax(1) for logits, _ in kept) / 2
        labels = kept[0][1]
        assert all(torch.equal(own, labels) for _, own in kept)
        values.append(all_metrics(probabilities.log(), labels))
    for metric, factor in {"accuracy": 100, "nll": 1, "ece": 100, "brier": 1, "aurc": 100}.items():
        mean = factor * sum(value[metric] for value in values) / 2
        assert together.metrics[metric].mean == pytest.approx(mean, abs=1e-9)
    last = read_study(study, compared).by_arm["small_cnn/born_again-2"].accuracy.mean
    expected = together.metrics["accuracy"].mean - last
    assert together.over_last.mean == pytest.approx(expected, abs=1e-9)


def test_terminal_and_page_say_so(compared, capsys, tmp_path):
    words = ["compare", "--methods", "born_again", "--generations", "2", "--seeds", "2"]
    assert main([*words, *DIGITS, "--jobs", "1", "--out", str(compared)]) == 0
    (study,) = read_studies(compared)
    (sentence,) = sentences(read_study(study, compared).together)
    assert "the mean of the probabilities of generations 1 to 2: accuracy " in sentence
    assert all(f"{name} " in sentence for name in ("NLL", "ECE", "Brier", "AURC"))
    assert sentence.endswith("points against the last generation alone (2 seeds).")
    printed = " ".join(capsys.readouterr().out.split())
    assert sentence.replace("−", "-") in printed
    paths = write_report(study, compared, tmp_path)
    for path in paths[:2]:
        assert "Generations together" in path.read_text()
        assert "generations 1 to 2" in path.read_text()


def test_a_chain_that_is_not_finished_is_not_told_of(compared):
    (study,) = read_studies(compared)
    data = read_study(study, compared)
    assert len(data.records) == 6
    from tfkd.study.generations import generations_together

    of_first = [record for record in data.records if record.arm != "small_cnn/born_again-2"]
    assert generations_together(study, compared, of_first) == []
    of_seed_0 = [record for record in data.records if record.seed == 0]
    (together,) = generations_together(study, compared, of_seed_0)
    assert together.over_last.n == 1
    assert files.read_json(compared / "compare.study.json", type(study)) == study

"""Commands on several runs: settings chosen before, contrasts, controls, tuning, advice."""

import shlex
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest

from tfkd.cli import main
from tfkd.data.file_contents import digest_of_file
from tfkd.report.terminal import study_progress
from tfkd.runs import MethodSettings
from tfkd.runs.chosen import Chosen, write_chosen
from tfkd.tune.progress import SilentTuning

TINY = ["--train-size", "60", "--epochs", "1", "--batch-size", "30", "--jobs", "1"]


@pytest.fixture
def chosen(tmp_path):
    """Two settings of one method beside cross-entropy."""
    entries = [
        Chosen(
            name=name,
            method=MethodSettings(method, numbers=numbers),
            learning_rate=rate,
            weight_decay=1e-4,
        )
        for name, method, numbers, rate in (
            ("cross_entropy", "cross_entropy", {}, 0.03),
            ("weak", "tf_kd_reg", {"alpha": 0.1}, 0.1),
            ("strong", "tf_kd_reg", {"alpha": 0.5}, 0.2),
        )
    ]
    file = tmp_path / "chosen.json"
    write_chosen(entries, file)
    return file


def plan_of(out):
    return msgspec.json.decode((out / "compare.study.json").read_bytes())


def test_what_was_chosen_is_compared_with_its_contrasts(chosen, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--chosen", str(chosen), "--contrasts", "strong:weak,strong:ce", "--worthwhile", "1"]
    assert main(["compare", *TINY, "--out", str(out), "--seeds", "1", *options]) == 0
    plan = plan_of(out)
    rates = {arm["name"]: arm["recipe"]["optimizer"]["learning_rate"] for arm in plan["arms"]}
    assert rates == {
        "small_cnn/cross_entropy": 0.03,
        "small_cnn/weak": 0.1,
        "small_cnn/strong": 0.2,
    }
    assert plan["worthwhile"] == 1.0
    assert [(it["arm"], it["against"]) for it in plan["contrasts"]] == [
        ("small_cnn/strong", "small_cnn/weak"),
        ("small_cnn/strong", "small_cnn/cross_entropy"),
    ]
    lines = (out / "compare.jsonl").read_bytes().splitlines()
    trained = {}
    for record in map(msgspec.json.decode, lines):
        settings = record["settings"]
        optimizer = settings["recipe"]["optimizer"]
        numbers = settings["method"]["numbers"]
        trained[record["arm"]] = optimizer["learning_rate"], numbers.get("alpha")
    assert trained == {
        "small_cnn/cross_entropy": (0.03, None),
        "small_cnn/weak": (0.1, 0.1),
        "small_cnn/strong": (0.2, 0.5),
    }


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("compare", ["--chosen", "chosen.jsn"], "There is no chosen.jsn."),
        ("compare", ["--contrasts", "tf_kd_rag:ls"], "--contrasts, one of"),
        ("compare", ["--worthwhile", "0"], "--worthwhile to be positive"),
        ("study run table-9", ["--data", "digits", "--contrasts", "x"], "--contrasts as ARM:OTHER"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    command, options, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main([*command.split(), *options, "--out", "out"]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_study_of_the_paper_takes_contrasts_too(tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--data", "digits", "--seeds", "1", "--controls", "none", "--out", str(out)]
    asked = ["--contrasts", "tf_kd_reg:released-label_smoothing", "--worthwhile", "0.7"]
    assert main(["study", "run", "table-9", *TINY, *options, *asked]) == 0
    plan = msgspec.json.decode((out / "table-9.study.json").read_bytes())
    assert plan["worthwhile"] == 0.7
    assert [(it["arm"], it["against"]) for it in plan["contrasts"]] == [
        ("small_cnn/released-tf_kd_reg", "small_cnn/released-label_smoothing")
    ]


def test_a_comparison_has_the_controls_that_are_asked_for(chosen, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--chosen", str(chosen), "--controls", "scaled,uninformed", "--seeds", "1"]
    assert main(["compare", *TINY, "--out", str(out), "--methods", "strong", *options]) == 0
    control = plan_of(out)["arms"][2]
    assert control["control"] == "uninformed"
    assert control["control_of"] == ["small_cnn/strong"]
    assert control["method"]["numbers"] == {"alpha": 0.5, "temperature": 20.0, "scale": 1.0}
    assert control["recipe"]["optimizer"]["learning_rate"] == 0.2
    said = capsys.readouterr()
    assert "No control scaled of small_cnn strong: it would be cross-entropy itself." in said.err
    assert "uninformed α" in " ".join(said.out.split())
    assert main(["compare", "--controls", "uniformed", "--out", str(out)]) == 2
    assert "among scaled, uninformed, " in (error := capsys.readouterr().err)
    assert "Did you mean uninformed?" in error


def accuracies(out):
    records = map(msgspec.json.decode, (out / "compare.jsonl").read_bytes().splitlines())
    return {record["run"]: record["accuracy"] for record in records}


class Stopping(SilentTuning):
    """Is stopped after so many runs."""

    def __init__(self, runs):
        self._left = runs

    def finished(self, run, result):
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


def test_all_methods_are_tuned_and_compared_in_one_command_that_resumes(
    tmp_path, capsys, monkeypatch
):
    linear = ["--student", "own_parts:linear", "--teacher", "own_parts:mlp"]
    asked = ["--methods", "normal_kd", "--tune", "2", "--tune-seeds", "1", "--seeds", "1"]
    command = ["compare", *TINY, *linear, *asked]
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "out"
    assert main([*command, "--out", str(undisturbed), "--dry-run"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    # Two trials of three entries, the teacher's own among them, and one that teaches.
    assert "Before it, 3 methods are tuned: 2 trials of 1 seed each, at most 7 runs left" in said
    assert not undisturbed.exists()
    assert main([*command, "--out", str(undisturbed)]) == 0
    plan = plan_of(undisturbed)
    chosen = msgspec.json.decode((undisturbed / "tune/chosen.json").read_bytes())
    found = {entry["name"]: (entry["learning_rate"], entry["weight_decay"]) for entry in chosen}
    arms = {
        arm["name"]: tuple(
            arm["recipe"]["optimizer"][name] for name in ("learning_rate", "weight_decay")
        )
        for arm in plan["arms"]
        if arm["control"] is None
    }
    assert arms == {
        "own_parts:linear/cross_entropy": found["cross_entropy"],
        "own_parts:mlp/cross_entropy": found["teacher"],
        "own_parts:linear/normal_kd": found["normal_kd"],
    }
    assert [arm["control"] for arm in plan["arms"]][3:] == ["uninformed"]
    assert "with the same budget: 2 trials of 1 seed each" in plan["remarks"][0]
    assert "the teacher with" in plan["remarks"][1]

    for runs in (3, 6):  # in the search, and in the comparison
        with monkeypatch.context() as patch:
            patch.setattr(
                study_progress, "show_study_progress", lambda n=runs: nullcontext(Stopping(n))
            )
            assert main([*command, "--out", str(out)]) == 130
    assert (out / "compare.study.json").is_file()
    assert main([*command, "--out", str(out)]) == 0
    assert accuracies(out) == accuracies(undisturbed)
    assert "goes on where it stopped" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tune-seeds", "2"], "Expected --tune beside --tune-seeds, got 2."),
        (["--tune", "2", "--chosen", "CHOSEN"], "Expected no --tune beside --chosen"),
        (["--tune", "0"], "--tune of at least 1, got 0"),
        (["--tune", "2", "--folds", "5"], "Expected no --folds while settings are chosen"),
        (["--tune", "2", "--validation-fraction", "0"], "validation split to choose settings by"),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_anything_is_written(
    options, message, chosen, tmp_path, capsys
):
    out = tmp_path / "out"
    options = [str(chosen) if word == "CHOSEN" else word for word in options]
    assert main(["compare", *TINY, "--out", str(out), *options]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_recommendation_without_time_trains_nothing_and_its_command_trains(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = ["digits", "--minutes", "0.1", "--for", "calibration", "--learning-rate", "0.05"]
    assert main(["recommend", *words, *TINY]) == 0
    said = capsys.readouterr().out
    assert "Nothing was compared on digits" in said
    assert "train with plain cross-entropy and divide its" in said
    command = next(line for line in said.splitlines() if line.startswith("  tfkd train "))
    assert main(shlex.split(command)[1:]) == 0
    file = "runs/recommend-digits/recommended.yaml"
    assert main(["train", "--config", file, "--out", "of-file"]) == 0
    weights = [
        digest_of_file(Path(place, "weights.safetensors"))
        for place in ("runs/recommend-digits/recommended", "of-file")
    ]
    assert weights[0] == weights[1]


def test_a_recommendation_is_foreseen(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["recommend", "digits", "--minutes", "0.1", "--dry-run", *TINY]) == 0
    said = capsys.readouterr().out
    assert "In 0.1 minutes nothing can be told here, and nothing was trained" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nowhere"], "nowhere"),
        (["digits", "--for", "beauty"], "Expected --for to be one of accuracy, calibration, sel"),
        (["digits", "--minutes", "0"], "Expected --minutes to be positive"),
        (["digits", "--validation-fraction", "0"], "validation split to choose settings by"),
        ([], "Expected DATA, got none"),
    ],
)
def test_what_cannot_be_recommended_for_is_refused(options, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["recommend", *options]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

"""Commands on several runs: settings chosen before, contrasts, controls, tuning, advice."""

import msgspec
import pytest

from tfkd.cli import main
from tfkd.runs import MethodSettings
from tfkd.runs.chosen import Chosen, write_chosen

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
    asked = ["--contrasts", "tf_kd_reg:label_smoothing", "--worthwhile", "0.7"]
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
    assert "uninformed, α" in " ".join(said.out.split())
    assert main(["compare", "--controls", "uniformed", "--out", str(out)]) == 2
    assert "among scaled, uninformed, " in (error := capsys.readouterr().err)
    assert "Did you mean uninformed?" in error

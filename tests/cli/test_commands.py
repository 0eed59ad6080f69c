"""The command line: its options, its exit codes, and that it answers without loading torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml
from PIL import Image
from split_off import each_after

import tfkd
import tfkd.models
from tfkd._extras import pip_line
from tfkd.cli import main
from tfkd.cli.command import Group
from tfkd.cli.commands import COMMANDS
from tfkd.data.settings import NAMES
from tfkd.method_table import DIALECTS, METHODS
from tfkd.runs import RunDirectory
from tfkd.study.comparison import COMPARED
from tfkd.train import train_run

EVERY_COMMAND = {
    f"{name} {inner}".strip(): own
    for name, command in COMMANDS.items()
    for inner, own in (command.commands if isinstance(command, Group) else {"": command}).items()
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    # `main` sets it for the processes that a command starts.
    monkeypatch.setenv("PYTHONWARNINGS", os.environ.get("PYTHONWARNINGS", "ignore"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "run"
    arguments = ["--out", str(path), "--epochs", "2", "--train-size", "200"]
    assert main(["train", *arguments, "--method", "tf_kd_reg", "--save-epochs", "1,2"]) == 0
    return path


def test_the_methods_and_data_that_help_names_are_those_there_are(capsys):
    assert main(["compare", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name in (*NAMES, "fashion-mnist"):
        assert name in text, name
    listed = text.partition("some of ")[2].partition(", or module:function")[0].split(", ")
    assert sorted(listed) == sorted(COMPARED)
    for command in ("train", "explain"):
        assert main([command, "--help"]) == 0
        text = " ".join(capsys.readouterr().out.split())
        listed = text.partition("--method METHOD ")[2].partition("; or module:function")[0]
        assert listed.split(", ") == list(METHODS)


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_every_option_has_help_and_hyphens(command, capsys):
    assert main([*command.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: tfkd {command} [options]")
    for line in text.splitlines():
        assert len(line) <= 80
        if line.startswith("  --"):
            assert "_" not in line.split()[0]
    own = EVERY_COMMAND[command]
    for name, option in {**own.own(), **own.of_a_run()}.items():
        assert option.help, name
        assert own.called(name) in text
    for leftover in ("NoneType", "None", "()", "tfkd.cli", "`", "<class"):
        assert leftover not in text


def test_help_starts_with_what_a_newcomer_types(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(len(line) <= 80 for line in text.splitlines())
    for name in COMMANDS:
        assert f"\n    {name} " in text
    assert main(["study", "--help"]) == 0
    assert "--version" not in capsys.readouterr().out


def test_help_loads_no_torch_whoever_asks():
    program = (
        "import sys\n"
        "from tfkd.cli import main\nfrom tfkd.cli.commands import COMMANDS\n"
        "for command in COMMANDS: assert main([command, '--help']) == 0\n"
        "assert main(['study', 'run', '--help']) == 0\n"
        "assert main(['--help']) == 0\n"
        "assert main(['train', '--epochs', 'x']) == 2\n"
        "assert main(['train', '--out', 'x', '--method', 'magic']) == 2\n"
        "assert main(['nonsense']) == 2\n"
        "assert not {'torch', 'numpy', 'rich'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Expected a command"),
        (["study"], "Expected a command"),
        (["nonsense"], "one of compare, tune, recommend, study, "),
        (["--foo", "train"], "no --foo"),
        (["study", "rum"], "Did you mean run?"),
        (["train"], "Expected --out, got none"),
        (["train", "--out", "{}", "extra"], "Expected no extra"),
        (["train", "--out", "{}", "--epohs", "3"], "no --epohs. Did you mean --epochs?"),
        (["train", "--out", "{}", "--epoch", "3"], "no --epoch. Did you mean --epochs?"),
        (["train", "--out", "{}", "--learning", "3"], "no --learning. Did you mean --learning-r"),
        (["train", "--out", "{}", "--lr", "x"], "--learning-rate to be a number, got 'x'"),
        (["train", "--out", "{}", "--ga", "3"], "no --ga. Did you mean --gradient-accumulation?"),
        (["train", "--out", "{}", "--learning-rate", "-1e-3"], "positive and finite, got -0.001"),
        (["train", "--out", "{}", "--data-root", "{}"], "no --data-root for digits"),
        (["train", "--out", "{}", "--student", "zzz"], "`tfkd models` lists them"),
        (["train", "--out", "{}", "--folds", "1"], "--folds of at least 2, got 1"),
        (["compare", "--out", "{}", "--folds", "5", "--seeds", "6"], "a multiple of the 5 --folds"),
        (["models", "zzz"], "none has"),
        (["train", "--out", "{}", "--epochs", "1.5"], "--epochs to be a whole number, got '1.5'"),
        (["train", "--out", "{}", "--epochs"], "one argument for --epochs"),
        (["train", "--out", "{}", "--batch_size", "x"], "--batch-size to be"),
        (["train", "--out", "{}", "--batch-size", "0"], "--batch-size of at least 1"),
        (["train", "--out", "{}", "--method", "magic"], "got 'magic'"),
        (["train", "--out", "{}", "--method", "tf_kd_rag"], "--method to be"),
        (["train", "--out", "{}", "--method", "tf_kd_rag"], "Did you mean tf_kd_reg?"),
        (["train", "--out", "{}", "--dialect", "latin"], "--dialect among tfkd"),
        (["train", "--out", "{}", "--optimizer", "magic"], "lamb, lion or adan, got 'magic'"),
        (
            ["train", "--out", "{}", "--method", "focal", "--gamma", "2"],
            "γ of the focal losses is --focusing.",
        ),
        (
            ["train", "--out", "{}", "--data", "cifar10", "--method", "focal", "--gamma", "2"],
            "got 2: it multiplies the learning rate. The exponent γ of the focal losses is --foc",
        ),
        (
            ["train", "--out", "{}", "--method", "ls", "--warm-up", "2"],
            "Expected no --warm-up for label_smoothing, got 2.0. It takes alpha, scale. "
            "The learning rate's is --warmup-epochs.",
        ),
        (
            ["train", "--out", "{}", "--method", "ema", "--ramp-up", "0"],
            "Expected --ramp-up to be a whole number of at least 1, got 0.",
        ),
        (["train", "--out", "{}", "--optimizer", "adamww"], "Did you mean adamw?"),
        (["train", "--out", "{}", "--optimizer", "qqq"], "timm.optim.list_optimizers() has their"),
        (["train", "--out", "{}", "--optimizer=adamw", "--momentum=1"], "no --momentum for the op"),
        (["train", "--out", "{}", "--schedule", "step"], "--milestones for the schedule step"),
        (["train", "--out", "{}", "--milestones", "3,4"], "no --milestones for the schedule cos"),
        (["train", "--out", "{}", "--milestones", "3,a"], "--milestones to be whole numbers"),
        (["train", "--out", "{}", "--save-epochs", "21"], "--save-epochs between 1 and 20"),
        (["train", "--out", "{}", "--student", "magic"], "--student to be the name of a known"),
        (["train", "--out", "{}", "--student", "plain_cn"], "Did you mean plain_cnn?"),
        (["train", "--out", "{}", "--student", "timm/resnet18.magic"], "mean timm/resnet18."),
        (["train", "--out", "{}", "--pretrained"], "--pretrained to be False for 'small_cnn'"),
        (["train", "--out", "{}", "--data", "magic"], "--data to be one of"),
        (["train", "--out", "{}", "--alpha", "1.5", "--method", "tf_kd_reg"], "[0, 1], got 1.5"),
        (["train", "--out", "{}", "--alpha", "0.5"], "no --alpha for cross_entropy"),
        (["train", "--out", "{}", "--confidence=.05", "--method=tf_kd_reg"], "--confidence in"),
        (["train", "--out", "{}", "--method", "tf_kd_self"], "--teacher for the method"),
        (["train", "--out", "{}", "--teacher", "run"], "no --teacher for the method"),
        (["train", "--out", "{}", "--teacher-epoch", "1"], "--teacher beside --teacher-epoch"),
        (["train", "--out", "{}", "--teacher-cache", "float32"], "--teacher beside"),
        (["train", "--out", "{}", "--views", "0"], "--views of at least 1"),
        (["compare", "--out", "{}", "--teacher-cache", "zip"], "--teacher-cache to be"),
        (["compare", "--out", "{}", "--teacher-cache", "top-3", "--mixup", "1"], "with mixup"),
        (["compare", "--out", "{}", "--methods", "cross_entropy,magic"], "'magic'"),
        (["compare", "--out", "{}", "--methods", "tfkdreg"], "--methods to be"),
        (["compare", "--out", "{}", "--methods", "tfkdreg"], "Did you mean tf_kd_reg?"),
        (["compare", "--out", "{}", "--methods", "knowledge_distillation"], "of their own"),
        (["compare", "--out", "{}", "--teacher", "magic"], "--teacher to be the name of a known"),
        (["compare", "--out", "{}", "--teacher", "small_cnn"], "--teacher other than"),
        (["compare", "--out", "{}", "--seeds", "0"], "--seeds from 1 to"),
        (["compare", "--out", "{}", "--alpha", "0"], "no --alpha"),
        (["predict", "{}"], "Expected FILES, got none"),
        (["predict"], "Expected RUN and FILES, got none"),
        (["explain", "--classes", "1"], "--classes of at least 2"),
        (["explain", "--alpha", "1.5"], "--alpha in [0, 1], got 1.5"),
        (["explain", "--method", "tf_kd_self", "--picture", "{}/p.png"], "every sample"),
    ],
)
def test_wrong_usage_is_one_line_exit_2_and_leaves_nothing(arguments, said, capsys, tmp_path):
    out = tmp_path / "out"
    assert main([argument.format(out) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("tfkd: error: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert captured.err.count("Did you mean") <= 1
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "{}"],
        ["predict", "{}", "a.png"],
        ["train", "--out", "{}/run", "--data", "cifar10", "--data-root", "{}/none"],
    ],
)
def test_what_is_not_there_is_one_line_and_exit_1(arguments, capsys, tmp_path):
    assert main([argument.format(tmp_path) for argument in arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("tfkd: error: ")
    assert error.count("\n") == 1
    assert str(tmp_path) in error


def test_a_traceback_only_with_debug(capsys, tmp_path):
    assert main(["evaluate", str(tmp_path)]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path), "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_missing_extra_is_answered_with_its_pip_line(tmp_path):
    for package in ("msgspec", "timm"):
        program = (
            f"import sys; sys.modules[{package!r}] = None\n"
            "from tfkd.cli import main\n"
            f"sys.exit(main(['train', '--out', {str(tmp_path / 'r')!r}, '--student', 'resnet34']))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.returncode == 1
        assert done.stderr.startswith("tfkd: error: ")
        assert package in done.stderr
        assert done.stderr.endswith(f"{pip_line('cli')}\n")


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tfkd ")


def test_a_printed_config_loads_again(capsys, tmp_path):
    file = tmp_path / "config.yaml"
    arguments = ["--schedule=step", "--milestones", "3,4", "--save-epochs=1", "--tensorboard"]
    arguments += ["--learning_rate=1e-3"]
    assert main(["train", "--out", "some/run", *arguments, "--print-config"]) == 0
    first = capsys.readouterr().out
    values = yaml.safe_load(first)
    assert values == {
        "out": "some/run",
        "recipe": {
            "schedule": {"name": "step", "milestones": [3, 4]},
            "optimizer": {"learning_rate": 0.001},
        },
        "circumstances": {"save_epochs": [1], "tensorboard": True},
    }
    file.write_text(first)
    assert main(["train", "--config", str(file), "--print-config"]) == 0
    assert capsys.readouterr().out == first
    assert main(["train", "--config", str(file), "--milestones", "7", "--print-config"]) == 0
    changed = yaml.safe_load(capsys.readouterr().out)
    assert changed["recipe"]["schedule"]["milestones"] == [7]
    assert main(["compare", "--methods", "tf_kd_reg,normal_kd", "--print-config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["methods"] == ["tf_kd_reg", "normal_kd"]


def test_a_config_file_trains(tmp_path, capsys):
    file = tmp_path / "config.yaml"
    out = tmp_path / "run"
    file.write_text(f"out: {out}\nepochs: 3\ntrain_size: 60\nsave_epochs: [1, 2]\n")
    assert main(["train", "--config", str(file), "--epochs", "2"]) == 0
    stored = RunDirectory(out).stored()
    assert (stored.recipe.epochs, stored.recipe.data.train_size) == (2, 60)
    assert stored.circumstances.save_epochs == (1, 2)
    file.write_text("unheard: 1\n")
    capsys.readouterr()
    assert main(["train", "--config", str(file)]) == 2
    assert "unheard" in capsys.readouterr().err


def test_options_reach_the_run(run):
    stored = RunDirectory(run).stored()
    assert stored.method.name == "tf_kd_reg"
    assert stored.circumstances.save_epochs == (1, 2)
    assert stored.recipe.epochs == 2
    assert stored.recipe.data.train_size == 200


def test_the_same_command_again_says_that_it_is_finished(run, capsys):
    arguments = ["--out", str(run), "--epochs", "2", "--train-size", "200"]
    arguments += ["--method", "tf_kd_reg", "--save-epochs", "1,2"]
    before = (run / "result.json").read_bytes()
    assert main(["train", *arguments]) == 0
    text = capsys.readouterr().out
    assert "finished before" in text
    accuracy = json.loads(before)["test"]["accuracy"]
    assert f"{100 * accuracy:.2f} %" in text
    assert (run / "result.json").read_bytes() == before
    assert main(["train", *arguments, "--seed", "1"]) == 2
    assert "seed is 0 there, 1 here" in capsys.readouterr().err


def test_a_run_teaches_another(run, tmp_path, capsys):
    arguments = ["--method", "tf_kd_self", "--teacher", str(run), "--teacher-epoch", "1"]
    out = tmp_path / "student"
    assert (
        main(["train", "--out", str(out), "--epochs", "1", "--train-size", "60", *arguments]) == 0
    )
    teacher = RunDirectory(out).settings().teacher
    assert teacher is not None
    assert (teacher.run, teacher.epoch) == (str(run), 1)


def test_a_study_taught_from_caches(tmp_path, capsys):
    out = tmp_path / "study"
    arguments = ["--epochs", "2", "--train-size", "60", "--seeds", "1", "--jobs", "1"]
    arguments += ["--methods", "tf_kd_self,de_kd", "--teacher-cache", "float16", "--views", "1"]
    assert main(["compare", "--out", str(out), *arguments]) == 0
    # One for each teacher; that of De-KD is the larger network after an epoch.
    made = {file.relative_to(out).parts[0] for file in out.rglob("cache.json")}
    assert made == {"small_cnn", "wide_cnn"}
    records = [json.loads(line) for line in (out / "compare.jsonl").read_text().splitlines()]
    taught = [record["settings"]["teacher"] for record in records]
    assert [teacher["cache"] for teacher in taught if teacher] == ["float16", "float16"]
    capsys.readouterr()


def test_evaluate_measures_what_training_measured(run, capsys):
    assert main(["evaluate", str(run)]) == 0
    text = capsys.readouterr().out
    result = json.loads((run / "result.json").read_text())["test"]
    for name, value in (
        ("accuracy", 100 * result["accuracy"]),
        ("ECE", 100 * result["ece"]),
        ("NLL", result["nll"]),
        ("Brier", result["brier"]),
        ("AURC", 100 * result["aurc"]),
    ):
        (line,) = [line for line in text.splitlines() if line.split()[:1] == [name]]
        assert float(line.split()[1]) == pytest.approx(value, abs=0.0051)
    assert main(["evaluate", str(run), "--epoch", "1", "--split", "validation"]) == 0
    assert "validation split" in capsys.readouterr().out


def test_predict_prints_the_others_before_it_fails(run, tmp_path, capsys):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.new("L", (8, 8), 99).save(good)
    bad.write_bytes(b"")
    assert main(["predict", str(run), str(bad), str(good), "--top", "2"]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith(str(good))
    assert captured.out.count(" %") == 2
    first, second = captured.err.splitlines()
    assert first.startswith("tfkd: error: ")
    assert str(bad) in first
    assert second == "tfkd: 1 of 2 images have no answer."
    assert main(["predict", str(run), str(good), "--top", "10", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["file"] == str(good)
    assert {p["label"] for p in record["predictions"]} == set("0123456789")
    assert sum(p["probability"] for p in record["predictions"]) == pytest.approx(1.0)


def test_explain_says_what_the_library_says(capsys, tmp_path):
    picture = tmp_path / "picture.svg"
    arguments = ["--classes", "100", "--alpha", "0.3", "--temperature", "2", "--scale", "2"]
    assert main(["explain", *arguments, "--picture", str(picture)]) == 0
    loss = tfkd.tf_kd_reg(alpha=0.3, temperature=2.0, scale=2.0)
    assert capsys.readouterr().out == f"{tfkd.explain(loss, 100)}\n"
    assert picture.stat().st_size > 0


@pytest.mark.parametrize(
    ("method", "dialect"),
    [(name, dialect) for name in METHODS for dialect in DIALECTS],
)
def test_explain_takes_every_method_in_every_dialect(method, dialect, capsys):
    row = METHODS[method]
    if dialect not in row.compositions:
        assert main(["explain", "--method", method, "--dialect", dialect]) == 2
        assert f"--dialect among {', '.join(row.compositions)}" in capsys.readouterr().err
        return
    values = {"alpha": "0.9", "temperature": "20"}
    takes = [f"--{name}={values[name]}" for name in row.numbers(dialect) if name in values]
    assert main(["explain", "--method", method, "--dialect", dialect, *takes]) == 0
    assert "loss scale s" in capsys.readouterr().out


def test_compare(tmp_path, capsys):
    out = tmp_path / "study"
    arguments = ["--epochs", "1", "--train-size", "60", "--seeds", "2", "--jobs", "1"]
    assert main(["compare", "--out", str(out), "--methods", "label_smoothing", *arguments]) == 0
    text = capsys.readouterr().out
    assert "label smoothing" in text
    assert f"tfkd report {out}" in text
    lines = (out / "compare.jsonl").read_text().splitlines()
    assert {(json.loads(row)["method"], json.loads(row)["seed"]) for row in lines} == {
        (method, seed) for method in ("cross_entropy", "label_smoothing") for seed in (0, 1)
    }


def test_a_study_from_its_cost_to_its_page(tmp_path, capsys):
    out = str(tmp_path / "study")
    arguments = ["study", "run", "table-9", "--data", "digits", "--out", out, "--seeds", "2"]
    arguments += ["--train-size", "60", "--epochs", "1", "--controls", "none", "--jobs", "1"]
    assert main([*arguments, "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert "\nruns          12 runs: 6 arms, 2 seeds; 12 epochs left\n" in planned
    assert "2 seeds cannot show any difference" in planned
    assert all(len(line) <= 80 for line in planned.splitlines())
    assert not (tmp_path / "study").exists()
    assert main(["study", "status", out]) == 1
    assert "Expected a study in" in capsys.readouterr().err
    assert main(arguments) == 0
    assert "Tf-KD_reg" in capsys.readouterr().out
    assert main(["study", "status", out]) == 0
    status = capsys.readouterr().out
    runs = len((tmp_path / "study" / "table-9.jsonl").read_text().splitlines())
    assert f"table-9: {runs} of {runs} runs finished" in status
    assert main(["report", out, "--out", str(tmp_path / "page")]) == 0
    written = {file.name for file in (tmp_path / "page").iterdir()}
    assert {"table-9.html", "table-9.md", "table-9.table.csv", "table-9.jsonl"} <= written


def test_every_study_is_listed(capsys):
    assert main(["study", "list"]) == 0
    listed = capsys.readouterr().out
    own = ("all-methods", "scale", "strength", "confidence")
    for name in (*(f"table-{number}" for number in range(1, 12)), "figure-2", *own):
        assert f"\n{name} " in listed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table-12"], "'table-12'"),
        (["table-1", "--student", "small_cnn"], "--data beside --student"),
        (["table-1", "--data", "digits", "--controls", "magic"], "'magic'"),
        (["table-1", "--data", "digits", "--teacher", "small_cnn"], "--teacher other than"),
        (["table-1", "--dialect", "latin"], "--dialect to be one of released, paper, tfkd"),
        (["table-12"], "NAME to be one of"),
        (["confidence", "--data", "digits"], "--confidence for this study"),
        (["confidence", "--data", "digits", "--confidence", "0.05"], "--confidence above 1/10"),
        (["scale", "--data", "digits", "--alphas", "0.1"], "no --alphas for scale, which is of st"),
        (["strength", "--data", "digits", "--alphas", "0.1,0.1"], "--alphas of their own"),
        (["table-1", "--executor", "locl"], "Did you mean local?"),
        (["table-1", "--method", "tf_kd_reg"], "Expected no --method"),
    ],
)
def test_a_study_that_cannot_be_is_refused(arguments, message, capsys):
    assert main(["study", "run", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_only_the_main_process_prints(run, capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")  # as torchrun numbers its processes
    assert main(["evaluate", str(run)]) == 0
    arguments = ["--epochs", "2", "--train-size", "200", "--method", "tf_kd_reg"]
    assert main(["train", "--out", str(run), "--save-epochs", "1,2", *arguments]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_same_comparison_with_other_methods_adds_them(tmp_path, capsys):
    out = tmp_path / "study"
    words = ["compare", "--out", str(out), "--seeds", "1", "--jobs", "1", "--train-size", "60"]
    words += ["--epochs", "1"]
    assert main([*words, "--methods", "label_smoothing"]) == 0
    capsys.readouterr()
    more = [*words, "--methods", "tf_kd_reg"]
    assert main([*more, "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert "runs          3 runs: 3 arms, 1 seed, 2 of them finished; 1 epoch left" in planned
    assert "Finished before, and compared as well: small_cnn label_smoothing." in planned
    assert main(more) == 0
    said = capsys.readouterr()
    assert "1 run to do" in said.err
    assert "Tf-KD_reg" in said.out
    assert "label" in said.out
    lines = (out / "compare.jsonl").read_text().splitlines()
    assert {json.loads(line)["method"] for line in lines} == {
        "cross_entropy",
        "label_smoothing",
        "tf_kd_reg",
    }


def test_models_are_listed_by_a_part_of_their_name(capsys):
    assert main(["models"]) == 0
    own = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in own[1:-1]} == set(tfkd.models.model_names())
    assert main(["models", "test_vit2"]) == 0
    _, line = capsys.readouterr().out.splitlines()
    network = tfkd.models.create_model("timm/test_vit2", num_classes=1000)
    millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert line.split() == ["timm/test_vit2", f"{millions:.2f}", "M", "160", "r160_in1k"]


def test_explain_stays_the_function_whatever_is_imported_first():
    check = (
        "\nimport tfkd\nfrom tfkd import explain\n"
        "assert explain is tfkd.explain\n"
        "assert 'epsilon 0.1000' in str(explain(tfkd.label_smoothing(0.1), 10))\n"
    )
    orders = [
        "import tfkd.explanation",
        "import tfkd.methods; from tfkd import *",
        "import tfkd; tfkd.explain; import importlib; importlib.import_module('tfkd.explanation')",
    ]
    each_after("import torch", [program + check for program in orders])


def test_what_is_said_and_measured_beforehand_changes_no_number(tmp_path, capsys):
    words = ["--epochs", "1", "--train-size", "60", "--augmentation", "default"]
    assert main(["train", "--out", str(tmp_path / "told"), *words]) == 0
    assert "time          about" in capsys.readouterr().err
    settings = RunDirectory(tmp_path / "told").settings()
    train_run(tmp_path / "silent", settings)
    weights = [
        (tmp_path / name / "weights.safetensors").read_bytes() for name in ("told", "silent")
    ]
    assert weights[0] == weights[1]

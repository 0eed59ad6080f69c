"""`tfkd tune` as it is typed."""

import json
import shlex

import pytest

from tfkd.cli import main
from tfkd.runs import RunDirectory
from tfkd.runs.chosen import read_chosen

pytestmark = pytest.mark.usefixtures("one_thread")

DIGITS = "--data digits --train-size 60 --student own_parts:linear --epochs 1 --batch-size 30"
TUNE = f"tune {DIGITS} --teacher own_parts:mlp --jobs 1 --out search"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs a command in an empty folder; returns the exit code, and what it printed and said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run(line):
        code = main(shlex.split(line))
        return code, *capsys.readouterr()

    return run


def test_it_searches_says_what_it_found_and_a_comparison_takes_it(run, tmp_path):
    code, out, err = run(f"{TUNE} --methods tf_kd_reg,re_kd --trials 2 --seeds 1 --tune-teacher")
    assert code == 0
    assert "test split    is not looked at" in err
    assert "2 trials of 1 seed for each of 4 methods" in err
    assert "8 runs to do, 8 epochs together" in err  # the first of them teaches Re-KD
    assert "cross_entropy trial-000 seed 1000: validation " in err
    for name in ("cross-entropy", "Tf-KD_reg", "Re-KD", "teacher", "confidence 0.", "near"):
        assert name in out
    *lines, command = out.splitlines()
    assert max(map(len, [*lines, *err.splitlines()])) <= 80 + len(str(tmp_path))
    found = {own.name: own for own in read_chosen(tmp_path / "search/chosen.json")}
    assert list(found) == ["cross_entropy", "tf_kd_reg", "re_kd", "teacher"]

    name, _, options = command.strip().partition(" ")
    assert name == "tfkd"
    assert run(f"{options} --jobs 1 --seeds 1 --out compared")[0] == 0
    for folder, name in (
        ("own_parts:linear/cross_entropy", "cross_entropy"),
        ("own_parts:linear/tf_kd_reg", "tf_kd_reg"),
        ("own_parts:mlp/re_kd", "re_kd"),
        ("own_parts:mlp/cross_entropy", "teacher"),
    ):
        settings = RunDirectory(tmp_path / "compared" / folder / "seed-0").settings()
        assert settings.method == found[name].method
        assert settings.recipe.optimizer.learning_rate == found[name].learning_rate
        assert settings.recipe.optimizer.weight_decay == found[name].weight_decay


def test_its_table_is_there_again(run):
    _, out, _ = run(f"{TUNE} --methods tf_kd_reg --trials 1 --seeds 1")
    code, again, _ = run("report search")
    assert code == 0
    assert again.rstrip() == out.partition("All trials")[0].rstrip()


def test_a_dry_run_says_what_there_would_be_and_writes_nothing(run, tmp_path):
    code, out, _ = run(f"{TUNE} --methods all --learning-rates 0.05:0.2 --dry-run")
    assert code == 0
    assert not (tmp_path / "search").exists()
    assert "learning rate 0.05 to 0.2 for every method" in out
    assert "20 trials of 2 seeds for each of " in out
    assert "tf_kd_reg: alpha 0.01 to 0.95, temperature 1 to 40" in out
    assert "note          knowledge_distillation is left out" in out
    assert max(map(len, out.splitlines())) <= 80


def test_settings_of_a_file_keep_their_numbers(run, tmp_path):
    numbers = {"alpha": 0.4, "scale": 1.0}
    entry = {"name": "strong", "learning_rate": 0.05, "weight_decay": 0.001}
    entry["method"] = {"name": "label_smoothing", "dialect": "tfkd", "numbers": numbers}
    teacher = {"name": "teacher", "learning_rate": 0.07, "weight_decay": 0.001, "method": {}}
    (tmp_path / "mine.json").write_text(json.dumps([entry, teacher]))
    code, out, _ = run(f"{TUNE} --chosen mine.json --trials 2 --seeds 1")
    assert code == 0
    assert "strong" in out
    own = {own.name: own for own in read_chosen(tmp_path / "search/chosen.json")}
    assert list(own) == ["cross_entropy", "strong"]
    assert own["strong"].method.numbers == numbers
    first = RunDirectory(tmp_path / "search/strong/trial-000/seed-1000").settings()
    assert first.recipe.optimizer.learning_rate == 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--trials 0", "Expected --trials"),
        ("--learning-rates fast", "Expected --learning-rates as LOW:HIGH, as in 0.01:0.3"),
        ("--learning-rates 0.3:0.1", "Expected --learning-rates from a smaller to a larger one"),
        ("--weight-decays 1:2:3", "Expected --weight-decays as LOW:HIGH"),
        ("--objective f1", "Expected --objective to be one of calibrated_nll, nll"),
        ("--methods tf_kd_regg", "Did you mean tf_kd_reg?"),
        ("--folds 5", "Expected no --folds while settings are chosen"),
        ("--validation-fraction 0", "Expected a validation split to choose settings by"),
        ("--mixup 0.2 --methods cs_kd", "Expected no --mixup with the method cs_kd"),
        ("--chosen nowhere.json", "nowhere.json"),
        ("--measure-test yes", "Expected --measure-test no while settings are chosen"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(run, tmp_path, options, message):
    code, out, err = run(f"{TUNE} {options}")
    assert code in (1, 2)
    assert message in " ".join(err.split())
    assert out == ""
    assert not (tmp_path / "search").exists()


@pytest.mark.parametrize("line", [TUNE, TUNE.replace("tune", "compare --tune 2", 1)])
def test_a_plan_without_validation_images_is_refused_as_the_search_is(run, tmp_path, line):
    for more in ("", " --dry-run"):
        code, _, err = run(f"{line} --methods tf_kd_reg --validation-fraction 0{more}")
        assert code == 2
        assert "Expected a validation split to choose settings by" in err
        assert list(tmp_path.iterdir()) == []


def test_where_every_loss_is_infinite_nothing_is_chosen_and_nothing_compared(run, tmp_path):
    code, out, _ = run(
        f"{TUNE} --methods label_smoothing --trials 1 --seeds 1 --learning-rates 1e25:1e26"
    )
    assert code == 0
    assert "Nothing was chosen." in out
    assert "compare" not in out
    line = f"compare {DIGITS} --teacher own_parts:mlp --jobs 1 --seeds 1 --out compared"
    code, _, err = run(f"{line} --chosen search/chosen.json")
    assert (code, "nothing was chosen there" in err) == (2, True)
    code, _, err = run(f"{line} --methods label_smoothing --tune 1 --tune-seeds 1 --lr 1e25")
    assert code == 2
    assert "Expected a setting of cross_entropy with a finite loss" in err
    assert not (tmp_path / "compared/compare.study.json").exists()


@pytest.mark.parametrize(
    "line",
    [
        f"compare {DIGITS} --seeds 1 --methods tf_kd_reg --out D --measure-test no",
        f"compare {DIGITS} --seeds 1 --methods tf_kd_reg --out D --measure-test no --tune 2",
        f"compare {DIGITS} --seeds 1 --methods tf_kd_reg --out D --measure-test no --dry-run",
        "study run table-2 --data digits --seeds 1 --out D --measure-test no --dry-run",
        "study run table-2 --data digits --seeds 1 --out D --measure-test no",
        f"recommend digits {DIGITS.partition('digits')[2]} --out D --measure-test no",
    ],
)
def test_what_compares_by_the_test_split_does_not_leave_it_alone(run, tmp_path, line):
    code, _, err = run(line)
    assert code == 2
    assert "Expected --measure-test yes in a study, which compares by the test split" in err
    assert list(tmp_path.iterdir()) == []


def test_tuning_without_weight_decay_says_what_to_write(run):
    code, _, err = run(f"compare {DIGITS} --methods tf_kd_reg --tune 2 --weight-decay 0 --out D")
    assert code == 2
    assert "--weight-decay above 0, around which it is searched" in err


def test_a_comparison_that_was_begun_is_tuned_no_further(run, tmp_path):
    line = f"compare {DIGITS} --methods label_smoothing --seeds 1 --jobs 1 --out D --tune-seeds 1"
    assert run(f"{line} --tune 2")[0] == 0
    before = (tmp_path / "D/tune/tune.json").read_bytes()
    for more in ("", " --dry-run"):
        code, _, err = run(f"{line} --tune 3{more}")
        assert code == 2
        assert "Expected --tune of at most 2, the trials by which the comparison in D" in err
    assert (tmp_path / "D/tune/tune.json").read_bytes() == before
    assert run(f"{line} --tune 2")[0] == 0
    assert run(f"{line} --tune 1")[0] == 0  # those that are there


@pytest.mark.parametrize("worthwhile", ["0", "-1", "nan", "inf", "100.1", "1e308"])
def test_a_difference_that_no_accuracy_has_is_not_worth_having(run, worthwhile):
    for line in (f"compare {DIGITS}", "study run table-2 --data digits"):
        code, _, err = run(f"{line} --out D --dry-run --worthwhile={worthwhile}")
        assert code == 2
        assert "Expected --worthwhile" in err

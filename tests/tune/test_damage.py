"""Searches whose files were damaged, changed or deleted: told with the file, or made good."""

import json
import os
import shutil

import optuna
import pytest
from msgspec.structs import replace
from optuna.storages.journal import JournalFileBackend

from tfkd.tune import read_tuned, tune
from tfkd.tune.journal import JOURNAL_FILE
from tfkd.tune.records import CHOSEN_FILE, PLAN_FILE, RECORDS_FILE

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def root(undisturbed, tmp_path):
    """A copy of a finished search."""
    return shutil.copytree(undisturbed, tmp_path / "search")


def foreign(file):
    """A journal that somebody else's study is in, under the name of an entry."""
    file.unlink()
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(file)))
    study = optuna.create_study(study_name="tf_kd_self", storage=storage)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    optuna.logging.set_verbosity(before)


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b"garbage\n" + file.read_bytes()),
        lambda file: file.write_bytes(b"\xff\xfe\0\n"),
        lambda file: file.write_bytes(b"[1]\n"),
        lambda file: file.write_bytes(file.read_bytes().replace(b'"complete"', b'"completed"')),
        foreign,
    ],
    ids=["line", "binary", "list", "state", "foreign"],
)
def test_a_damaged_journal_is_named_and_without_it_all_is_as_before(
    undisturbed, small, root, damage
):
    damage(root / JOURNAL_FILE)
    with pytest.raises(ValueError, match=rf"{JOURNAL_FILE} as this program writes it.* Delete it"):
        tune(small.plan, root, jobs=1)
    (root / JOURNAL_FILE).unlink()
    tune(small.plan, root, jobs=1)
    for name in (RECORDS_FILE, CHOSEN_FILE):
        assert (root / name).read_bytes() == (undisturbed / name).read_bytes()


def test_a_pipe_for_the_journal_is_refused(small, root):
    (root / JOURNAL_FILE).unlink()
    os.mkfifo(root / JOURNAL_FILE)
    with pytest.raises(ValueError, match=rf"Expected a regular file at .*{JOURNAL_FILE}"):
        tune(small.plan, root, jobs=1)


def test_trials_without_their_plan_are_not_taken_for_those_of_another(small, root):
    (root / PLAN_FILE).unlink()
    with pytest.raises(ValueError, match=rf"Expected the plan .*{PLAN_FILE}.* found none"):
        tune(replace(small.plan, objective="accuracy"), root, jobs=1)
    assert not (root / PLAN_FILE).exists()


def test_a_setting_that_was_changed_is_not_told_for_the_one_that_ran(small, root):
    file = root / "tf_kd_self" / "trial-001" / "trial.json"
    rate = read_tuned(root).entries[1].tried[1].setting.learning_rate
    file.write_text(file.read_text().replace(f"{rate}", "0.0123"))
    with pytest.raises(ValueError, match=r"settings of its trial in .*trial-001"):
        tune(small.plan, root, jobs=1)


def test_a_trial_of_another_entry_is_refused(small, root):
    own = root / "tf_kd_self" / "trial-001" / "trial.json"
    shutil.copy(root / "cross_entropy" / "trial-001" / "trial.json", own)
    with pytest.raises(ValueError, match=r"Expected trial 1 of tf_kd_self in .*trial\.json"):
        tune(small.plan, root, jobs=1)


@pytest.mark.parametrize("which", ["best", "first"])
def test_a_deleted_run_is_trained_anew_and_counts_again(undisturbed, small, root, which):
    found = read_tuned(root).entries[1]
    number = found.best.number if which == "best" else 0
    folder = root / "tf_kd_self" / f"trial-{number:03}"
    shutil.rmtree(folder / "seed-1001", ignore_errors=True)
    shutil.rmtree(folder / "seed-1000")
    tune(small.plan, root, jobs=1)
    assert small.lines(root) == small.lines(undisturbed)
    assert (root / CHOSEN_FILE).read_bytes() == (undisturbed / CHOSEN_FILE).read_bytes()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("objective", 1e308),
        ("nll", -1.0),
        ("accuracy", 1.5),
        ("learning_rate", -0.1),
        ("weight_decay", 0.0),
        ("seconds", 1e300),
    ],
)
def test_a_number_that_no_trial_comes_to_is_refused(root, field, value):
    file = root / RECORDS_FILE
    first, *rest = [json.loads(line) for line in file.read_text().splitlines()]
    lines = [{**first, field: value}, *rest]
    file.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(ValueError, match=rf"{RECORDS_FILE} as this program writes it.*{field}"):
        read_tuned(root)


def test_a_finished_trial_without_a_value_has_none(root):
    file = root / RECORDS_FILE
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("\n".join(json.dumps({**line, "objective": None}) for line in lines))
    assert all(tried.value is None for own in read_tuned(root).entries for tried in own.tried)
    assert read_tuned(root).chosen == ()

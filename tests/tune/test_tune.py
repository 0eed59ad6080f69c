"""A search: the same budget for all, the same result however often it is killed, no test split."""

import collections
import itertools
import json
import os
import signal
import time
from pathlib import Path

import optuna
import pytest
from msgspec.structs import replace
from split_off import Program, written
from study_progress import Recording

from tfkd.runs import Circumstances, MethodSettings, RunDirectory
from tfkd.runs.chosen import read_chosen
from tfkd.study.execute import RunsFailedError
from tfkd.tune import read_tuned, tune
from tfkd.tune.journal import JOURNAL_FILE
from tfkd.tune.plan import FIRST_SEED
from tfkd.tune.progress import SilentTuning
from tfkd.tune.records import CHOSEN_FILE, PLAN_FILE
from tfkd.tune.tuned import read_records

pytestmark = pytest.mark.usefixtures("one_thread")

NUMBERS = itertools.count()


class Told(Recording, SilentTuning):
    def __init__(self):
        super().__init__()
        self.lost, self.remarks = [], []

    def without_result(self, runs):
        self.lost += [run.name for run in runs]

    def remark(self, text):
        self.remarks.append(text)


class Log(SilentTuning):
    """Writes the runs that are trained to a file that several processes share.

    Halts at its epoch number `halt`; and behind the teacher, for which all wait, until so many
    processes have had one.
    """

    def __init__(self, file, *, halt=0, together=1):
        self._file, self._halt, self._together, self._epochs = file, halt, together, 0

    def epoch(self, name, record):
        with self._file.open("a") as file:
            file.write(f"{os.getpid()} {name}\n")
        self._epochs += 1
        together = 1 if name == "cross_entropy/trial-000/seed-1000" else self._together
        while self._epochs == self._halt or len({pid for pid, _ in told(self._file)}) < together:
            time.sleep(0.01)


def told(file):
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def main(plan, root, jobs, halt, together):
    """Search as a program, on one core; the log lies beside the directory."""
    import torch

    os.setsid()
    torch.set_num_threads(1)
    log = Log(Path(root).with_suffix(".log"), halt=halt, together=together)
    tune(plan, root, jobs=jobs, progress=log, circumstances=Circumstances(checkpoint_seconds=0))


def start(plan, root, *, jobs=1, halt=0, together=1):
    program = f"import runpy\nmain = runpy.run_path({__file__!r}, run_name='program')['main']\n"
    name = f"{root.name}-{next(NUMBERS)}"
    file = written(root.with_name(f"{name}.py"), f"{program}main(PLAN, *ARGUMENTS)\n")
    return Program(file, name, PLAN=plan, ARGUMENTS=(str(root), jobs, halt, together))


def wait_for(file, count):
    limit = time.monotonic() + 100
    while len(told(file)) < count:
        assert time.monotonic() < limit, f"never saw {count} epochs"
        time.sleep(0.005)


def same(root, undisturbed, small, *, trials=1000):
    assert small.lines(root) == small.lines(undisturbed, trials=trials)
    if trials == 1000:
        assert (root / CHOSEN_FILE).read_bytes() == (undisturbed / CHOSEN_FILE).read_bytes()


def test_every_method_has_the_same_budget_and_the_best_of_it_is_chosen(undisturbed, small):
    tuned = read_tuned(undisturbed)
    assert [own.entry.name for own in tuned.entries] == ["cross_entropy", "tf_kd_self"]
    for own in tuned.entries:
        assert [tried.number for tried in own.tried] == list(range(small.plan.trials))
        assert {tried.state for tried in own.tried} <= {"complete", "pruned"}
        complete = [tried for tried in own.tried if tried.state == "complete"]
        assert own.best.value == min(tried.value for tried in complete)
        assert own.default.setting.method == MethodSettings(own.entry.name)
        assert own.default.setting.learning_rate == small.recipe.optimizer.learning_rate
    chosen = read_chosen(undisturbed / CHOSEN_FILE)
    assert chosen == tuned.chosen
    assert [own.name for own in chosen] == ["cross_entropy", "tf_kd_self"]
    assert [own.method for own in chosen] == [o.best.setting.method for o in tuned.entries]


def test_the_value_of_a_trial_is_the_mean_of_what_its_runs_say(undisturbed):
    for own in read_tuned(undisturbed).entries:
        for tried in own.tried:
            folder = undisturbed / own.entry.name / f"trial-{tried.number:03}"
            results = [RunDirectory(run).result() for run in sorted(folder.glob("seed-*"))]
            assert len(results) == (1 if tried.state == "pruned" else 2)
            calibrated = [result.calibrated.validation.nll for result in results]
            assert tried.value == pytest.approx(sum(calibrated) / len(results), rel=1e-12)
            accuracy = [result.validation.accuracy for result in results]
            assert tried.accuracy == pytest.approx(sum(accuracy) / len(results), rel=1e-12)


def test_the_test_split_is_not_looked_at_and_the_seeds_are_no_comparisons(undisturbed):
    runs = [RunDirectory(file.parent) for file in undisturbed.rglob("settings.json")]
    assert len(runs) == len(read_records(undisturbed))  # the teacher is the first trial
    for run in runs:
        assert run.result().test is None
        assert run.result().calibrated.test is None
        assert not run.test_file.exists()
        assert run.settings().seed >= FIRST_SEED == 1000


def test_what_is_chosen_does_not_depend_on_the_test_images(undisturbed, small, tmp_path):
    data = replace(small.recipe.data, name="own_parts:digits_513")
    plan = replace(small.plan, recipe=replace(small.recipe, data=data), trials=2)
    tune(plan, tmp_path / "search", jobs=1)
    same(tmp_path / "search", undisturbed, small, trials=2)


def test_every_run_of_a_method_that_networks_teach_has_its_teacher(undisturbed):
    for run in sorted(undisturbed.glob("tf_kd_self/*/seed-*")):
        teacher = Path(RunDirectory(run).settings().teacher.run)
        assert teacher.resolve() == (undisturbed / "cross_entropy/trial-000" / run.name).resolve()


def test_optuna_reads_the_journal(undisturbed):
    backend = optuna.storages.journal.JournalFileBackend(str(undisturbed / JOURNAL_FILE))
    storage = optuna.storages.JournalStorage(backend)
    assert set(optuna.get_all_study_names(storage)) == {"cross_entropy", "tf_kd_self"}
    for own in read_tuned(undisturbed).entries:
        study = optuna.load_study(study_name=own.entry.name, storage=storage)
        assert [trial.value for trial in study.trials] == [tried.value for tried in own.tried]
        assert study.best_value == own.best.value


@pytest.mark.long
def test_processes_of_its_own_come_to_the_same(undisturbed, small, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    tune(small.plan, tmp_path / "search", jobs=3)
    same(tmp_path / "search", undisturbed, small)


def test_more_trials_go_on(undisturbed, small, tmp_path):
    root = tmp_path / "search"
    tune(replace(small.plan, trials=1), root, jobs=1)
    same(root, undisturbed, small, trials=1)
    tune(replace(small.plan, trials=2), root, jobs=1, progress=(more := Told()))
    same(root, undisturbed, small, trials=2)
    assert len(more.done) == more.started[0] == 4
    assert all("trial-001" in name for name in more.done)
    # Fewer are none to be taken away.
    tune(replace(small.plan, trials=1), root, jobs=1, progress=(nothing := Told()))
    assert nothing.done == []
    assert nothing.started == (0, 0)
    same(root, undisturbed, small, trials=2)


def test_other_methods_join_with_the_same_budget(small, tmp_path):
    root = tmp_path / "search"
    plan = replace(small.plan, methods=(), trials=1, seeds=1)
    tune(plan, root, jobs=1)
    told = Told()
    tune(replace(plan, methods=("max_sup",), tune_teacher=True), root, jobs=1, progress=told)
    assert told.done == ["max_sup/trial-000/seed-1000", "teacher/trial-000/seed-1000"]
    assert [own.name for own in read_chosen(root / CHOSEN_FILE)] == [
        "cross_entropy",
        "max_sup",
        "teacher",
    ]
    student = RunDirectory(root / "teacher/trial-000/seed-1000").settings().recipe.student
    assert student == "own_parts:mlp"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 3}, "seeds is 2 there, 3 here"),
        ({"objective": "accuracy"}, "objective is 'calibrated_nll' there, 'accuracy' here"),
        ({"learning_rates": (0.01, 0.5)}, "learning_rates is"),
        ({"search_seed": 1}, "search_seed is 0 there, 1 here"),
    ],
)
def test_another_search_in_the_same_directory_is_refused(undisturbed, small, changes, message):
    before = (undisturbed / PLAN_FILE).read_bytes()
    with pytest.raises(ValueError, match=message):
        tune(replace(small.plan, **changes), undisturbed, jobs=1)
    assert (undisturbed / PLAN_FILE).read_bytes() == before


def test_other_data_are_refused(undisturbed, small):
    recipe = replace(small.recipe, data=replace(small.recipe.data, train_size=61))
    with pytest.raises(ValueError, match=r"recipe\.data\.train_size is 60 there, 61 here"):
        tune(replace(small.plan, recipe=recipe), undisturbed, jobs=1)


def test_a_search_killed_at_any_moment_ends_the_same(undisturbed, small, tmp_path, chance):
    root, plan = tmp_path / "search", replace(small.plan, trials=3)
    after = chance.randint(3, 9)
    process = start(plan, root, halt=after + 1)
    wait_for(root.with_suffix(".log"), after)
    time.sleep(chance.uniform(0, 0.2))
    os.killpg(process.pid, signal.SIGKILL)
    assert process.end() == -signal.SIGKILL
    with (root / JOURNAL_FILE).open("a") as journal:
        journal.write('{"op_code":4,"worker')  # what a writer leaves that is killed within a line
    tune(plan, root, jobs=1, progress=(rest := Told()))
    same(root, undisturbed, small, trials=3)
    trained = collections.Counter(name for _, name in told(root.with_suffix(".log")))
    trained.update(name for name, _ in rest.epochs)
    # The run that was at work may have had its epoch, and not yet a checkpoint.
    runs = [line["run"] for line in small.lines(root)]
    assert len(runs) <= sum(trained.values()) <= len(runs) + 1
    assert set(trained) == set(runs)


def test_two_processes_share_a_search_and_run_nothing_twice(undisturbed, small, tmp_path):
    root, plan = tmp_path / "search", replace(small.plan, trials=3)
    processes = [start(plan, root, together=2), start(plan, root, together=2)]
    for process in processes:
        process.finish()
    same(root, undisturbed, small, trials=3)
    epochs = told(root.with_suffix(".log"))
    trained = collections.Counter(name for _, name in epochs)
    assert trained == {line["run"]: 1 for line in small.lines(root)}
    assert {int(pid) for pid, _ in epochs} == {process.pid for process in processes}


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_a_search_of_dozens_of_trials_under_repeated_kills_ends_the_same(small, tmp_path, chance):
    plan = replace(small.plan, methods=("tf_kd_self",), trials=12)
    undisturbed, root = tmp_path / "undisturbed", tmp_path / "search"
    tune(plan, undisturbed, jobs=1)
    log, kills, finished = root.with_suffix(".log"), 4, {}
    for number in range(kills):
        before, after = len(told(log)), chance.randint(1, 5)
        process = start(plan, root, jobs=1 + number % 2, halt=after + 1)
        wait_for(log, before + after)
        time.sleep(chance.uniform(0, 0.3))
        os.killpg(process.pid, signal.SIGKILL)
        assert process.end() == -signal.SIGKILL
        finished |= {file: file.stat().st_mtime_ns for file in root.rglob("result.json")}
    assert start(plan, root, jobs=2).end() == 0
    same(root, undisturbed, small)
    assert all(file.stat().st_mtime_ns == moment for file, moment in finished.items())


def test_a_loss_that_is_not_finite_makes_a_trial_the_worst_and_no_error(small, tmp_path):
    root = tmp_path / "search"
    plan = replace(small.plan, methods=(), trials=4, learning_rates=(0.1, 1e30))
    tuned = tune(plan, root, jobs=1, progress=(said := Told()))
    (own,) = tuned.entries
    states = [tried.state for tried in own.tried]
    assert states[0] == "complete"
    assert "diverged" in states
    lost = own.tried[states.index("diverged")]
    assert lost.value is None
    assert own.best.state == "complete"
    assert any("the loss was not finite" in remark for remark in said.remarks)
    # The other seed of it is not trained, and none again.
    folder = root / f"cross_entropy/trial-{lost.number:03}"
    assert [path.name for path in folder.glob("seed-*")] == ["seed-1000"]
    assert {f"{folder.relative_to(root)}/seed-{seed}" for seed in (1000, 1001)} <= set(said.lost)
    assert len(said.done) + len(said.lost) == said.started[0]
    before = (root / "tune.jsonl").read_bytes()
    tune(plan, root, jobs=1, progress=(again := Told()))
    assert again.epochs == []
    assert (root / "tune.jsonl").read_bytes() == before
    assert len(json.loads((root / CHOSEN_FILE).read_text())) == 1


def test_a_run_that_fails_ends_its_method_alone(small, tmp_path):
    root = tmp_path / "search"
    plan = replace(small.plan, trials=2, seeds=1)
    blocked = root / "tf_kd_self/trial-000/seed-1000"

    class Blocks(Told):
        def finished(self, run, result):
            super().finished(run, result)
            blocked.mkdir(parents=True, exist_ok=True)
            (blocked / "weights.safetensors").write_text("of somebody else")

    with pytest.raises(RunsFailedError, match=r"1 run failed:\n  tf_kd_self/trial-000/seed-1000"):
        tune(plan, root, jobs=1, progress=Blocks())
    assert [own.name for own in read_chosen(root / CHOSEN_FILE)] == ["cross_entropy"]
    (blocked / "weights.safetensors").unlink()
    assert len(tune(plan, root, jobs=1).chosen) == 2


def test_networks_that_teach_are_trained_as_a_file_says(small, tmp_path):
    root = tmp_path / "search"
    plan = replace(small.plan, methods=("normal_kd", "tf_kd_self"), trials=1, seeds=1)
    chosen = read_chosen_like(small, cross_entropy=0.05, teacher=0.02)
    tune(replace(plan, teacher_chosen=chosen), root, jobs=1)
    for method, network, rate in (
        ("tf_kd_self", "own_parts:linear", 0.05),
        ("normal_kd", "own_parts:mlp", 0.02),
    ):
        run = RunDirectory(root / method / "trial-000/seed-1000")
        teacher = RunDirectory(run.settings().teacher.run)
        assert teacher.path.resolve() == (root / "teachers" / network / "seed-1000").resolve()
        assert teacher.settings().recipe.optimizer.learning_rate == rate
        assert run.settings().recipe.optimizer.learning_rate == 0.1


def read_chosen_like(small, **rates):
    """Entries of cross-entropy at some learning rates."""
    from tfkd.runs.chosen import Chosen

    decay = small.recipe.optimizer.weight_decay
    return tuple(
        Chosen(name=name, method=MethodSettings(), learning_rate=rate, weight_decay=decay)
        for name, rate in rates.items()
    )

"""Tuning, comparison and choice within a budget, whose clock the runs themselves move."""

import msgspec
import pytest

from tfkd.advice.recommend import Task
from tfkd.data import DataSettings
from tfkd.runs import Circumstances, Recipe
from tfkd.tune.progress import SilentTuning
from tfkd.tune.tuned import read_records

BASE = Recipe(
    data=DataSettings("digits", train_size=60),
    student="own_parts:linear",
    epochs=1,
    batch_size=30,
)
RUN = 1.0
"""Seconds that a run is thought to take, by `measure`; the images are 60, 120 and 596."""


class Clocked(SilentTuning):
    """Each run takes some time; what was trained and said is kept."""

    def __init__(self, seconds):
        self.now, self.seconds, self.done, self.said = 0.0, seconds, [], []

    def finished(self, run, result):
        self.now += self.seconds
        self.done.append(run.name)

    def remark(self, text):
        self.said.append(text)


class Interrupted(Clocked):
    """Stopped by Ctrl-C after so many runs."""

    def __init__(self, seconds, after):
        super().__init__(seconds)
        self.after = after

    def finished(self, run, result):
        super().finished(run, result)
        if len(self.done) == self.after:
            raise KeyboardInterrupt


def task_of(root, minutes, clocked, **options):
    return Task(
        base=BASE,
        teacher=BASE.student,  # no larger network
        name="digits",
        minutes=minutes,
        purpose="accuracy",
        root=root,
        circumstances=Circumstances(),
        progress=clocked,
        jobs=1,
        measure=lambda recipe, shape: (RUN / 60, 0.0),
        clock=lambda: clocked.now,
        **options,
    )


def recommend(root, minutes, *, seconds=RUN, clocked=None, **options):
    clocked = Clocked(seconds) if clocked is None else clocked
    return task_of(root, minutes, clocked, **options).recommend(), clocked


# Three methods, 2 trials and 6 seeds: 24 runs, 24 s of 85 % of 65 s without 30.
LEAST = 65 / 60


@pytest.fixture(scope="module")
def whole(tmp_path_factory, one_thread):
    root = tmp_path_factory.mktemp("advice") / "whole"
    return root, *recommend(root, LEAST)


def test_it_tunes_and_compares_what_fits(whole):
    root, found, clocked = whole
    plan = msgspec.json.decode((root / "compare.study.json").read_bytes())
    assert plan["seeds"] == 6
    names = [arm["name"].rpartition("/")[2] for arm in plan["arms"]]
    assert names == ["cross_entropy", "label_smoothing", "tf_kd_reg"]
    assert {record.trial for record in read_records(root / "tune")} == {0, 1}
    assert len(clocked.done) == 3 * 2 + 3 * 6
    assert clocked.now <= 60 * LEAST
    assert "tuned before, with the same budget: 2 trials of 1 seed" in plan["remarks"][0]
    assert found.choice.claim is None  # linear networks of one epoch, on 60 images
    assert found.command.startswith("tfkd train --data digits --train-size 60 --student own_parts")
    chosen = msgspec.json.decode((root / "tune/chosen.json").read_bytes())
    rate = next(own["learning_rate"] for own in chosen if own["name"] == "cross_entropy")
    assert f"learning_rate: {rate}" in found.file.read_text()
    said = " ".join(found.remarks)
    assert "label smoothing, accuracy" in said
    assert "Tf-KD_reg, accuracy" in said


def test_the_same_again_trains_nothing_and_says_the_same(whole):
    root, found, _ = whole
    again, clocked = recommend(root, LEAST)
    assert clocked.done == []
    assert (again.sentence, again.command) == (found.sentence, found.command)
    assert set(again.remarks) == set(found.remarks)


def test_what_would_be_done_is_said_beforehand_and_nothing_is_written(whole, tmp_path):
    clocked = Clocked(RUN)
    [said] = task_of(tmp_path / "new", LEAST, clocked).foresee()
    assert said.startswith("cross_entropy, tf_kd_reg, label_smoothing: tuned with 2 trials of 1 se")
    assert "compared with 6 seeds: about 1 minute of training here" in said
    [said] = task_of(tmp_path / "new", 0.5, clocked).foresee()
    assert said.startswith("In 0.5 minutes nothing can be told here, and nothing was trained")
    assert (clocked.done, [*tmp_path.iterdir()]) == ([], [])
    root, *_ = whole
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    said = task_of(root, LEAST, clocked).foresee()[-1]
    assert said == f"Used in {root} before: about 1 minute."
    assert before == {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_runs_that_take_longer_than_thought_are_fewer(tmp_path):
    found, clocked = recommend(tmp_path, LEAST, seconds=4 * RUN)
    # A trial of three methods takes 12 s, not 3: a second one and six seeds would be 12 + 72 of the
    # 53 that are left. Of seeds, 12 s each, four fit.
    assert len(clocked.done) == 3 * 1 + 3 * 4
    assert clocked.now <= 60 * LEAST
    assert found.remarks[-2:] == (
        "Each method was tuned with 1 trial; 2 were planned.",
        "The methods were compared with 4 seeds; 6 were planned.",
    )
    assert found.choice.claim is None


def test_where_nothing_can_be_told_nothing_is_trained(tmp_path):
    found, clocked = recommend(tmp_path, 0.5)
    assert clocked.done == []
    assert "In 0.5 minutes nothing can be told here" in found.remarks[-1]
    assert found.sentence.startswith("Nothing was compared on digits")
    assert found.file.is_file()


def test_less_time_loses_nothing_of_what_was_found(tmp_path):
    root = tmp_path / "advice"
    before, _ = recommend(root, LEAST)
    settings = before.file.read_bytes()
    found, clocked = recommend(root, 0.01)
    assert clocked.done == []
    assert (found.sentence, found.command) == (before.sentence, before.command)
    assert set(found.remarks) == set(before.remarks)
    assert found.file.read_bytes() == settings


def test_less_time_amid_the_search_goes_on_with_what_was_tried(tmp_path):
    root, stopped = tmp_path / "advice", Interrupted(RUN, after=13)
    with pytest.raises(KeyboardInterrupt):
        recommend(root, 20 * LEAST, clocked=stopped)
    tried = {(record.run) for record in read_records(root / "tune")}
    assert len(tried) >= 12
    found, clocked = recommend(root, 2 * LEAST)
    plan = msgspec.json.decode((root / "recommend.json").read_bytes())
    assert plan["minutes"] == 2 * LEAST
    assert plan["spent"] <= 60 * 2 * LEAST
    assert not tried & set(clocked.done)
    assert tried <= {record.run for record in read_records(root / "tune")}
    assert found.choice.claim is None


def test_data_that_do_not_fit_are_refused_before_anything_is_written(tmp_path):
    root = tmp_path / "out"
    with pytest.raises(ValueError, match="`minutes` to be positive"):
        recommend(root, 0.0)
    assert not root.exists()


def test_more_time_goes_on_with_the_seeds_of_the_search_that_is_there(tmp_path):
    root = tmp_path / "advice"
    recommend(root, LEAST)
    found, clocked = recommend(root, 20 * LEAST)
    plan = msgspec.json.decode((root / "recommend.json").read_bytes())
    assert plan["size"]["tune_seeds"] == 2  # as it would have been from the start
    assert {record.seed for record in read_records(root / "tune")} == {1000}
    assert len(clocked.done) == 3 * (plan["size"]["seeds"] - 6)
    assert found.choice.claim is None
    recommend(root, LEAST + 1.0)  # and less again


@pytest.mark.parametrize(
    "change",
    [
        {"spent": -1e9},
        {"minutes": 0},
        {"methods": []},
        {"methods": ["tf_kd_reg"]},
        {"methods": ["cross_entropy", "nope"]},
        {"size": {"seeds": 0, "trials": 1, "tune_seeds": 1}},
    ],
)
def test_a_plan_that_was_changed_is_named(tmp_path, change):
    recommend(tmp_path, 0.01)
    file = tmp_path / "recommend.json"
    file.write_bytes(msgspec.json.encode({**msgspec.json.decode(file.read_bytes()), **change}))
    with pytest.raises(ValueError, match=r"recommend\.json as this program writes it"):
        recommend(tmp_path, 0.01)

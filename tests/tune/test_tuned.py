"""What a search says of each method, against trials written out by hand."""

import pytest
from msgspec.structs import replace

from tfkd.report.terminal.tuned_table import sentences
from tfkd.runs import files
from tfkd.tune import expected_best, read_tuned
from tfkd.tune.before import remarks_on
from tfkd.tune.records import PLAN_FILE, RECORDS_FILE, TrialRecord
from tfkd.tune.space import axes
from tfkd.tune.tuned import tuned_of


def line(trial, state, value, *, seed=1000, accuracy=0.8, alpha=0.1):
    return TrialRecord(
        entry="label_smoothing",
        trial=trial,
        seed=seed,
        method="label_smoothing",
        dialect="tfkd",
        numbers={"alpha": alpha, "scale": 1.0},
        learning_rate=0.1,
        weight_decay=1e-4,
        state=state,
        objective=value,
        accuracy=None if value is None else accuracy,
        nll=value,
        calibrated_nll=value,
        seconds=None if value is None else 2.0,
        run=f"label_smoothing/trial-{trial:03}/seed-{seed}",
    )


LINES = [
    line(0, "complete", 0.60),
    line(0, "complete", 0.62, seed=1001, accuracy=0.9),
    line(1, "complete", 0.49),
    line(1, "complete", 0.51, seed=1001),
    line(2, "complete", 0.505, alpha=0.2),
    line(2, "complete", 0.505, seed=1001, alpha=0.2),
    line(3, "pruned", 0.45),  # lucky with one seed; it is not chosen
    line(4, "diverged", None),
    line(5, "running", 0.1),
]


@pytest.fixture
def plan(small):
    return replace(small.plan, methods=("label_smoothing",))


def test_the_best_is_the_one_with_all_its_seeds(plan):
    cross_entropy, own = tuned_of(plan, LINES).entries
    assert own.best.number == 1
    assert own.best.value == pytest.approx(0.5)
    assert own.default.value == pytest.approx(0.61)
    assert own.default.accuracy == pytest.approx(0.85)
    assert own.default.seconds == 4.0
    assert own.gain == pytest.approx(0.11)
    assert (cross_entropy.best, cross_entropy.default, cross_entropy.expected) == (None, None, [])
    assert (cross_entropy.near, cross_entropy.gain) == (None, None)


def test_near_is_the_share_of_what_has_ended_within_2_percent_of_the_best(plan):
    own = tuned_of(plan, LINES).entries[1]
    assert own.near == 2 / 5  # the best itself, and 0.505
    everywhere = [*LINES, line(6, "complete", 0.5), line(6, "complete", 0.51, seed=1001)]
    assert tuned_of(plan, everywhere).entries[1].near == 3 / 6


def test_a_pruned_trial_counts_as_one_with_all_seeds(plan):
    # Of these the second seed is harder by 0.2: mean minus first is 0.1. A pruned trial with
    # 0.405 is near the best, 0.5, and one with 0.5 is not.
    lines = [
        line(0, "complete", 0.40),
        line(0, "complete", 0.60, seed=1001),
        line(1, "complete", 0.60),
        line(1, "complete", 0.80, seed=1001),
        line(2, "pruned", 0.405),
        line(3, "pruned", 0.50),
    ]
    own = tuned_of(plan, lines).entries[1]
    assert own.values == pytest.approx([0.5, 0.7, 0.505, 0.6])
    assert own.near == 2 / 4
    assert own.expected == pytest.approx(expected_best([0.5, 0.7, 0.505, 0.6]))


def flat(default, trials=10):
    """Lines of a search with one trial that is worse or not, and others that are alike."""
    return [line(0, "complete", default), *(line(n, "complete", 0.5) for n in range(1, trials))]


def test_a_few_settings_do_not_tell_that_no_tuning_is_needed(plan):
    assert "Need hardly any" not in " ".join(sentences(tuned_of(plan, flat(0.5, trials=9))))


def test_what_gains_by_tuning_needs_it_though_most_settings_are_near_the_best(plan):
    told = " ".join(sentences(tuned_of(plan, flat(0.5))))
    assert "Need hardly any tuning here: label smoothing." in told
    assert "Gain more than" not in told
    told = " ".join(sentences(tuned_of(plan, flat(0.6))))
    assert "Gain more than 2 % by it: label smoothing." in told
    assert "Need hardly" not in told


def test_where_every_setting_will_do_none_is_sent_further(plan):
    at_an_end = [replace(each, weight_decay=plan.ranges["weight_decay"][1]) for each in flat(0.5)]
    assert "At an end" not in " ".join(sentences(tuned_of(plan, at_an_end)))
    worse = [replace(at_an_end[0], objective=0.6), *at_an_end[1:]]
    assert "weight decay of label smoothing" in " ".join(sentences(tuned_of(plan, worse)))


def test_of_an_accuracy_it_is_of_the_errors_that_are_left(plan):
    plan = replace(plan, objective="accuracy", seeds=1)
    values = [0.90, 0.8985, 0.8981, 0.80]  # 2 % of the errors are 0.2 points
    lines = [line(n, "complete", value) for n, value in enumerate(values)]
    own = tuned_of(plan, lines).entries[1]
    assert own.best.number == 0
    assert own.near == pytest.approx(3 / 4)
    lines[1] = line(1, "complete", 0.8979)
    assert tuned_of(plan, lines).entries[1].near == pytest.approx(2 / 4)


def test_the_expected_best_takes_what_diverged_as_the_worst_of_the_others(plan):
    pruned = 0.45 + (0.01 + 0.01 + 0.0) / 3  # as with all seeds
    own = tuned_of(plan, LINES).entries[1]
    assert own.expected == pytest.approx(expected_best([0.61, 0.5, 0.505, pruned, 0.61]))
    more = replace(plan, objective="accuracy")
    own = tuned_of(more, LINES).entries[1]
    assert own.expected == pytest.approx(
        expected_best([0.61, 0.5, 0.505, pruned, pruned], maximise=True)
    )


def test_of_equal_trials_the_first_is_chosen(plan):
    lines = [line(n, "complete", 0.5, alpha=alpha) for n, alpha in enumerate((0.3, 0.1, 0.2))]
    (chosen,) = tuned_of(plan, lines).chosen
    assert chosen.name == "label_smoothing"
    assert chosen.method.numbers == {"alpha": 0.3, "scale": 1.0}


def test_it_is_read_from_a_directory(plan, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected a search in .*no tune\.json there"):
        read_tuned(tmp_path)
    files.write_json(tmp_path / PLAN_FILE, plan)
    assert [own.tried for own in read_tuned(tmp_path).entries] == [(), ()]
    files.write_json_lines(tmp_path / RECORDS_FILE, LINES)
    assert read_tuned(tmp_path) == tuned_of(plan, LINES)
    (tmp_path / RECORDS_FILE).write_text('{"entry": 1}\n')
    with pytest.raises(ValueError, match=r"tune\.jsonl"):
        read_tuned(tmp_path)


@pytest.mark.parametrize(("rate", "at_an_end"), [(0.0117, True), (0.012, False), (0.26, True)])
def test_a_best_value_within_5_percent_of_an_end_is_named(plan, rate, at_an_end):
    # From 0.01 to 0.3 in its logarithm: 5 % of log 30 is 0.17, so below 0.01185 and above 0.253.
    plan = replace(plan, learning_rates=(0.01, 0.3), weight_decays=(1e-5, 1e-2))
    lines = [replace(own, learning_rate=rate) for own in LINES]
    own = tuned_of(plan, lines).entries[1]
    found = own.at_the_end_of(axes(plan, own.entry))
    assert ("learning_rate" in found) is at_an_end
    assert "weight_decay" not in found


def test_a_method_that_gains_by_tuning_is_not_said_to_need_none(plan):
    tried = [line(0, "complete", 0.60), line(1, "complete", 0.50), line(2, "complete", 0.501)]
    found = tuned_of(plan, tried)
    assert found.entries[1].near == pytest.approx(2 / 3)
    said = " ".join(sentences(found))
    assert "Gain more than 2 % by it: label smoothing." in said
    assert "Need hardly any tuning here" not in said


def test_it_is_said_for_which_method_nothing_was_found(plan):
    found = tuned_of(plan, [replace(line(0, "complete", 0.6), entry="cross_entropy")])
    _, text = remarks_on(plan, found.chosen)
    assert text.endswith(
        "Nothing was found for label_smoothing: of no setting was the loss finite."
    )

"""What a run says on the terminal while it trains."""

import io
import re

import pytest
from rich.console import Console

from tfkd.data.reading import counted
from tfkd.report.terminal.run_progress import show_progress
from tfkd.runs import EpochRecord

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def record(epoch):
    return EpochRecord(epoch, 0.1, 0.5, 0.9, 0.8, 1.0, 1.0)


@pytest.fixture
def clock(monkeypatch):
    """Seconds, which pass as a test says."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_log_has_a_line_an_epoch_and_of_long_ones_one_a_minute(clock, capsys):
    with show_progress() as progress:
        progress.doing("reading the data")
        progress.start(4, 100, 1)
        for epoch, seconds_a_batch in ((2, 1.0), (3, 0.125)):
            for batch in range(1, 101):
                clock[0] += seconds_a_batch
                progress.step()
                progress.batch(batch, 2.0 / batch)
            progress.epoch(record(epoch))
        progress.remark("The head of x was replaced.")
    metrics = "loss 0.5000  train 90.0 %  validation 80.0 %"
    assert capsys.readouterr().err.splitlines() == [
        "resuming after epoch 1 of 4",
        "epoch 2/4  batch 1/100  loss 2.0000  0:01 elapsed, 4:59 left",
        "epoch 2/4  batch 61/100  loss 0.0328  1:01 elapsed, 3:59 left",
        f"epoch 2/4  {metrics}  1:40 elapsed, 3:20 left",
        f"epoch 3/4  {metrics}  1:52 elapsed, 0:56 left",
        "The head of x was replaced.",
    ]


def test_compiling_is_announced_once_and_no_part_of_what_is_left(clock, capsys):
    sizes = {(1, 1): 23.0, (1, 5): 10.0}  # seconds; the last batch is of another size
    with show_progress() as progress:
        progress.start(3, 5, 0)
        for epoch in (1, 2):
            for batch in range(1, 6):
                if (epoch, batch) in sizes:
                    progress.compiling()
                clock[0] += sizes.get((epoch, batch), 2.0)
                progress.step()
                progress.batch(batch, 2.0)
            progress.epoch(record(epoch))
    metrics = "loss 0.5000  train 90.0 %  validation 80.0 %"
    assert capsys.readouterr().err.splitlines() == [
        "compiling the step, once for each size of batch: half a minute or more",
        "epoch 1/3  batch 1/5  loss 2.0000  0:23 elapsed",
        f"epoch 1/3  {metrics}  0:39 elapsed, 0:20 left",
        f"epoch 2/3  {metrics}  0:49 elapsed, 0:10 left",
    ]

    console = Console(file=io.StringIO(), force_terminal=True, width=150)
    with show_progress(console) as progress:
        progress.start(1, 4, 0)
        progress.compiling()
        progress._bar.refresh()
        clock[0] += 100.0
        progress.step()
        progress.batch(1, 2.0)
        clock[0] += 3.0
        progress.step()
        progress.batch(2, 2.0)
        progress._bar.refresh()
    shown = ESCAPES.sub("", console.file.getvalue())
    assert "epoch 1/1  compiling the step, once for each size" in shown
    assert "1:43 elapsed, 0:06 left" in shown


def test_a_log_is_told_of_a_reading_that_takes_long(clock, capsys):
    def slow():
        for number in range(200):
            clock[0] += 1.0
            yield number

    with show_progress():
        assert list(counted("reading", slow(), 200)) == list(range(200))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"reading {number} of 200 files" for number in (64, 128, 192)]


def test_a_loss_that_is_not_known_yet_is_not_told(clock, capsys):
    with show_progress() as progress:
        progress.start(1, 9, 0)
        clock[0] = 10.0
        progress.batch(1, None)
    assert capsys.readouterr().err == "epoch 1/1  batch 1/9  0:10 elapsed, 1:20 left\n"


def test_a_bar_fits_into_80_columns(clock):
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with show_progress(console) as progress:
        progress.doing("making timm/a_network_with_a_very_long_name_" + "x" * 60)
        progress._bar.refresh()
        list(counted("reading", range(70), 70_000))
        progress._bar.refresh()
        progress.start(200, 12_345, 0)
        clock[0] = 7_300.0
        progress.batch(9_876, 6.5432)
        progress._bar.refresh()
        progress.epoch(record(1))
        progress.doing("measuring the test split")
        progress._bar.refresh()
    shown = re.split(r"[\r\n]+", ESCAPES.sub("", console.file.getvalue()))
    assert max(map(len, shown)) <= 80
    text = "\n".join(shown)
    assert "reading 70 of 70,000 files" in text
    assert "epoch 1/200  batch 9876/12345  loss 6.5432" in text
    assert "2:01:40 elapsed, 21 days 1 h left" in text
    assert "\nepoch 1/200  loss 0.5000  train 90.0 %  validation 80.0 %" in text
    assert "epoch 2/200  measuring the test split" in text

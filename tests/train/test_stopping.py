"""What asks a run to end."""

import contextlib
import os
import signal
from pathlib import Path

import pytest
from split_off import pair, written

from tfkd.train.stopping import Signals, end, launcher, noted_signals


def test_the_end_of_the_launcher_is_a_sigterm():
    assert Signals(twice=True, launcher=os.getppid()).asked() == 0
    assert Signals(twice=True, launcher=os.getpid()).asked() == signal.SIGTERM


def test_only_torchrun_is_a_launcher(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert launcher() is None  # whoever closes a terminal leaves what it started with `nohup`
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    assert launcher() == os.getppid()


@pytest.fixture
def _default_sigterm():
    """As in a process of its own: Ray, which other tests start, puts one of its own there."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


class Swallowing:
    """Python ignores what is raised while it takes an object away."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.usefixtures("_default_sigterm")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_whose_exception_is_swallowed_is_obeyed_later():
    with noted_signals(twice=True) as signals:
        Swallowing()
        signals.wait()
        assert signals.asked() == signal.SIGTERM


@pytest.mark.usefixtures("_default_sigterm")
@pytest.mark.parametrize(
    ("under_torchrun", "asked", "after"),
    [
        (True, True, signal.SIG_IGN),  # which sends one to whoever ends later than the first
        (True, False, signal.SIG_DFL),
        (False, True, signal.SIG_DFL),
    ],
)
def test_who_ends_because_any_process_was_asked_is_asked_but_once(under_torchrun, asked, after):
    parent = os.getppid() if under_torchrun else None
    ended = pytest.raises(SystemExit) if asked else contextlib.nullcontext()
    with ended, noted_signals(twice=False, launcher=parent):
        if asked:
            end(signal.SIGTERM, "stopped")
    assert signal.getsignal(signal.SIGTERM) == after


AGREEING = """
import os, torch
from tfkd.train.stopping import Agreement

def threads():
    return len(os.listdir("/proc/self/task"))

torch.distributed.init_process_group("gloo")
before, rank = threads(), torch.distributed.get_rank()
agreement = Agreement(2, wishes=2)
assert agreement.exchange(rank, 1 - rank) == [0, 0]
assert agreement.exchange(0, 2 * rank) == [1, 1]
assert threads() > before
agreement.close()
assert threads() == before
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads as Linux does")
def test_no_thread_of_an_agreement_outlives_it(tmp_path):
    # One that lets go of a tensor while Python ends would abort the process: exit code -6.
    for process in pair(written(tmp_path / "agreeing.py", AGREEING)):
        process.finish()

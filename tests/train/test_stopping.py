"""What asks a run to end."""

import os
import signal

import pytest

from tfkd.train.stopping import Signals, launcher, noted_signals


def test_the_end_of_the_launcher_is_a_sigterm():
    assert Signals(twice=True, launcher=os.getppid()).asked() == 0
    assert Signals(twice=True, launcher=os.getpid()).asked() == signal.SIGTERM


def test_only_torchrun_is_a_launcher(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert launcher() is None  # whoever closes a terminal leaves what it started with `nohup`
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    assert launcher() == os.getppid()


class Swallowing:
    """Python ignores what is raised while it takes an object away."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_whose_exception_is_swallowed_is_obeyed_later():
    with noted_signals(twice=True) as signals:
        Swallowing()
        signals.wait()
        assert signals.asked() == signal.SIGTERM

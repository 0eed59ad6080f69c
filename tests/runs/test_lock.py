"""A run is trained by one process at a time, and by the next one when that dies."""

import errno
import shutil
import subprocess
import sys

import pytest

from tfkd.data import DataSettings
from tfkd.runs import Recipe, RunSettings
from tfkd.runs.lock import LOCK_FILE, RunBusyError, lock_run
from tfkd.train import train_run
from tfkd.train.progress import Silent

DATA = DataSettings("digits", train_size=60)
SETTINGS = RunSettings(Recipe(data=DATA, epochs=1, batch_size=30))


class Counting(Silent):
    epochs = 0

    def epoch(self, record):
        self.epochs += 1


def test_a_run_is_trained_by_one_at_a_time(tmp_path):
    run = tmp_path / "run"
    with lock_run(run), pytest.raises(RunBusyError, match=f"{run} to be free"):
        train_run(run, SETTINGS)
    assert not run.exists()  # nothing was written, so nothing is left
    result = train_run(run, SETTINGS)
    assert not (run / LOCK_FILE).exists()
    with lock_run(run):  # a finished run needs no lock
        assert train_run(run, SETTINGS) == result


def test_the_lock_goes_with_its_holder(tmp_path):
    (tmp_path / "settings.json").write_text("{}")
    program = (
        "import sys, time, filelock; lock = filelock.FileLock(sys.argv[1]); "
        "lock.acquire(); print('held', flush=True); time.sleep(100)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / LOCK_FILE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunBusyError), lock_run(tmp_path):
            pass
        holder.kill()
        holder.wait()
    assert (tmp_path / LOCK_FILE).exists()
    with lock_run(tmp_path):
        pass


def test_a_run_finished_before_the_lock_was_had_is_not_trained_again(tmp_path, before_opening):
    result = train_run(tmp_path / "other", SETTINGS)
    run = tmp_path / "run"
    before_opening(
        run / LOCK_FILE, lambda: shutil.copytree(tmp_path / "other", run, dirs_exist_ok=True)
    )
    progress = Counting()
    assert train_run(run, SETTINGS, progress=progress) == result
    assert progress.epochs == 0


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK])
def test_without_locks_nothing_is_trained(code, tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def flock(descriptor, operation):
        raise OSError(code, "no locks here")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Expected a file system with locks"):
        train_run(tmp_path / "run", SETTINGS)
    assert not (tmp_path / "run" / "settings.json").exists()


def test_folders_above_a_run_that_was_refused_are_gone_with_it(tmp_path):
    (tmp_path / "there").mkdir()
    run = tmp_path / "there" / "new" / "newer" / "run"
    with pytest.raises(FileNotFoundError), lock_run(run):
        raise FileNotFoundError
    assert list((tmp_path / "there").iterdir()) == []
    with pytest.raises(FileNotFoundError), lock_run(run):
        (run.parent / "of somebody else").write_text("")
        raise FileNotFoundError
    assert [path.name for path in run.parent.iterdir()] == ["of somebody else"]

"""One finished run, trained once, for the tests of its files; and limits of the system."""

import contextlib
import os
import resource
import tempfile
from pathlib import Path

import pytest

from tfkd.data import DataSettings
from tfkd.train import RunSettings, train_run

SETTINGS = RunSettings(
    data=DataSettings("digits", train_size=60, validation_fraction=0.1),
    epochs=2,
    batch_size=30,
    save_epochs=(1,),
)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """Directory, settings and result of a run."""
    path = tmp_path_factory.mktemp("finished") / "run"
    return path, SETTINGS, train_run(path, SETTINGS)


@pytest.fixture
def full_disk():
    """Within it no file grows beyond so many bytes: the system's own limit, so a true error."""

    @contextlib.contextmanager
    def limited(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


@pytest.fixture
def read_only():
    """A folder with old.json that may be read and not written, also by root, who becomes nobody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "old.json").write_text('{"old": 1}\n')
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)

"""Fixtures that tests share: reference and cases of the loss, finished runs, chance, limits."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import resource
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import torch

# Networks and data of one's own are found by their module, also by the processes that tests start.
OWN = str(Path(__file__).with_name("own"))
sys.path.insert(0, OWN)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (OWN, os.environ.get("PYTHONPATH"))))

# A shell ignores Ctrl-C for what it starts in the background; tests send it to their programs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Generated cases of one property, in the normal suite and in the long one.
QUICK, LONG = 25, 450


def _load(stem: str) -> ModuleType:
    # Tests are imported by path (importmode=importlib), so a sibling is loaded by path too.
    name = f"tfkd_tests_{stem}"
    if name not in sys.modules:
        path = Path(__file__).with_name(f"{stem}.py")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `teacher_row` with each of them; for `examples`, few and many."""
    if "teacher_row" in metafunc.fixturenames:
        rows = _load("reference").TEACHERS
        metafunc.parametrize("teacher_row", rows, ids=[row.name for row in rows])
    if "examples" in metafunc.fixturenames:
        many = pytest.param(LONG, marks=pytest.mark.long)
        metafunc.parametrize("examples", [QUICK, many], ids=["quick", "long"])


@pytest.fixture
def never_waiting() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Return a context in which waiting for the GPU is an error."""

    def set_mode(mode: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the mode is a prototype
            torch.cuda.set_sync_debug_mode(mode)

    @contextlib.contextmanager
    def never_waiting() -> Iterator[None]:
        set_mode("error")
        try:
            yield
        finally:
            set_mode("default")

    return never_waiting


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """Return the module of the float64 reference."""
    return _load("reference")


@pytest.fixture(scope="session")
def cases() -> ModuleType:
    """Return the module of the generated cases."""
    return _load("cases")


@pytest.fixture(scope="session")
def later() -> ModuleType:
    """Return the module of the formulas of later methods."""
    return _load("later_methods")


@pytest.fixture(scope="session")
def later_trainings() -> ModuleType:
    """Return the module of their trainings by hand."""
    return _load("later_trainings")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Sums are the same to the last bit only for the same number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Finished(NamedTuple):
    path: Path
    settings: Any
    result: Any
    circumstances: Any


@pytest.fixture(scope="session")
def drawn_seed() -> str:
    """Return what random tests draw from: TFKD_TEST_SEED, by default always the same."""
    return os.environ.get("TFKD_TEST_SEED", "0")


@pytest.fixture
def chance(drawn_seed: str, request: pytest.FixtureRequest) -> random.Random:
    """Return what a test draws from, its own; pytest shows the seed of one that fails."""
    print(f"drawn with TFKD_TEST_SEED={drawn_seed}")
    return random.Random(f"{drawn_seed} {request.node.name}")


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """Directory, settings, result and circumstances of a run."""
    from tfkd.data import DataSettings
    from tfkd.runs import Circumstances, Recipe, RunSettings
    from tfkd.train import train_run

    data = DataSettings("digits", train_size=60, validation_fraction=0.1)
    settings = RunSettings(Recipe(data=data, epochs=2, batch_size=30))
    circumstances = Circumstances(save_epochs=(1,))
    path = tmp_path_factory.mktemp("finished") / "run"
    return Finished(path, settings, train_run(path, settings, circumstances), circumstances)


@pytest.fixture(scope="session", autouse=True)
def _own_memory(tmp_path_factory):
    """What the tests read of image files is remembered apart from what their user reads."""
    with pytest.MonkeyPatch.context() as patch:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        if "MPLCONFIGDIR" not in os.environ:  # fonts are looked for once
            patch.setenv("MPLCONFIGDIR", str(home / "matplotlib"))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


_OPENED: dict[str, Callable[[], object]] = {}
_HOOKED: list[bool] = []


def _before_opening(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _OPENED and (act := _OPENED.pop(str(arguments[0]), None)) is not None:
        act()


@pytest.fixture
def before_opening():
    """Does something once, just before this process opens a file: as another process might."""
    # A hook cannot be taken away; without files to look for it does nothing.
    if not _HOOKED:
        sys.addaudithook(_before_opening)
        _HOOKED.append(True)
    yield lambda file, act: _OPENED.__setitem__(str(file), act)
    _OPENED.clear()


@pytest.fixture(scope="session")
def sealed():
    """Writes the checksums of a run anew, as whoever changes its files on purpose may."""
    from tfkd.runs.checksums import CHECKSUMS_FILE, write_checksums

    def sealed(folder):
        whole = [f for f in sorted(folder.rglob("*")) if f.is_file() and f.name != CHECKSUMS_FILE]
        write_checksums(folder, whole, {})

    return sealed


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

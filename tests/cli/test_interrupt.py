"""Ctrl-C has one answer, a line and exit code 130, at whatever moment it comes."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from tfkd._children import deaf_to_interrupts

TFKD = [sys.executable, "-m", "tfkd.cli"]

SWALLOWING = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    pass  # as packages do that are about to be loaded
"""


@pytest.fixture
def pets(tmp_path, chance):
    """A folder of two classes of small images."""
    array = np.random.default_rng(chance.getrandbits(32))
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(6):
            pixels = array.integers(0, 256, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{number}.png")
    return tmp_path / "pets"


@pytest.mark.parametrize("words", [["explain"], ["train", "--out", "x"], ["compare"]])
def test_while_packages_are_loaded(words, tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(SWALLOWING)
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    done = subprocess.run(
        [*TFKD, *words],
        env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\ntfkd: interrupted.\n")


def _is_deaf():
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="of POSIX")
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_do_not_hear_it_from_their_first_moment_on(method):
    # A program of its own: the server that forks is started once in a process.
    program = (
        "import multiprocessing\n"
        "from test_interrupt import _is_deaf, deaf_to_interrupts\n"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context({method!r})\n"
        "    with deaf_to_interrupts():\n"
        "        pool = context.Pool(1)\n"
        "    print(pool.apply(_is_deaf), _is_deaf())\n"
        "    pool.terminate()\n"
    )
    here = os.path.dirname(__file__)  # noqa: PTH120
    path = os.pathsep.join([here, os.environ["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.returncode) == ("True False\n", 0), done.stderr


def test_it_is_heard_when_the_processes_are_started():
    heard = []
    with contextlib.suppress(KeyboardInterrupt), deaf_to_interrupts():
        # To this thread alone: another, of the tests' own, may hear what the process is sent.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        heard.append("not within")
    assert heard == ["not within"]
    assert not multiprocessing.active_children()


def test_a_run_with_processes_that_decode_says_how_to_go_on(pets, tmp_path):
    words = ["--data", str(pets), "--out", str(tmp_path / "run"), "--epochs", "100000"]
    words += ["--student", "small_cnn", "--image-size", "16", "--workers", "1"]
    process = subprocess.Popen(
        [*TFKD, "train", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    said = iter(process.stderr.readline, "")
    assert any(line.startswith("epoch 1/100000  loss") for line in said)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all its processes
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in error
    last = error.splitlines()[-1]
    assert last.startswith("tfkd: stopped after")
    assert last.endswith("the same command goes on where it stopped.")

"""What a run records about where it was trained."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
import torch

from tfkd.runs import environment
from tfkd.runs.contents import Environment
from tfkd.runs.environment import describe_environment

CPU = torch.device("cpu")


def test_it_says_what_may_change_a_result():
    found = describe_environment(CPU, processes=2)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Environment) == found
    assert torch.__version__.startswith(found.versions["torch"])
    assert found.versions["tfkd"]
    assert found.versions["python"] == platform.python_version()
    assert found.system_release == platform.release()
    assert found.processes == 2
    assert found.accelerator is None
    assert found.device_name == found.cpu != ""


def test_it_says_what_torch_was_asked(monkeypatch):
    before = describe_environment(CPU, 1)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    torch.use_deterministic_algorithms(True)
    try:
        asked = describe_environment(CPU, 1)
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads)
    assert asked.threads == before.threads + 1
    assert asked.determinism.deterministic_algorithms
    assert asked.determinism.cudnn_deterministic
    assert not before.determinism.deterministic_algorithms


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_commit_is_marked_where_files_differ_from_it(tmp_path):
    file = Path(shutil.copy(environment.__file__, tmp_path))
    spec = importlib.util.spec_from_file_location("environment_of_a_checkout", file)
    copied = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copied)

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init")
    assert copied.describe_environment(CPU, 1).commit is None  # not in it yet
    git("add", ".")
    git("commit", "-m", "one")
    commit = git("rev-parse", "HEAD")
    assert copied.describe_environment(CPU, 1).commit == commit
    file.write_text("two")
    assert copied.describe_environment(CPU, 1).commit == f"{commit}-dirty"

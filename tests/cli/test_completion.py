"""The script for a shell, run by the shell."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tfkd.cli import main
from tfkd.cli.commands import COMMANDS
from tfkd.method_table import METHODS


@pytest.fixture(scope="module")
def bash():
    """Returns what bash offers for the last of some words."""
    pytest.importorskip("shtab")
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    ask = [sys.executable, "-m", "tfkd.cli", "--print-completion", "bash"]
    script = subprocess.run(ask, capture_output=True, text=True)
    assert script.returncode == 0, script.stderr

    def offered(*words):
        words_of_bash = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_tfkd'
        ask = f"{words_of_bash}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        command = ["bash", "-c", f"{script.stdout}\n{ask}", "bash", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.split()

    return offered


def test_commands_are_completed(bash):
    assert set(bash("tfkd", "")) >= set(COMMANDS)
    assert bash("tfkd", "comp") == ["compare"]
    assert set(bash("tfkd", "study", "")) >= {"list", "run", "status"}


def test_options_and_what_they_take_are_completed(bash):
    assert bash("tfkd", "train", "--learning") == ["--learning-rate"]
    assert bash("tfkd", "train", "--method", "") == list(METHODS)
    assert "cosine" in bash("tfkd", "train", "--schedule", "")


def test_files_are_completed(bash, tmp_path):
    (tmp_path / "settings.json").touch()
    (found,) = bash("tfkd", "train", "--config", f"{tmp_path}/set")
    assert found == f"{tmp_path}/settings.json"


def test_another_shell_is_refused(capsys):
    assert main(["--print-completion", "fish"]) == 2
    assert "Expected --print-completion bash, zsh or tcsh, got 'fish'." in capsys.readouterr().err


def test_without_shtab_the_pip_line_is_said(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["--print-completion", "zsh"]) == 1
    error = capsys.readouterr().err
    assert "shtab: pip install" in error
    assert error.count("\n") == 1

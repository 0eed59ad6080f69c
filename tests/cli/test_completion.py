"""The script for a shell, run by the shell."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tfkd.cli import main
from tfkd.cli.command import Group
from tfkd.cli.commands import COMMANDS
from tfkd.cli.completion import NETWORKS, completion
from tfkd.method_table import METHODS
from tfkd.models import model_names


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


def test_names_of_a_list_are_completed_behind_each_comma(bash):
    found = [name for name in METHODS if name.startswith("tf_")]
    assert found == bash("tfkd", "compare", "--methods", "tf_")
    assert bash("tfkd", "tune", "--methods", "re_kd,label_smoothing,tf_") == [
        f"re_kd,label_smoothing,{name}" for name in found
    ]
    assert len(bash("tfkd", "compare", "--methods", "re_kd,")) == len(METHODS)


def test_networks_are_completed(bash):
    assert list(NETWORKS) == model_names()
    assert bash("tfkd", "train", "--student", "") == list(NETWORKS)
    assert bash("tfkd", "compare", "--teacher", "wide_") == ["wide_cnn", "wide_plain_cnn"]


def test_zsh_is_given_the_same_names():
    pytest.importorskip("shtab")
    script = completion("zsh", Group("", COMMANDS))
    assert f":A,...:_values -s , method {' '.join(METHODS)}" in script
    assert f":STUDENT:({' '.join(NETWORKS)})" in script
    if shutil.which("zsh") is not None:
        subprocess.run(["zsh", "-n"], input=script, text=True, check=True)


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

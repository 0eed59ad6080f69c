from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from tfkd.data import name_and_root
from tfkd.data.places import cache_folder, usual_places


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without HOME and without an entry in the system's list of users."""

    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_the_shared_folder_comes_before_the_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFKD_DATA", str(tmp_path / "shared"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert usual_places("x") == [tmp_path / "shared" / "x", tmp_path / "cache" / "tfkd" / "x"]
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert usual_places("x")[1] == tmp_path / ".cache" / "tfkd" / "x"


def test_without_a_home_there_is_the_shared_folder_alone(
    nobody: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFKD_DATA", str(tmp_path))
    assert cache_folder() is None
    assert usual_places("x") == [tmp_path / "x"]
    monkeypatch.delenv("TFKD_DATA")
    assert usual_places("x") == []


@pytest.mark.parametrize(
    ("data", "root", "expected"),
    [
        ("digits", None, ("digits", None)),
        ("cifar10", "/big", ("cifar10", "/big")),
        ("toy.data:load", "/big", ("toy.data:load", "/big")),
        ("folder", "/big/pets", ("folder", "/big/pets")),
        ("pets", "/big", ("folder", "/big/pets")),
        ("a/b", "/big", ("folder", "/big/a/b")),
        ("/pets", "/big", ("folder", "/pets")),
        ("./nowhere", None, ("folder", "{here}/nowhere")),
        ("here", None, ("folder", "{here}/here")),
        ("..", None, ("folder", "{here}/..")),
        ("cifar11", None, ("cifar11", None)),
        ("digits", "big", ("digits", "{here}/big")),
        ("./digits", None, ("folder", "{here}/digits")),
    ],
)
def test_one_rule_says_what_is_a_name_and_what_a_path(
    data: str,
    root: str | None,
    expected: tuple[str, str | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    name, place = expected
    assert name_and_root(data, root) == (name, place and place.format(here=os.fspath(tmp_path)))

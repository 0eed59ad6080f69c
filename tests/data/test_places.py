from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from tfkd.data import DataSettings, Places, load_data, name_and_root
from tfkd.data.places import cache_folder, usual_places
from tfkd.data.settings import is_path
from tfkd.runs import Circumstances, make_run


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


@pytest.mark.parametrize("data", ["./pets", "../x", "~", "~/pets", "/pets", "a/b", ".", ".."])
def test_what_can_be_nothing_but_a_path_is_one_everywhere(data: str) -> None:
    assert is_path(data)
    assert name_and_root(data)[0] == "folder"
    with pytest.raises(ValueError, match="its path being said apart"):
        DataSettings(data)


def test_folders_of_splits_are_a_place_and_no_part_of_what_a_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings, circumstances = make_run({"train_dir": "pets/Train", "labels": None})
    assert settings.recipe.data.name == "folder"
    assert settings == make_run({"data": "./pets"})[0]
    assert circumstances.places == Places(train_dir=str(tmp_path / "pets" / "Train"))
    assert circumstances.places.name == "pets"
    _, circumstances = make_run({"data": "./pets", "test_dir": "~"})
    assert circumstances.places == Places(root=str(tmp_path / "pets"), test_dir=str(Path.home()))
    assert Circumstances().places is None
    with pytest.raises(ValueError, match="`test_dir` in UTF-8"):
        Circumstances(test_dir="\udcff")
    with pytest.raises(ValueError, match="`labels` for images of your own, got it for digits"):
        load_data(DataSettings("digits"), root=Places(labels="x.csv"))


def test_what_a_folder_is_called() -> None:
    assert Places("/a/pets", train_dir="/b/train").name == "pets"
    assert Places(labels="/a/pets/labels.csv").name == "pets"
    assert Places(labels="/a/x.csv", root="/a/photos").name == "photos"

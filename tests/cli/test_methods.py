"""The methods are listed, each with a line, and one is told at length."""

import pytest

from tfkd.cli import main
from tfkd.method_table import METHODS


def said(capsys, *words):
    code = main(["methods", *words])
    printed = capsys.readouterr()
    assert all(len(line) <= 80 for line in printed.out.splitlines())
    return code, printed


def test_every_method_has_a_line_with_who_teaches_and_where_it_comes_from(capsys):
    code, printed = said(capsys)
    assert code == 0
    head, *lines, last = printed.out.splitlines()
    assert head.split() == ["name", "taught", "by", "source"]
    assert [line.split()[0] for line in lines] == list(METHODS)
    for line, method in zip(lines, METHODS.values(), strict=True):
        assert method.taught_by in line
        if "arXiv" in method.paper:
            assert line.split("arXiv ")[1] in method.paper
    assert last.startswith(f"{len(METHODS)} methods.")


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_told_with_all_its_numbers(name, capsys):
    code, printed = said(capsys, name)
    assert code == 0
    text = " ".join(printed.out.split())
    method = METHODS[name]
    assert f"title {method.title}" in text
    for number, default in method.numbers().items():
        meant = "has to be said" if default is None else f"{default:g} by default"
        assert f"number {number}, {meant}" in text
    assert ("a trained network" in text) == method.has_teacher


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("remembering:average", ["needs the student itself", "taught by nobody"]),
        ("remembering:by_class", ["needs the ends of epochs", "number alpha, 0.5 by default"]),
        ("remembering:beside", ["needs a trained network; the ends of epochs"]),
        ("remembering:scheduled", ["number start, 0.8 by default"]),
    ],
)
def test_a_method_of_ones_own_is_told_too(name, words, capsys):
    text = " ".join(said(capsys, name)[1].out.split())
    for part in words:
        assert part in text


def test_a_name_that_is_none_is_answered_with_the_nearest(capsys):
    code, printed = said(capsys, "tf_kd_rge")
    assert code == 2
    assert "Did you mean tf_kd_reg?" in printed.err

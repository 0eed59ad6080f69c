"""Config files: plain values, whatever stands in them."""

import json

import pytest

from tfkd.cli import main

CALL = "os.mkdir"
BOMB = ", ".join(
    ["&a0 [x, x]", *(f"&a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
)


@pytest.mark.parametrize(
    "text",
    [
        f"epochs: !!python/object/apply:{CALL} [executed]",
        f"!!python/object/apply:{CALL} [executed]",
        f"!!python/object/new:{CALL} [executed]",
        f"student: !!python/name:{CALL}",
        f"epochs: '!!python/object/apply:{CALL} [executed]'",
        f"data: {{class_path: {CALL}, init_args: {{path: executed}}}}",
        f"student: {{class_path: {CALL}, init_args: {{path: executed}}}}",
        f"epochs: {{class_path: {CALL}, dict_kwargs: {{path: executed}}}}",
        f"student: [{BOMB}]",
        f"epochs: '[{BOMB}]'",
        f"""milestones: '"[{BOMB}]"'""",
        "epochs: &a 3\nbatch_size: *a",
        "epochs: &a [*a]",
        "student: " + "[" * 5000,
        "- 1",
        "3",
        "",
        "\x00",
        "config: config.yaml",
        "subcommand: report",
        "__class__: x",
    ],
)
def test_a_crafted_config_is_one_line_of_error_and_starts_nothing(
    text, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(text)
    for name in ("config.yaml", "nested.yaml"):
        (tmp_path / "nested.yaml").write_text("config: config.yaml\n")
        assert main(["train", "--out", "run", "--config", name, "--student", "none"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("tfkd: error: ")
        assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "nested.yaml"]


def test_what_is_no_text_is_one_line_of_error(tmp_path, capsys):
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00")
    assert main(["train", "--out", "run", "--config", str(tmp_path / "config.yaml")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_an_asterisk_in_a_text_is_no_alias(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("data: ./a * b & c\nepochs: 3\n")
    arguments = ["train", "--out", "x", "--config", str(tmp_path / "config.yaml")]
    assert main([*arguments, "--print-config"]) == 0
    assert "name: ./a * b & c\n" in capsys.readouterr().out


def test_what_steers_a_terminal_is_written_out(tmp_path, capsys):
    (tmp_path / "x.study.json").write_text(json.dumps({"\x1b[2J": 1}))
    assert main(["study", "status", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert r"\x1b[2J" in error
    assert "\x1b" not in error

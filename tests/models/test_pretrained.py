"""timm's pretrained weights: had from the hub's cache, or refused in one line at once."""

from __future__ import annotations

import logging

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from tfkd.cli import main
from tfkd.data import DataSettings, load_data
from tfkd.models import create_model
from tfkd.runs import Recipe
from tfkd.train.student import check_student


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """A machine that reaches nothing and has downloaded nothing; every attempt is noted."""
    asked = []

    class Session:
        def head(self, url, **options):
            asked.append((url, options))
            raise OSError("no route to host")

    monkeypatch.setattr("huggingface_hub.get_session", Session)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: pytest.fail("timm was asked"))
    return asked


MESSAGE = (
    "Expected timm's weights of resnet34 for {}, but https://huggingface.co does not answer. Where "
    "there is no network, give a file of them: {}."
)


def test_without_a_network_it_is_one_line_at_once(no_network, tmp_path, capsys):
    with pytest.raises(ConnectionError) as caught:
        create_model("resnet34", num_classes=10, pretrained=True)
    assert str(caught.value) == MESSAGE.format("`pretrained`", "`weights`")
    command = ["--student", "timm/resnet34", "--pretrained", "--train-size", "60"]
    out = ["--out", str(tmp_path / "run")]  # not where somebody has compared before
    for words in (["train"], ["compare", "--seeds", "1"]):
        assert main([*words, *out, *command]) == 1
        error = capsys.readouterr().err
        assert MESSAGE.format("--pretrained", "--weights") in error
        assert error.count("\n") == 1
    # Once each, and for no longer than this.
    assert [options["timeout"] for _, options in no_network] == [5.0] * 3
    assert not (tmp_path / "run").exists()


def test_what_has_no_weights_says_so(no_network):
    with pytest.raises(ValueError, match="'mobilenetv3_large_075': timm has no weights for it"):
        create_model("mobilenetv3_large_075", num_classes=2, pretrained=True)
    assert no_network == []


def test_what_was_downloaded_before_needs_no_network(monkeypatch, tmp_path):
    source = timm.create_model("test_resnet", num_classes=1000)
    folder = tmp_path / "hub" / "models--timm--test_resnet.r160_in1k"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    save_file(source.state_dict(), folder / "snapshots" / "abc" / "model.safetensors")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.get_session", lambda: pytest.fail("the hub was asked"))
    found = create_model("timm/test_resnet.r160_in1k", num_classes=3, pretrained=True)
    own, theirs = found.state_dict(), source.state_dict()
    assert all(torch.equal(own[key], theirs[key]) for key in own if not key.startswith("fc."))
    assert own["fc.weight"].shape[0] == 3
    data = DataSettings("digits", image_size=32)
    check_student(Recipe(data=data, student="timm/test_resnet", pretrained=True), load_data(data))


def test_what_the_hub_says_while_it_fails_is_one_line_too(monkeypatch, caplog):
    def failing(*_, **__):
        for _ in range(10):
            logging.getLogger("huggingface_hub.utils").warning("Retrying in 8s")
        raise RuntimeError("Cannot find the requested files\nin the cache")

    monkeypatch.setattr(timm, "create_model", failing)
    monkeypatch.setattr("tfkd.models.create.find_pretrained", lambda name: {})
    with pytest.raises(
        ConnectionError, match=r"weights of resnet34 .*, but Cannot find .* files. W"
    ):
        create_model("resnet34", num_classes=10, pretrained=True)
    assert caplog.records == []

"""Accelerate: the page's loop is a plain one, also where it is interrupted."""

from __future__ import annotations

import pytest
from torch import nn

pytest.importorskip("accelerate")


def test_the_page_trains_as_a_plain_loop_and_goes_on(host_pages, monkeypatch, tmp_path):
    model = host_pages.network()
    criterion = host_pages.CRITERIA["by inputs, steps and epochs"](model)
    host_pages.plain_loop(model, criterion, epochs=3, accumulate=2)

    found = {}
    for folder, lengths in {"whole": [3], "resumed": [1, 3]}.items():
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        for epochs in lengths:
            page = host_pages.run_page("accelerate.md", monkeypatch, epochs=epochs)
        trained = page["accelerator"].unwrap_model(page["model"])
        found[folder] = nn.ModuleList([trained, page["criterion"]])
        assert page["criterion"].progress == criterion.progress == (3, 6)
    assert host_pages.difference(found["whole"], nn.ModuleList([model, criterion])) < 1e-6
    assert host_pages.difference(found["resumed"], found["whole"]) == 0.0

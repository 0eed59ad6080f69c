"""The line that installs what is missing, by where this package came from."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

import tfkd._extras as extras

ROOT = Path(__file__).parents[1]


def installed(tmp_path, monkeypatch, direct_url):
    """The module as it is in a folder of packages, installed from an address."""
    place = tmp_path / "lib" / "site-packages" / "tfkd" / "_extras.py"
    place.parent.mkdir(parents=True)
    place.write_text(Path(extras.__file__).read_text())
    spec = importlib.util.spec_from_file_location("extras_elsewhere", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    class Installed:
        def read_text(self, name):
            assert name == "direct_url.json"
            return None if direct_url is None else json.dumps(direct_url)

    monkeypatch.setattr(module, "distribution", lambda name: Installed())
    return module


def test_from_a_checkout_it_is_the_checkout(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    assert extras.pip_line("cli") == 'pip install -e ".[cli]"'
    monkeypatch.chdir(tmp_path)
    assert extras.pip_line("ray").replace("'", '"') == f'pip install -e "{ROOT}[ray]"'


@pytest.mark.parametrize(
    ("direct_url", "line"),
    [
        (None, 'pip install "tfkd[cli]"'),
        (
            {"url": "https://x.org/tfkd.git", "vcs_info": {"vcs": "git", "commit_id": "0"}},
            'pip install "tfkd[cli] @ git+https://x.org/tfkd.git"',
        ),
        ({"url": "file:///w/tfkd-1.whl"}, 'pip install "tfkd[cli] @ file:///w/tfkd-1.whl"'),
        ({"url": "file:///w/a%20b", "dir_info": {}}, "pip install '/w/a b[cli]'"),
        ({"url": "file:///w/tfkd", "dir_info": {}}, 'pip install "/w/tfkd[cli]"'),
    ],
)
def test_else_it_is_where_it_was_installed_from(direct_url, line, tmp_path, monkeypatch):
    assert installed(tmp_path, monkeypatch, direct_url).pip_line("cli") == line


def test_what_is_not_installed_at_all_comes_from_an_index(tmp_path, monkeypatch):
    module = installed(tmp_path, monkeypatch, None)

    def missing(name):
        raise module.PackageNotFoundError

    monkeypatch.setattr(module, "distribution", missing)
    assert module.pip_line("cli") == 'pip install "tfkd[cli]"'


def test_what_stands_in_for_a_program_says_how_to_install_it(monkeypatch):
    monkeypatch.chdir(ROOT)

    class Derived(extras.stand_in("Lightning", "hosts")):
        pass

    with pytest.raises(ImportError) as caught:
        Derived("criterion", student="model")
    assert str(caught.value) == 'Lightning is not installed: pip install -e ".[hosts]"'


@pytest.mark.parametrize(("host", "program"), [("lightning", "Lightning"), ("fastai", "fastai")])
def test_an_adapter_without_its_host_says_so_when_it_is_used(host, program, monkeypatch):
    for name in [host, f"{host}.pytorch", f"{host}.callback.core"]:
        monkeypatch.setitem(sys.modules, name, None)
    file = ROOT / "src" / "tfkd" / "adapters" / f"{host}.py"
    spec = importlib.util.spec_from_file_location("adapter_without_its_host", file)
    adapter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adapter)
    with pytest.raises(ImportError, match=f"{program} is not installed: pip install"):
        adapter.CriterionCallback()

"""Runs whose step is compiled, beside the same runs as they are."""

from __future__ import annotations

import functools
import logging

import pytest
import torch
import torch._dynamo.config
import torch._inductor.config
from own_parts import changed
from safetensors.torch import load_file

from tfkd.data import DataSettings
from tfkd.runs import Circumstances, MethodSettings, Recipe, RunDirectory, RunSettings, RunTeacher
from tfkd.study.plan import Arm, Study
from tfkd.study.progress import SilentStudy
from tfkd.study.run import run_study
from tfkd.train import train_run
from tfkd.train.progress import Silent

DATA = DataSettings("digits", train_size=150, validation_fraction=0.1)
RUN = RunSettings(Recipe(data=DATA, student="own_parts:mlp", epochs=3, batch_size=50))
COMPILED = changed(RUN, compile=True)
OFTEN = Circumstances(checkpoint_seconds=0.0)


def weights(path):
    return load_file(RunDirectory(path).weights_file())


def assert_alike(found, expected, tolerance=0.0):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=tolerance, atol=tolerance)


@pytest.fixture
def graphs(monkeypatch):
    """The graphs that torch captures, which are then run as they are, since a compiler is slow."""
    found = []

    def backend(module, inputs):
        found.append(module)
        return module.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    yield found
    torch.compiler.reset()


@pytest.mark.long
def test_what_is_compiled_trains_alike(tmp_path):
    train_run(tmp_path / "plain", RUN)
    train_run(tmp_path / "compiled", COMPILED)
    assert RunDirectory(tmp_path / "compiled").settings().recipe.compile
    assert_alike(weights(tmp_path / "compiled"), weights(tmp_path / "plain"), 1e-5)


def test_it_goes_on_as_it_began(tmp_path, graphs, interrupt):
    train_run(tmp_path / "whole", COMPILED)
    with pytest.raises(KeyboardInterrupt):
        train_run(tmp_path / "stopped", COMPILED, OFTEN, progress=interrupt(1))
    with pytest.raises(ValueError, match=r"recipe\.compile is True there, False here"):
        train_run(tmp_path / "stopped", RUN)
    before = len(graphs)
    train_run(tmp_path / "stopped", COMPILED)
    assert len(graphs) > before
    assert_alike(weights(tmp_path / "stopped"), weights(tmp_path / "whole"))


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("tf_kd_reg", {"mixup": 0.5}),
        ("ps_kd", {"gradient_accumulation": 2}),
        ("mean_teacher", {"mixed_precision": "bf16"}),
        ("dlb", {"epochs": 2}),
    ],
)
def test_every_kind_of_step_is_one_graph_a_size(tmp_path, graphs, method, changes):
    settings = changed(RUN, method=MethodSettings(method), **{"batch_size": 60, **changes})
    train_run(tmp_path / "plain", settings)
    assert not graphs
    train_run(tmp_path / "compiled", changed(settings, compile=True))
    assert_alike(weights(tmp_path / "compiled"), weights(tmp_path / "plain"), 1e-5)
    # One that looks for the compiler, one a size of batch, and those again where alpha moves.
    assert 3 <= len(graphs) <= 6


def test_views_of_a_cache_are_no_graphs_of_their_own(tmp_path, graphs):
    data = {"augmentation": "crop-flip", "views": 3}
    recipe = changed(RUN, data=DataSettings("digits", train_size=150, **data), epochs=6)
    train_run(tmp_path / "teacher", changed(recipe, epochs=1))
    teacher = RunTeacher(run=str(tmp_path / "teacher"), cache="float32")
    settings = changed(recipe, method=MethodSettings("tf_kd_self"), teacher=teacher)
    train_run(tmp_path / "plain", settings)
    train_run(tmp_path / "compiled", changed(settings, compile=True))
    assert_alike(weights(tmp_path / "compiled"), weights(tmp_path / "plain"), 1e-5)
    assert len(graphs) <= 5


# Of torch's settings monkeypatch would leave none behind: it deletes them.
@torch._dynamo.config.patch(recompile_limit=2)
def test_one_process_compiles_run_after_run(tmp_path, graphs):
    # So many versions of a function are kept; with more, torch compiles it no longer.
    for seed in range(4):
        before = len(graphs)
        train_run(tmp_path / str(seed), changed(COMPILED, seed=seed, epochs=1))
        assert len(graphs) == before + 2


def test_each_size_of_batch_is_announced_before_it(tmp_path, graphs):
    said = []

    class Told(Silent):
        def compiling(self):
            said.append("compiling")

        def batch(self, done, loss):
            said.append(done)

    settings = changed(RUN, epochs=2, batch_size=60)
    train_run(tmp_path / "plain", settings, progress=Told())
    assert said == [1, 2, 3] * 2
    said.clear()
    train_run(tmp_path / "compiled", changed(settings, compile=True), progress=Told())
    assert said == ["compiling", 1, 2, "compiling", 3, 1, 2, 3]


def test_that_no_gpu_is_found_is_not_said(tmp_path, monkeypatch):
    logger, said = logging.getLogger("torch.utils.cpp_extension"), []
    monkeypatch.setattr(logger, "handlers", [logging.Handler()])
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger.handlers[0], "emit", lambda record: said.append(record.getMessage()))

    def compiled(function):
        logger.warning("No CUDA runtime is found, using CUDA_HOME='%s'", "/usr/local")
        logger.warning("another remark")
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", compiled)
    with pytest.raises(ValueError, match="no compiler"):
        train_run(tmp_path, COMPILED)
    assert said == ["another remark"]
    logger.warning("No CUDA runtime is found")
    assert said[1:] == ["No CUDA runtime is found"]


@torch._inductor.config.patch({"cpp.cxx": ("no-compiler-of-that-name",)})
def test_without_a_compiler_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"Expected a C\+\+ compiler .*`compile`.*no-compiler"):
        train_run(tmp_path / "run", COMPILED)
    assert not RunDirectory(tmp_path / "run").settings_file.exists()
    arm = Arm("mlp", COMPILED.method, COMPILED.recipe)
    with pytest.raises(ValueError, match=r"Expected a C\+\+ compiler .*`compile`"):
        run_study(Study("one", "?", (arm,), 1), tmp_path / "study", progress=SilentStudy(), jobs=1)
    assert not (tmp_path / "study").exists()

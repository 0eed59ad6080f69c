"""What a run is: explicit in every value, and checked when it is made."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

import tfkd
from tfkd.data import DataSettings
from tfkd.method_table import METHODS
from tfkd.runs import (
    SGD,
    AdamW,
    Circumstances,
    Constant,
    Cosine,
    MethodSettings,
    OneCycle,
    Recipe,
    RunSettings,
    RunTeacher,
    Step,
    TimmOptimizer,
    WeightsTeacher,
    make_run,
)
from tfkd.runs.options import options
from tfkd.runs.recipes import defaults
from tfkd.runs.settings import variant
from tfkd.runs.written import merged, nested


def test_the_numbers_of_a_method_are_explicit_and_checked():
    assert MethodSettings("tf_kd_reg").numbers["temperature"] == 20.0
    released = MethodSettings(
        "knowledge_distillation", "released", {"alpha": 0.9, "temperature": 20.0}
    )
    assert released.numbers["multiplier"] == 1.0
    built = MethodSettings("label_smoothing", numbers={"alpha": 0.2}).build(num_classes=5)
    assert tfkd.explain(built, 5).equivalent_label_smoothing == pytest.approx(0.2)
    for arguments, message in (
        (("label_smoothing", "tfkd", {"confidence": 0.9}), "no `confidence` for label_smoothing"),
        (("label_smoothing", "released", {"scale": 2.0}), "no `scale` .* dialect released"),
        (("knowledge_distillation", "paper", {"alpha": 0.5}), "a value of `temperature`"),
        (("cross_entropy", "paper"), "`dialect` among tfkd for cross_entropy, got 'paper'"),
        (("label_smoothing", "tfkd", {"alpha": 1.5}), r"`alpha` in \[0, 1\], got 1.5"),
        (("tf_kd_reg", "tfkd", {"temperature": 0.0}), "`temperature` to be positive"),
        (("magic",), "`method` to be a method's name.* got 'magic'. tfkd methods lists all"),
        (("tf_kd_rag",), "Did you mean tf_kd_reg"),
        (("no_such_module_of_mine:f",), "a module no_such_module_of_mine"),
    ):
        with pytest.raises(ValueError, match=message):
            MethodSettings(*arguments)


def test_a_short_name_is_the_same_run():
    for typed in ("OLS", "ols", "online-label-smoothing", "Online_Label_Smoothing"):
        settings = MethodSettings(typed)
        assert settings == MethodSettings("online_label_smoothing")
        assert msgspec.to_builtins(settings)["name"] == "online_label_smoothing"
        made, _ = make_run({"method": typed})
        assert made == RunSettings(defaults("digits").recipe, MethodSettings("ols"))
    file = nested({"method": "ls", "alpha": 0.3})
    assert merged(file, nested({"method": "label_smoothing"}))["method"]["numbers"] == {
        "alpha": 0.3
    }


def test_the_help_names_every_method():
    for name in METHODS:
        assert name in options()["method"].help


@pytest.mark.parametrize("dialect", ["tfkd", "paper", "released"])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_survives_writing(name, dialect):
    method = METHODS[name]
    if dialect not in method.compositions:
        return
    numbers = {n: 0.5 for n, default in method.numbers(dialect).items() if default is None}
    teacher = RunTeacher(run="teacher", cache="top-10") if method.has_teacher else None
    settings = RunSettings(method=MethodSettings(name, dialect, numbers), teacher=teacher, seed=3)
    written = msgspec.json.encode(settings)
    assert msgspec.json.decode(written, type=RunSettings) == settings
    assert make_run(msgspec.json.decode(written))[0] == settings


def test_a_number_is_checked_with_the_true_number_of_classes():
    method = MethodSettings("tf_kd_reg", numbers={"confidence": 0.05})
    method.check(100)
    with pytest.raises(ValueError, match="`confidence`"):
        method.check(10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Recipe(epochs=0), "`epochs` of at least 1, got 0"),
        (lambda: Recipe(batch_size=-1), "`batch_size` of at least 1"),
        (lambda: Recipe(gradient_accumulation=0), "`gradient_accumulation` of at least 1"),
        (lambda: Recipe(mixed_precision="fp32"), "`mixed_precision` to be one of no, bf16, fp16"),
        (lambda: Recipe(mixup=-0.1), "`mixup` of at least 0"),
        (lambda: Recipe(cutmix=float("nan")), "`cutmix` of at least 0, got nan"),
        (lambda: SGD(learning_rate=0.0), "`learning_rate` to be positive"),
        (lambda: SGD(learning_rate=float("inf")), "`learning_rate` to be positive and finite"),
        (lambda: SGD(momentum=1.5), "`momentum` in"),
        (lambda: AdamW(weight_decay=-1.0), "`weight_decay` of at least 0"),
        (lambda: Constant(warmup_epochs=-1.0), "`warmup_epochs` of at least 0"),
        (lambda: Cosine(warmup_epochs=float("inf")), "`warmup_epochs` of at least 0"),
        (lambda: Step(milestones=(3, 2)), "`milestones` to increase"),
        (lambda: Step(milestones=(3,), gamma=0.0), "`gamma` to be positive"),
        (lambda: RunSettings(seed=-1), "`seed` of at least 0"),
        (
            lambda: RunSettings(Recipe(optimizer=SGD(learning_rate=1e300))),
            r"`learning_rate` of at most 1e\+30, got 1e\+300",
        ),
        (
            lambda: RunSettings(Recipe(optimizer=AdamW(weight_decay=1e31))),
            "`weight_decay` of at most",
        ),
        (lambda: RunSettings(method=MethodSettings("tf_kd_self")), "a `teacher` for the method"),
        (lambda: RunSettings(teacher=RunTeacher(run="x")), "no `teacher` for the method cross_ent"),
        (lambda: RunTeacher(run="x", epoch=0), "`teacher_epoch` of at least 1"),
        (lambda: RunTeacher(run="x", cache="zip"), "`teacher_cache` to be none, float32"),
        (lambda: RunTeacher(run="\udcff"), "`teacher` in UTF-8"),
        (lambda: WeightsTeacher(model="x", weights="x", cache="top-0"), "`teacher_cache`"),
        (lambda: WeightsTeacher(model="x", weights="\udcff"), "`teacher_weights` in UTF-8"),
        (lambda: Circumstances(workers=-1), "`workers` of at least 0"),
        (lambda: Circumstances(save_epochs=(0,)), "`save_epochs` of at least 1"),
        (lambda: Circumstances(checkpoint_seconds=-1.0), "`checkpoint_seconds` of at least 0"),
        (lambda: Circumstances(checkpoint_seconds=float("nan")), "`checkpoint_seconds` of at"),
        (lambda: Circumstances(data_root="\udcff"), "`data_root` in UTF-8"),
        (lambda: Circumstances(save_epochs=(3,)).check_epochs(2), "between 1 and 2, got 3"),
    ],
)
def test_values_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("value", ["3", 3.0, True, None])
@pytest.mark.parametrize("name", ["epochs", "batch_size", "gradient_accumulation"])
def test_numbers_of_the_wrong_type(name, value):
    with pytest.raises(TypeError, match=f"`{name}` to be an int"):
        Recipe(**{name: value})


def test_settings_cannot_be_changed_but_copied():
    settings = RunSettings()
    with pytest.raises(AttributeError):
        settings.seed = 1
    assert replace(settings, seed=1).seed == 1
    assert settings.seed == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda numbers: numbers.update(alpha=0.9),
        lambda numbers: numbers.__setitem__("alpha", 0.9),
        lambda numbers: numbers.__delitem__("alpha"),
        lambda numbers: numbers.__ior__({"alpha": 0.9}),
        lambda numbers: numbers.setdefault("beta", 0.9),
        lambda numbers: numbers.pop("alpha"),
        lambda numbers: numbers.popitem(),
        lambda numbers: numbers.clear(),
    ],
)
def test_the_numbers_of_a_method_cannot_be_changed_either(change):
    settings = MethodSettings("label_smoothing", numbers={"alpha": 0.3})
    before = hash(settings)
    with pytest.raises(TypeError, match="settings to stay as they are"):
        change(settings.numbers)
    assert settings == MethodSettings("label_smoothing", numbers={"alpha": 0.3})
    assert (
        hash(settings) == before == hash(MethodSettings("label_smoothing", numbers={"alpha": 0.3}))
    )
    # Sent to another process, copied, written and read they are the same, and as fast.
    others = (
        pickle.loads(pickle.dumps(settings)),
        copy.deepcopy(settings),
        msgspec.json.decode(msgspec.json.encode(settings), type=MethodSettings),
    )
    for other in others:
        assert other == settings
        with pytest.raises(TypeError, match="settings to stay as they are"):
            change(other.numbers)


def test_only_what_can_be_said_can_be_said():
    # Each optimiser and schedule has the numbers that it uses.
    for kind, number in (
        (AdamW, "momentum"),
        (Constant, "gamma"),
        (Cosine, "milestones"),
        (OneCycle, "warmup_epochs"),
        (Recipe, "data_root"),
        (RunSettings, "tensorboard"),
    ):
        with pytest.raises(TypeError, match=number):
            kind(**{number: 1})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(nesterov="no"), "`nesterov` to be a bool, got str"),
        (lambda: SGD(momentum=True), "`momentum` to be a number, got bool"),
        (lambda: AdamW(learning_rate="0.1"), "`learning_rate` to be a number, got str"),
        (lambda: Step(milestones=5), "`milestones` to be a tuple of ints, got int"),
        (lambda: Step(milestones=(1, "a")), r"`milestones` to be a tuple of ints, got \(1, 'a'\)"),
        (lambda: MethodSettings("tf_kd_reg", numbers={"alpha": "x"}), "`alpha` to be a number"),
        (lambda: Cosine(warmup_epochs=None), "`warmup_epochs` to be a number, got NoneType"),
        (lambda: Recipe(epochs=2.0), "`epochs` to be an int, got float"),
        (lambda: Recipe(optimizer="adamw"), "`optimizer` to be SGD or AdamW or Timm.*, got str"),
        (lambda: Recipe(pretrained=1), "`pretrained` to be a bool, got int"),
        (lambda: DataSettings(3), "`name` to be a str, got int"),
        (lambda: DataSettings("digits", "3"), "`train_size` to be an int, got str"),
        (lambda: MethodSettings("tf_kd_reg", numbers=[0.1]), "`numbers` to be a dict, got"),
        (lambda: RunTeacher(run=Path("run")), "`run` to be a str, got PosixPath"),
        (lambda: WeightsTeacher(model="a", weights=None), "`weights` to be a str, got NoneType"),
        (lambda: RunSettings(Recipe(), "tf_kd_reg"), "`method` to be MethodSettings, got str"),
        (lambda: RunSettings(seed=1.0), "`seed` to be an int, got float"),
        (lambda: Circumstances(data_root=Path("x")), "`data_root` to be a str, got PosixPath"),
        (lambda: Circumstances(save_epochs=1), "`save_epochs` to be a tuple of ints, got int"),
        (lambda: Circumstances(tensorboard="no"), "`tensorboard` to be a bool, got str"),
    ],
)
def test_every_value_is_of_its_type(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_numbers_and_lists_become_what_a_file_gives_back():
    step = Step(milestones=[1, 2], gamma=1)
    assert hash(step) == hash(Step(milestones=(1, 2), gamma=1.0))
    assert (step.milestones, type(step.gamma)) == ((1, 2), float)
    assert type(SGD(momentum=np.float64(0.5)).momentum) is float
    settings = RunSettings(Recipe(schedule=step, optimizer=SGD(learning_rate=1)))
    assert msgspec.json.decode(msgspec.json.encode(settings), type=RunSettings) == settings


def test_an_optimizer_of_timm_is_called_by_its_own_name():
    assert [variant(part) for part in (SGD(), TimmOptimizer("lamb"))] == ["sgd", "lamb"]

"""Parameters are changed at the rate and with the decay that was asked for, by every optimiser."""

from __future__ import annotations

import copy

import pytest
import timm.optim
import torch
import torch.nn.functional as F
from own_parts import changed
from safetensors.torch import load_file
from torch import nn

from tfkd.data import DataSettings
from tfkd.models import create_model
from tfkd.runs import SGD, AdamW, Recipe, RunSettings, TimmOptimizer
from tfkd.train import train_run
from tfkd.train.checkpoint.kept import check_kept, kept_of_parameters
from tfkd.train.optimizer import make_optimizer, parameter_groups
from tfkd.train.student import Student

pytestmark = pytest.mark.usefixtures("one_thread")


def usable():
    """Every optimiser of timm's that a run takes."""
    for name in timm.optim.list_optimizers():
        try:
            yield TimmOptimizer(name, learning_rate=0.01).algorithm
        except ValueError:
            continue


USABLE = list(usable())


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 4 * 4, 5)
    )


def step(model, optimizer, number):
    generator = torch.Generator().manual_seed(number)
    images = torch.randn(8, 3, 6, 6, generator=generator)
    labels = torch.randint(5, (8,), generator=generator)
    optimizer.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    optimizer.step()


def made(model, settings):
    return make_optimizer(parameter_groups(model, settings, name="it"), settings)


def student(model, settings, optimizer):
    class Wrapper:
        pass

    wrapper = Wrapper()
    wrapper.optimizer = optimizer
    names = {id(own): name for name, own in model.named_parameters()}
    parameters = [names[id(p)] for group in optimizer.param_groups for p in group["params"]]
    return Student(model, model, wrapper, settings, tuple(parameters))


def test_nearly_all_of_timms_optimisers_can_be_used():
    assert {"lamb", "lion", "adan", "adamp", "radam", "rmsproptf", "madgrad"} <= set(USABLE)
    left = set(timm.optim.list_optimizers()) - set(USABLE)
    why = ("bnb", "fused", "kron", "adahessian")
    assert all(name.startswith(why) or name in ("sgd", "adamw") for name in left), left


@pytest.mark.parametrize("algorithm", [*USABLE, "sgd", "adamw"])
def test_what_an_optimiser_keeps_is_known_beforehand_and_goes_on_exactly(algorithm, tmp_path):
    """What a checkpoint is held against, and that nothing but what it holds matters."""
    groups = {"weight_decay": 0.02, "decay_norms_and_biases": False}
    settings = TimmOptimizer(algorithm, learning_rate=0.01, **groups) if algorithm in USABLE else (
        {"sgd": SGD, "adamw": AdamW}[algorithm](learning_rate=0.01, **groups)
    )  # fmt: skip
    model = network()
    optimizer = made(model, settings)
    kept = kept_of_parameters(student(model, settings, optimizer))
    names = student(model, settings, optimizer).parameters
    for number in range(5):
        step(model, optimizer, number)
        for place, values in optimizer.state_dict()["state"].items():
            assert values.keys() == kept[names[place]].keys()
            for key, value in values.items():
                check_kept(key, value, kept[names[place]][key])
        if number == 2:
            torch.save([model.state_dict(), optimizer.state_dict()], tmp_path / "kept.pt")
    other = network()
    resumed = made(other, settings)
    states = torch.load(tmp_path / "kept.pt", weights_only=True)
    other.load_state_dict(states[0])
    resumed.load_state_dict(states[1])
    for number in (3, 4):
        step(other, resumed, number)
    ends = model.state_dict(), other.state_dict()
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


@pytest.mark.parametrize("typed", ["adam8bit", "fusedlam", "adahessia", "krn", "lomb"])
def test_what_is_offered_for_a_misspelt_name_can_be_used(typed):
    with pytest.raises(ValueError, match=f"got '{typed}'") as caught:
        TimmOptimizer(typed)
    _, _, offered = str(caught.value).partition("Did you mean ")
    if offered:
        assert offered.rstrip("?") in [*USABLE, "sgd", "adamw"]
    else:
        assert str(caught.value).endswith(" timm.optim.list_optimizers() has their names.")


PLAIN = {
    SGD(0.3, momentum=0.8, weight_decay=0.01): lambda own: torch.optim.SGD(
        own, lr=0.3, momentum=0.8, weight_decay=0.01
    ),
    AdamW(0.003, weight_decay=0.1): lambda own: torch.optim.AdamW(own, lr=0.003, weight_decay=0.1),
    TimmOptimizer("lamb", 0.02, 0.1): lambda own: timm.optim.Lamb(own, lr=0.02, weight_decay=0.1),
    TimmOptimizer("lion"): lambda own: timm.optim.Lion(own),
    TimmOptimizer("adan"): lambda own: timm.optim.Adan(own),
}


@pytest.mark.parametrize(("settings", "plain"), PLAIN.items())
def test_the_optimiser_is_torchs_or_timms_with_these_numbers(settings, plain):
    model = network()
    other = copy.deepcopy(model)
    for own, optimizer in ((model, made(model, settings)), (other, plain(other.parameters()))):
        for number in range(3):
            step(own, optimizer, number)
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True)
    )


def by_parameter(model, settings):
    """By name, what the learning rate is multiplied by, and the weight decay."""
    optimizer = made(model, settings)
    names = {id(own): name for name, own in model.named_parameters()}
    return {
        names[id(own)]: (group.get("lr_scale", 1.0), group["weight_decay"])
        for group in optimizer.param_groups
        for own in group["params"]
    }


def layer(name):
    """Of timm's test_vit, written out: the stem, six blocks with the norm behind them, the head."""
    if name.startswith("blocks."):
        return 1 + int(name.split(".")[1])
    if name.startswith(("norm", "fc_norm")):
        return 6
    return 7 if name.startswith("head") else 0


def test_the_learning_rate_decays_from_the_head_to_the_stem():
    model = create_model("timm/test_vit", num_classes=3)
    assert len(model.blocks) == 6
    found = by_parameter(model, AdamW(weight_decay=0.1, layer_decay=0.5))
    assert found == {n: (0.5 ** (7 - layer(n)), 0.1) for n, _ in model.named_parameters()}


@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
def test_no_decay_of_norms_and_biases_and_of_what_the_network_names(layer_decay):
    model = create_model("timm/test_vit", num_classes=3)
    settings = AdamW(weight_decay=0.1, layer_decay=layer_decay, decay_norms_and_biases=False)
    found = by_parameter(model, settings)
    named = {"pos_embed", "cls_token", "reg_token", "dist_token"}
    for name, own in model.named_parameters():
        decays = own.dim() > 1 and name not in named
        assert found[name] == (layer_decay ** (7 - layer(name)), 0.1 if decays else 0.0), name


def test_without_layers_there_is_no_decay_by_them():
    with pytest.raises(ValueError, match=r"says its layers, for `layer_decay` 0\.5, got small_cnn"):
        model = create_model("small_cnn", num_classes=3)
        parameter_groups(model, AdamW(layer_decay=0.5), name="small_cnn")


RUN = RunSettings(
    Recipe(
        data=DataSettings("digits", train_size=60, validation_fraction=0.1, image_size=32),
        student="timm/test_vit",
        epochs=1,
        batch_size=60,
        optimizer=SGD(0.05, momentum=0.0, weight_decay=0.0),
    )
)


def steps(folder, settings):
    """By parameter, how far one step has taken it."""
    from tfkd.train.seeds import weights_seed

    torch.manual_seed(weights_seed(0))
    before = create_model("timm/test_vit", num_classes=10, in_channels=1, image_size=32)
    initial = before.state_dict()
    train_run(folder, settings)
    return {n: own - initial[n] for n, own in load_file(folder / "weights.safetensors").items()}


def test_a_step_is_as_long_as_the_layer_says_and_the_gradients_are_clipped(tmp_path):
    """One step of plain SGD is learning rate times gradient, so that both can be seen in it."""
    plain = steps(tmp_path / "plain", RUN)
    optimizer = SGD(0.05, momentum=0.0, weight_decay=0.0, layer_decay=0.5)
    decayed = steps(tmp_path / "decayed", changed(RUN, optimizer=optimizer))
    for name, own in plain.items():
        expected = own * 0.5 ** (7 - layer(name))
        torch.testing.assert_close(decayed[name], expected, rtol=1e-3, atol=1e-7)
    norm = torch.cat([own.double().flatten() for own in plain.values()]).norm().item() / 0.05 * 2
    # The learning rate is that of the first step of a warm-up of one epoch of one step: a half.
    assert norm > 0.1
    clipped = steps(tmp_path / "clipped", changed(RUN, clip_gradients=norm / 4))
    unclipped = steps(tmp_path / "unclipped", changed(RUN, clip_gradients=norm * 4))
    for name, own in plain.items():
        torch.testing.assert_close(clipped[name], own / 4, rtol=1e-3, atol=1e-7)
        assert torch.equal(unclipped[name], own)
    halves = changed(RUN, clip_gradients=norm / 4, batch_size=15, gradient_accumulation=4)
    for name, own in steps(tmp_path / "halves", halves).items():  # clipped once, not batch by batch
        torch.testing.assert_close(own, plain[name] / 4, rtol=1e-2, atol=1e-6)

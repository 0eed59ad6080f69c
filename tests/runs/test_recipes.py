"""What each data set asks for."""

from __future__ import annotations

import inspect
import re

import pytest
import torch

from tfkd.cli import comparing
from tfkd.data.settings import FOLDER, NAMES
from tfkd.models import create_model
from tfkd.runs import SGD, Step, defaults

EVERY = (*NAMES, FOLDER)


def test_the_papers_cifar_recipe():
    # Yuan et al., 2020, section 5: 200 epochs, batch 128, rate 0.1 divided by 5 at 60, 120, 160.
    recipe = defaults("cifar100").recipe
    assert (recipe.epochs, recipe.batch_size) == (200, 128)
    assert recipe.optimizer == SGD(learning_rate=0.1, momentum=0.9, weight_decay=5e-4)
    assert recipe.schedule.milestones == (60, 120, 160)
    assert recipe.schedule.gamma == pytest.approx(1 / 5)
    assert defaults("tiny-imagenet").recipe.schedule.gamma == pytest.approx(1 / 10)


@pytest.mark.parametrize("name", [*EVERY, "my_data:load"])
def test_every_recipe_is_of_its_data_and_its_networks_exist(name):
    found = defaults(name)
    assert found.recipe.data.name == name
    with torch.device("meta"):
        for model in (found.recipe.student, found.teacher):
            create_model(model, num_classes=2)


def test_the_help_tells_the_recipes():
    text = inspect.getdoc(comparing.compare)
    assert text is not None
    found = {name: defaults(name) for name in EVERY}
    for name, own in found.items():
        labels = {"cifar10": "cifar10, 100", "cifar100": "cifar10, 100", FOLDER: "a folder"}
        (line,) = re.findall(rf"^ +{labels.get(name, name)}  +(.*)$", text, re.MULTILINE)
        student, teacher, epochs, schedule = re.split(r"\s{2,}", line)
        assert (student, teacher) == (own.recipe.student, own.teacher)
        assert int(epochs) == own.recipe.epochs
        said = schedule.split(" ")
        assert said[0].rstrip(",") == type(own.recipe.schedule).__struct_config__.tag
        if isinstance(own.recipe.schedule, Step):
            assert said[1].rstrip(",") == ",".join(map(str, own.recipe.schedule.milestones))
            assert float(said[3]) == own.recipe.schedule.gamma
    recipes = {name: own.recipe for name, own in found.items()}
    assert {type(recipe.optimizer) for recipe in recipes.values()} == {SGD}
    assert {recipe.optimizer.momentum for recipe in recipes.values()} == {0.9}
    for value, others in (
        (lambda recipe: recipe.optimizer.learning_rate, {FOLDER: 0.025, None: 0.1}),
        (lambda recipe: recipe.batch_size, {FOLDER: 64, "imagenet": 256, None: 128}),
        (
            lambda recipe: recipe.optimizer.weight_decay,
            {FOLDER: 1e-4, "imagenet": 1e-4, None: 5e-4},
        ),
        (lambda recipe: recipe.schedule.warmup_epochs, {"imagenet": 0.0, None: 1.0}),
    ):
        for name, recipe in recipes.items():
            assert value(recipe) == others.get(name, others[None]), name

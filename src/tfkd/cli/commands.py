"""The table of commands; torch is loaded when one of them runs."""

from __future__ import annotations

from tfkd.cli.advice import recommend
from tfkd.cli.command import Command, Commands, Group
from tfkd.cli.comparing import compare
from tfkd.cli.methods import list_methods
from tfkd.cli.models import list_models
from tfkd.cli.report import report
from tfkd.cli.runs import evaluate, explain_loss, export, predict, train
from tfkd.cli.studies import list_studies, run_named_study, status_of_studies
from tfkd.cli.tuning import tune

RECIPE = {
    "data": "data",
    "recipe": "training",
    "optimizer": "optimiser",
    "schedule": "learning rate",
}
"""The parts of a run that a comparison or study has in common, and their titles in the help."""

METHOD = {
    "method": "method",
    "numbers": "numbers of the method; by default its own, as tfkd methods NAME tells",
}

CIRCUMSTANCES = {"circumstances": "where and how, which changes no number"}

COMMANDS: Commands = {
    "compare": Command(compare, {**RECIPE, **CIRCUMSTANCES}),
    "tune": Command(tune, {**RECIPE, **CIRCUMSTANCES}),
    "recommend": Command(recommend, {**RECIPE, **CIRCUMSTANCES}),
    "study": Group(
        "Every experiment of the paper, in full or in small.",
        {
            "list": Command(list_studies),
            "run": Command(run_named_study, {**RECIPE, **CIRCUMSTANCES}),
            "status": Command(status_of_studies),
        },
    ),
    "report": Command(report),
    "train": Command(
        train,
        {
            **RECIPE,
            **METHOD,
            "teacher": "teacher",
            "seed": "seed",
            **CIRCUMSTANCES,
        },
    ),
    "evaluate": Command(evaluate),
    "explain": Command(explain_loss, METHOD),
    "predict": Command(predict),
    "export": Command(export),
    "methods": Command(list_methods),
    "models": Command(list_models),
}

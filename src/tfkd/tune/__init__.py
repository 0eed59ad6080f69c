"""Settings chosen on validation data, with the same budget for each method.

from tfkd.runs.recipes import defaults
from tfkd.tune import Tuning, tune

digits = defaults("digits")
plan = Tuning(recipe=digits.recipe, teacher=digits.teacher, methods=("tf_kd_reg",), trials=20)
for chosen in tune(plan, "runs/tune-digits").chosen:
    print(chosen.name, chosen.method.numbers, chosen.learning_rate, chosen.weight_decay)
"""

from tfkd.tune.expected_best import expected_best
from tfkd.tune.objective import OBJECTIVES, Objective
from tfkd.tune.plan import Entry, Tuning
from tfkd.tune.run import tune
from tfkd.tune.tuned import Tried, Tuned, TunedEntry, read_tuned

__all__ = [
    "OBJECTIVES",
    "Entry",
    "Objective",
    "Tried",
    "Tuned",
    "TunedEntry",
    "Tuning",
    "expected_best",
    "read_tuned",
    "tune",
]

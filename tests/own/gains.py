"""Studies of a network whose arms have known gains, without a training."""

from collections.abc import Mapping, Sequence

from blank_record import BLANK
from msgspec.structs import replace

from tfkd.runs import MethodSettings, Recipe
from tfkd.study.conclusions import Claim, conclude_claims
from tfkd.study.plan import Arm, Contrast, Study
from tfkd.study.summary import summarise_study

PLAIN = "net/plain"
USUAL = Recipe()


def around(mean: float, seeds: int, spread: float = 0.01) -> list[float]:
    """Gains that are a little apart."""
    return [mean + spread * (seed % 5 - 2) for seed in range(seeds)]


def study_of(
    gains: Mapping[str, Sequence[float]],
    *,
    controls: Sequence[str] = (),
    contrasts: Sequence[tuple[str, str]] = (),
    recipe: Recipe = USUAL,
) -> Study:
    """Arms of these names beside cross-entropy; `controls` may explain the first that is none."""
    first = next(name for name in gains if name not in controls)
    arms = [Arm(PLAIN, MethodSettings(), recipe)]
    for place, name in enumerate(gains):
        control = "scaled" if name in controls else None
        method = MethodSettings("label_smoothing")
        if control:
            method = MethodSettings(numbers={"scale": (place + 1) / 10})
        arms.append(
            Arm(
                f"net/{name}",
                method,
                recipe,
                control=control,
                baseline=PLAIN,
                control_of=(f"net/{first}",) if control else (),
            )
        )
    named = tuple(Contrast(f"net/{arm}", f"net/{other}") for arm, other in contrasts)
    return Study("test", "Does it work?", tuple(arms), 20, contrasts=named)


def records_of(gains, *, metrics=None):
    """Records of accuracy 80 % and these gains in points; `metrics`: others' gains, by metric."""
    metrics = metrics or {}
    longest = max(map(len, gains.values()))
    records = [replace(BLANK, arm=PLAIN, seed=seed, accuracy=0.8) for seed in range(longest)]
    records += [
        replace(BLANK, arm=f"net/{name}", seed=seed, accuracy=0.8 + gain / 100)
        for name, values in gains.items()
        for seed, gain in enumerate(values)
    ]
    for metric, by_arm in metrics.items():
        base = getattr(BLANK, metric)
        base = 0.4 if base is None else base
        records = [
            replace(
                record,
                **{
                    metric: base
                    + by_arm.get(record.arm.removeprefix("net/"), [0.0] * 20)[record.seed]
                },
            )
            for record in records
        ]
    return records


def claims_of(gains, *, metrics=None, images=None, **options) -> list[Claim]:
    """What may be said of them."""
    study = study_of(gains, **options)
    return conclude_claims(
        study, summarise_study(study, records_of(gains, metrics=metrics)), images
    )

"""What was trained on what, and how good it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tfkd.metrics import accuracy
from tfkd.report.number_text import duration, number_of, percent, without_plus
from tfkd.report.pictures.answers import Answers
from tfkd.report.run_page.evaluation import ClassScores
from tfkd.report.run_page.found import start
from tfkd.report.run_page.run_data import RunOnPage
from tfkd.report.section import Section
from tfkd.report.text import visible
from tfkd.report.wilson import wilson
from tfkd.runs.contents import Metrics


def title(run: RunOnPage) -> str:
    """Return the page's name."""
    data = run.stored.recipe.data.name if run.identity is None else run.identity.name
    return visible(f"{run.stored.recipe.student} on {data}")


def what_was_trained(run: RunOnPage) -> str:
    """Return a sentence: what was trained on what, how, and for how long."""
    stored, identity = run.stored, run.identity
    on = "images"
    if identity is not None:
        on = f"{identity.samples['train']} images of {len(identity.classes)} classes"
    method = f"{stored.method.row.title}, seed {stored.seed}"
    if run.result is None:
        return f"{stored.recipe.student}, {start(stored.recipe)}, on {on} with {method}."
    return (
        f"{stored.recipe.student} was trained {start(stored.recipe)} on {on} with {method}, for "
        f"{number_of(run.result.epochs, 'epoch')}, in {duration(run.result.seconds)}."
    )


def unfinished(run: RunOnPage) -> str:
    """Return a sentence on what is missing; empty if nothing is."""
    if run.result is not None:
        return ""
    done, planned = len(run.history), run.stored.recipe.epochs
    ended = ""
    if run.failure is not None:
        ended = (
            f" It was ended by {visible(run.failure.what)} that was not finite, in epoch "
            f"{run.failure.epoch}."
        )
    return (
        f"This run is not finished: {done} of {planned} epochs are.{ended} How good it is, is "
        "measured after the last one; the command that began it goes on."
    )


def how_good(run: RunOnPage, scores: ClassScores | None) -> Section:
    """Return the section on the numbers of the whole test split.

    Args:
        run: that is finished.
        scores: by class; None if the run keeps no logits.
    """
    assert run.result is not None
    test, count = run.result.test, run.result.samples.test
    if test is None:
        return Section("how-good", "How good is it?", *_without_test(run))
    low, high = wilson(round(test.accuracy * count), count)
    answer = (
        f"It is right on {percent(test.accuracy)} of the {number_of(count, 'test image')}, none "
        f"of which it was trained on; as far as {number_of(count, 'image')} can tell, it would be "
        f"on {percent(low)} to {percent(high)} of others like them "
        "(95 % interval)."
    )
    facts = [
        (
            "accuracy",
            f"{percent(test.accuracy, 2)}, 95 % interval "
            f"{without_plus(100 * low, 1)} to {percent(high)} (Wilson's, from the "
            f"number of test images)",
        )
    ]
    if run.test is not None and scores is not None:
        facts += _more(run, run.test, scores)
    facts += _probabilities(test, len(run.classes))
    if run.result.validation is not None:
        validation = run.result.validation
        facts.append(
            (
                "validation",
                f"accuracy {percent(validation.accuracy, 2)} of "
                f"{number_of(run.result.samples.validation, 'image')}, NLL "
                f"{without_plus(validation.nll, 3)}: what choices between recipes are made by",
            )
        )
    return Section("how-good", "How good is it?", answer, facts=tuple(facts))


def _without_test(run: RunOnPage) -> tuple[str, tuple[str, ...]]:
    """What there is to say of a run that did not look at the test split."""
    validation = None if run.result is None else run.result.validation
    answer = (
        "That was not measured on the test split, which this run left alone, as one does while "
        "settings are chosen."
    )
    later = f"The command tfkd evaluate {visible(str(run.directory.path))} measures it."
    if run.result is None or validation is None:
        return answer, (later,)
    images = number_of(run.result.samples.validation, "validation image")
    said = (
        f"On the {images} it is right on {percent(validation.accuracy, 2)}, NLL "
        f"{without_plus(validation.nll, 3)}: what choices between recipes are made by."
    )
    calibrated = run.result.calibrated
    if calibrated is not None:
        said += (
            f" After one temperature, {calibrated.temperature:.3g}, which was fitted on them, the "
            f"NLL is {without_plus(calibrated.validation.nll, 3)}."
        )
    return answer, (said, later)


def _more(run: RunOnPage, test: Answers, scores: ClassScores) -> list[tuple[str, str]]:
    facts = []
    facts.append(("always guessing", always_guessing(scores.support.tolist(), run.classes)))
    if len(run.classes) > 5:
        five = accuracy(test.logits, test.labels, top_k=5)
        facts.append(
            (
                "top-5 accuracy",
                f"{percent(five, 2)}: the label is among the five likeliest classes",
            )
        )
    if scores.uneven:
        facts += [
            (
                "balanced accuracy",
                f"{percent(scores.balanced_accuracy, 2)}: the mean over the classes, "
                "so that a small one counts as much as a large one",
            ),
            (
                "macro F1",
                f"{percent(scores.macro_f1, 2)}: the mean over the classes of F1, "
                "which is high where a class is found and nothing else is taken for it",
            ),
        ]
    return facts


def always_guessing(support: Sequence[int], classes: tuple[str, ...]) -> str:
    r"""Return how often is right who always says the same, and what that is.

    Args:
        support: images of each class.
        classes: their names.

    Example:
        >>> always_guessing([7, 3], ("cat", "dog")).replace("\xa0", " ").partition("who")[0]
        '70.0 %: so often would be right '
        >>> always_guessing([5, 5], ("cat", "dog")).partition("who ")[2]
        'always says the same class; all have equally many test images'
        >>> always_guessing([4, 4, 2], ("cat", "dog", "owl")).partition("who ")[2]
        'always says “cat”, one of the 2 largest classes of the test images'
    """
    most = max(support)
    largest = [place for place, images in enumerate(support) if images == most]
    often = f"{percent(most / sum(support))}: so often would be right who always says "
    if len(largest) == len(support) > 1:
        return f"{often}the same class; all have equally many test images"
    which = "the largest class"
    if len(largest) > 1:
        which = f"one of the {len(largest)} largest classes"
    return f"{often}“{visible(classes[largest[0]])}”, {which} of the test images"


def _probabilities(test: Metrics, num_classes: int) -> list[tuple[str, str]]:
    return [
        (
            "NLL",
            f"{without_plus(test.nll, 3)} nats: how surprised it is by the labels; 0 is never, "
            f"{without_plus(math.log(max(num_classes, 1)), 3)} is what not knowing the classes "
            "apart gives",
        ),
        (
            "ECE",
            f"{percent(test.ece, 2)}: how far the probabilities that it states lie "
            "from how often it is right, on average; with few images chance alone gives some",
        ),
        (
            "Brier score",
            f"{without_plus(test.brier, 3)}: squared distance of its probabilities from the truth, "
            "from 0 to 2; lower is better",
        ),
        (
            "AURC",
            f"{percent(test.aurc, 2)}: its error rate where it may abstain on "
            "what it is least sure of, averaged over how much; lower is better",
        ),
    ]

"""Runs the checks that apply to a teacher."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn

from tfkd._checks import check_integer, check_num_classes
from tfkd.teachers import Teacher
from tfkd.testing import answers, loop, memory, processes
from tfkd.testing.subject import LeftOut, Maker, Subject

CHECKS = (*answers.CHECKS, *loop.CHECKS, *memory.CHECKS)


class Check(NamedTuple):
    """One check of a teacher.

    Attributes:
        name: what holds.
        left_out: why it was not looked at; None if it was.
    """

    name: str
    left_out: str | None = None


def check_teacher(
    teacher: Teacher | Maker,
    *,
    num_classes: int,
    num_samples: int = 24,
    student: nn.Module | None = None,
    inputs: Tensor | Callable[[tuple[int, ...]], Tensor] | None = None,
    alike: bool = False,
    compiles: bool = True,
    num_processes: int = 1,
    **options: Any,
) -> list[Check]:
    """Check what must hold of every teacher, in a small training of its own.

    What it answers has the right shape, dtype and device for every kind of logits and labels, is a
    constant, and follows the order of samples. What it remembers is saved, resumed, copied and
    compiled without a change of a bit; it is changed by training alone, and by no ignored label.
    What a loop forgets to tell it is said in a sentence. What a teacher cannot take it refuses,
    by a `TypeError`, `ValueError` or `RuntimeError` that begins with "Expected".

    Args:
        teacher: to be checked, which is copied and left as it is; or a function that makes it anew,
            of no argument or of the student that it shall teach.
        num_classes: K.
        num_samples: size of the data set, at least 24: the indices are below it.
        student: what is trained, from `inputs` to logits; left as it is. None: a linear layer.
        inputs: the samples, one for each index, `(num_samples, ...)`; or a function from a shape
            `(n, d1, ...)` of class indices, or `()` unbatched, to samples of student logits
            `(n, K, d1, ...)`. None: four numbers each, `(n, 4, d1, ...)`.
        alike: whether it treats all classes alike, so that classes in another order are answered in
            that order. True of none that looks at inputs.
        compiles: whether it goes through `torch.compile` in one graph; False: it is not tried.
        num_processes: 2 to train by two processes, too, which are started anew, take seconds, and
            must find the teacher's class in a module.
        **options: of the `tfkd.DistillationLoss` that it teaches by.

    Returns:
        The checks, also those that were left out, each with the reason.

    Raises:
        AssertionError: for the first check that fails, by its name, with what differs.
        TypeError: for an argument of the wrong type.
        ValueError: for one out of range.

    Example:
        >>> import tfkd
        >>> checks = tfkd.testing.check_teacher(tfkd.VirtualTeacher(0.9), num_classes=5, alike=True)
        >>> [check.name for check in checks][:2]
        ['answers have the shape of the logits', 'answers are constants']
    """
    check_num_classes(num_classes)
    check_integer("num_samples", num_samples, minimum=24)
    if num_processes not in (1, 2):
        raise ValueError(f"Expected `num_processes` to be 1 or 2, got {num_processes}.")
    subject = Subject(teacher, num_classes, num_samples, student, inputs, alike, compiles, options)
    checks = [*CHECKS, *([processes.two_processes_are_one] if num_processes == 2 else [])]
    return [run_check(check, subject) for check in checks]


def run_check(check: Callable[[Subject], None], subject: Subject) -> Check:
    """Run one check."""
    name = check.__name__.strip("_").replace("_", " ")
    try:
        check(subject)
    except LeftOut as reason:
        return Check(name, str(reason))
    except AssertionError as error:
        raise AssertionError(f"{subject.name}: {name}: {error}") from error
    except Exception as error:
        raise AssertionError(f"{subject.name}: {name}: {type(error).__name__}: {error}") from error
    return Check(name)

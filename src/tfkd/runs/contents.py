"""What the JSON files of a run hold.

A number that no run comes to is refused where it is read: means and sums over many runs would carry
it on, or overflow.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from tfkd.runs.circumstances import Circumstances
from tfkd.runs.settings import MethodSettings, Recipe, RunSettings, TeacherSettings
from tfkd.runs.several_labels import MultiLabelMetrics, MultiLabelResult

LARGEST = 1e100
"""Of a loss or a rate; float32 ends at 3.4e38, and the square of this is a float64."""
MOST_SECONDS = 1e12
TEMPERATURES = (1e-7, 1e7)
"""From where to where one is fitted, in powers of ten."""
MOST_COUNTED = 10**15


class StoredSettings(RunSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """settings.json: what a run is, and the circumstances in which it was made last.

    All of them are said, so that a file without one is none of ours.

    Attributes:
        circumstances: that may be different each time.
    """

    recipe: Recipe
    method: MethodSettings
    teacher: TeacherSettings | None
    seed: int
    circumstances: Circumstances


class Metrics(Struct, frozen=True):
    """Of one split; fractions and nats.

    Attributes:
        accuracy: share that is right.
        nll: negative log-likelihood in nats.
        ece: expected calibration error.
        brier: Brier score.
        aurc: area under the risk-coverage curve.
        augrc: area under the generalised risk-coverage curve; None in files of 0.1.
        smooth_ece: expected calibration error by a kernel in place of bins; None in files of 0.1.
    """

    accuracy: float
    nll: float
    ece: float
    brier: float
    aurc: float
    augrc: float | None = None
    smooth_ece: float | None = None


class Calibrated(Struct, frozen=True):
    """What one temperature, fitted on the validation split, makes of a network.

    Attributes:
        temperature: that its logits are divided by.
        test: metrics of the test split after that; None where it was not looked at.
        validation: of the validation split, on which it was fitted.
    """

    temperature: float
    test: Metrics | None
    validation: Metrics


class TrainMetrics(Struct, frozen=True):
    """Of the last epoch of training.

    Attributes:
        loss: mean over the samples.
        accuracy: share that is right; of images that may have several labels, with all of them.
    """

    loss: float
    accuracy: float


class Samples(Struct, frozen=True):
    """Images by split."""

    train: int
    validation: int
    test: int


class TotalVariation(Struct, frozen=True):
    """Between a teacher's answers and what is stored of them, at one temperature, in [0, 1]."""

    largest: float
    mean: float


class CacheSummary(Struct, frozen=True):
    """The teacher cache that a run was taught from.

    Attributes:
        form: in which answers are stored.
        samples: that have been asked about.
        views: of each of them.
        total_variation: by temperature.
        bytes: on the disk.
        seconds: that recording took.
    """

    form: str
    samples: int
    views: int
    total_variation: dict[str, TotalVariation]
    bytes: int
    seconds: float


class Result(Struct, frozen=True, omit_defaults=True):
    """result.json.

    Attributes:
        test: metrics of the test split; None where it was not looked at, as while settings are
            chosen, or where images may have several labels.
        validation: of the validation split; None if there is none, or where images may have several
            labels.
        train: of the last epoch.
        epochs: that were trained.
        seconds: of training.
        samples: images by split.
        parameters: of the network.
        teacher_cache: that taught; None if none did.
        calibrated: the same metrics after temperature scaling; None without a validation split.
        multi_label: in place of these metrics, of images that may have several labels.
    """

    test: Metrics | None
    validation: Metrics | None
    train: TrainMetrics
    epochs: int
    seconds: float
    samples: Samples
    parameters: int
    teacher_cache: CacheSummary | None = None
    calibrated: Calibrated | None = None
    multi_label: MultiLabelResult | None = None

    def __post_init__(self) -> None:
        splits = {"test": self.test, "validation": self.validation}
        if self.calibrated is not None:
            splits["calibrated.test"] = self.calibrated.test
            splits["calibrated.validation"] = self.calibrated.validation
            check_between("calibrated.temperature", self.calibrated.temperature, *TEMPERATURES)
        for split, metrics in splits.items():
            if metrics is not None:
                for name, value, most in _bounds(metrics):
                    check_between(f"{split}.{name}", value, 0.0, most)
        if self.multi_label is not None:
            _check_multi_label(self.multi_label)
        check_between("train.loss", self.train.loss, -LARGEST, LARGEST)
        check_between("train.accuracy", self.train.accuracy, 0.0, 1.0)
        check_between("epochs", self.epochs, 1, MOST_COUNTED)
        check_between("seconds", self.seconds, 0.0, MOST_SECONDS)
        check_between("parameters", self.parameters, 0, MOST_COUNTED)
        for name in Samples.__struct_fields__:
            check_between(f"samples.{name}", getattr(self.samples, name), 0, MOST_COUNTED)


class EpochRecord(Struct, frozen=True, omit_defaults=True):
    """A line of metrics.jsonl.

    Attributes:
        epoch: from 1.
        learning_rate: of the last step.
        train_loss: mean over the samples; of a batch beside which the last one is shown once more,
            the mean over the rows of both, which is what is minimised.
        train_accuracy: share that is right; of images that may have several labels, with all of
            them.
        validation_accuracy: share that is right, likewise; None without a validation split.
        validation_nll: in nats; None without a validation split.
        seconds: that the epoch took.
        validation_mean_average_precision: of images that may have several labels alone.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_accuracy: float | None
    validation_nll: float | None
    seconds: float
    validation_mean_average_precision: float | None = None

    def __post_init__(self) -> None:
        check_between("epoch", self.epoch, 1, MOST_COUNTED)
        check_between("learning_rate", self.learning_rate, -LARGEST, LARGEST)
        check_between("train_loss", self.train_loss, -LARGEST, LARGEST)
        check_between("train_accuracy", self.train_accuracy, 0.0, 1.0)
        check_between("validation_accuracy", self.validation_accuracy, 0.0, 1.0)
        check_between("validation_nll", self.validation_nll, 0.0, LARGEST)
        precision = self.validation_mean_average_precision
        check_between("validation_mean_average_precision", precision, 0.0, 1.0)
        check_between("seconds", self.seconds, 0.0, MOST_SECONDS)


def _bounds(metrics: Metrics) -> Iterator[tuple[str, float | None, float]]:
    """The metrics, each with its largest value."""
    most = {"nll": LARGEST, "brier": 2.0}
    for name in Metrics.__struct_fields__:
        yield name, getattr(metrics, name), most.get(name, 1.0)


def _check_multi_label(result: MultiLabelResult) -> None:
    if result.calibrated is not None:
        temperature = result.calibrated.temperature
        check_between("multi_label.calibrated.temperature", temperature, *TEMPERATURES)
    for split, metrics in result.by_split.items():
        for name in MultiLabelMetrics.__struct_fields__ if metrics is not None else ():
            most = LARGEST if name == "nll" else 1.0
            check_between(f"multi_label.{split}.{name}", getattr(metrics, name), 0.0, most)


def check_between(name: str, value: float | None, low: float, high: float) -> None:
    """Raise `ValueError` for a number out of its range; NaN is in none."""
    # Rounded sums may pass the ends.
    slack = 1e-9 if isinstance(high, float) else 0
    if value is not None and not low - slack <= value <= high + slack:
        raise ValueError(f"Expected `{name}` from {low:g} to {high:g}, got {value!r:.40}.")


class Gpu(Struct, frozen=True):
    """An accelerator."""

    name: str
    memory_bytes: int
    compute_capability: str
    count: int
    cuda: str | None
    hip: str | None
    cudnn: int | None


class Determinism(Struct, frozen=True):
    """What was asked of torch about precision and determinism."""

    deterministic_algorithms: bool
    cudnn_deterministic: bool
    cudnn_benchmark: bool
    float32_matmul_precision: str


class Environment(Struct, frozen=True):
    """environment.json: what may change a result beside the settings of a run.

    Attributes:
        versions: of Python and packages; None for one that is not installed.
        system: name of the operating system.
        system_release: of its kernel.
        distribution: name and version; None if it is not known.
        device: kind of device, as torch calls it.
        device_name: of the GPU, or of the processor.
        cpu: model of the processor.
        cpu_instructions: that torch uses.
        cpu_count: cores of the machine.
        accelerator: the GPU; None on the CPU.
        threads: of torch, within an operation.
        interop_threads: of torch, between operations.
        processes: that trained together.
        determinism: what was asked of torch.
        commit: of the source, if it is in a git checkout; `-dirty` where files differ from it.
    """

    versions: dict[str, str | None]
    system: str
    system_release: str
    distribution: str | None
    device: str
    device_name: str
    cpu: str
    cpu_instructions: str
    cpu_count: int | None
    accelerator: Gpu | None
    threads: int
    interop_threads: int
    processes: int
    determinism: Determinism
    commit: str | None


class TaughtBy(Struct, frozen=True):
    """teacher.json.

    Attributes:
        sha256: of the file of weights that teaches.
    """

    sha256: str


class StartedFrom(Struct, frozen=True):
    """start.json.

    Attributes:
        sha256: of the file of weights that the student started from.
    """

    sha256: str


class Failure(Struct, frozen=True):
    """failure.json: what reproduces a loss that was not finite, and ended a run.

    Attributes:
        what: was not finite.
        epoch: from 1.
        batch: of the epoch, from 1.
        step: of the run, from 1.
        learning_rate: of that step.
        seed: of the run.
        step_seed: of what the main process drew at that step.
        processes: that trained together.
        samples: places of the batch's images in the official training split.
        checkpoint: after which moment the last one was written; None if there is none.
    """

    what: str
    epoch: int
    batch: int
    step: int
    learning_rate: float
    seed: int
    step_seed: int
    processes: int
    samples: list[int]
    checkpoint: str | None

"""Hugging Face's Trainer with our criteria does what a plain loop does, and resumes exactly."""

from __future__ import annotations

import functools
import gc
import importlib.util
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from split_off import in_two

import tfkd
from tfkd.adapters.hugging_face import CriterionMixin, compute_loss_func

pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("transformers"), reason="no transformers"
)

ROOT = Path(__file__).parents[2]
SIZE = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
CLASSES = LENGTH = 5  # alike, so that a wrong dimension of the classes is no error of shapes
WORDS = 7
RATE = 0.5


@functools.cache
def hosts():
    """Import what takes seconds, when the first of these tests runs."""
    import transformers

    return transformers


@functools.cache
def with_criterion():
    return type("WithCriterion", (CriterionMixin, hosts().Trainer), {})


@pytest.fixture(scope="module", autouse=True)
def _unwatched_imports(one_thread):
    """The Trainer collects garbage whenever it begins, all that was imported included."""
    assert hosts().Trainer
    gc.freeze()
    yield
    gc.unfreeze()


def network(task, seed=0):
    """A network of a few hundred parameters, always the same for a seed."""
    torch.manual_seed(seed)
    if task == "causal":
        config = hosts().LlamaConfig(vocab_size=LENGTH, **SIZE)
        return hosts().LlamaForCausalLM(config)
    config = hosts().BertConfig(
        vocab_size=WORDS,
        max_position_embeddings=LENGTH,
        num_labels=CLASSES,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **SIZE,
    )
    if task == "sequence":
        return hosts().BertForSequenceClassification(config)
    return hosts().BertForTokenClassification(config)


def samples(task, number):
    """Samples by name, of which each has another number of labels that count."""
    generator = torch.Generator().manual_seed(1)
    words = LENGTH if task == "causal" else WORDS
    rows = []
    for at in range(number):
        ids = torch.randint(words, (LENGTH,), generator=generator)
        if task == "sequence":
            labels = torch.randint(CLASSES, (), generator=generator)
        else:
            labels = ids.clone() % CLASSES
            labels[: at % (LENGTH - 1)] = -100
        rows.append({"input_ids": ids, "labels": labels, "index": torch.tensor(at)})
    return rows


def stacked(rows):
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def arguments(path, **options):
    fixed = {
        "per_device_train_batch_size": 2,
        "per_device_eval_batch_size": 64,
        "train_sampling_strategy": "sequential",
        "num_train_epochs": 1,
        "max_grad_norm": 0.0,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "logging_strategy": "no",
    }
    return hosts().TrainingArguments(str(path), **{**fixed, **options})


def sgd(model):
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)


def plain_loop(model, rows, loss, size):
    """Each step is of one batch of all that the Trainer accumulates: the definition."""
    for at in range(0, len(rows), size):
        batch = stacked(rows[at : at + size])
        labels = batch.pop("labels")
        batch.pop("index")
        model.zero_grad()
        loss(model(**batch).logits, labels, batch).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter -= RATE * parameter.grad
    return model


def positions(task, logits, labels):
    """Logits and labels of all positions in a row, with those of a causal model shifted."""
    if task == "causal":
        logits, labels = logits[:, :-1], labels[:, 1:]
    return logits.reshape(-1, logits.shape[-1]), labels.reshape(-1)


def same_weights(ours, theirs, before):
    theirs, before = theirs.state_dict(), before.state_dict()
    assert any((theirs[name] - before[name]).abs().max() > 1e-2 for name in before)
    for name, weights in ours.state_dict().items():
        torch.testing.assert_close(weights, theirs[name], rtol=1e-4, atol=1e-6, msg=name)


def smoothing(task):
    return tfkd.label_smoothing(0.2, class_dim=1 if task == "sequence" else -1)


@pytest.mark.parametrize(
    ("task", "accumulated"),
    [("sequence", 1), ("sequence", 8), ("token", 3), ("causal", 1), ("causal", 8)],
)
def test_the_trainer_does_what_a_plain_loop_does(task, accumulated, tmp_path):
    """Eleven batches: the last step has fewer of them, and each has its own number of labels."""
    rows = samples(task, 22)
    model = network(task)
    hosts().Trainer(
        model,
        arguments(tmp_path, gradient_accumulation_steps=accumulated),
        train_dataset=rows,
        compute_loss_func=compute_loss_func(smoothing(task), shift=task == "causal"),
        optimizers=sgd(model),
    ).train()

    def loss(logits, labels, inputs):
        return F.cross_entropy(*positions(task, logits, labels), label_smoothing=0.2)

    expected = plain_loop(network(task), rows, loss, 2 * accumulated)
    same_weights(model, expected, network(task))


@pytest.mark.parametrize("task", ["sequence", "token", "causal"])
def test_it_evaluates_to_the_mean_over_the_positions_that_count(task, tmp_path):
    rows, model = samples(task, 6), network(task)
    loss = compute_loss_func(smoothing(task), shift=task == "causal")
    trainer = hosts().Trainer(model, arguments(tmp_path), compute_loss_func=loss)
    told = trainer.evaluate(rows)["eval_loss"]
    batch = stacked(rows)
    with torch.no_grad():
        outputs = model.eval()(batch["input_ids"])
    where = positions(task, outputs.logits, batch["labels"])
    # torch adds a constant to what has the same gradient: that uniform targets are not sure.
    constant = 0.2 * torch.tensor(float(CLASSES)).log()
    expected = (F.cross_entropy(*where, label_smoothing=0.2) - constant).item()
    assert told == pytest.approx(expected, abs=1e-5)
    # As versions have it that count nothing when they evaluate.
    assert loss(outputs, batch["labels"]).item() == pytest.approx(expected, abs=1e-5)


def distilling(teacher, task):
    dim = 1 if task == "sequence" else -1
    return tfkd.knowledge_distillation(teacher, alpha=0.6, temperature=2.0, class_dim=dim)


def distilled(teacher, task, logits, labels, inputs):
    """The same written out."""
    with torch.no_grad():
        taught, _ = positions(task, teacher.eval()(**inputs).logits, labels)
    logits, labels = positions(task, logits, labels)
    logits, taught, labels = (values[labels != -100] for values in (logits, taught, labels))
    logp, logt = (logits / 2).log_softmax(1), (taught / 2).log_softmax(1)
    soft = F.kl_div(logp, logt, reduction="none", log_target=True).sum(1)
    return (0.4 * F.cross_entropy(logits, labels, reduction="none") + 0.6 * 4 * soft).mean()


@pytest.mark.parametrize("task", ["sequence", "token", "causal"])
def test_a_network_that_teaches_sees_the_inputs(task, tmp_path):
    rows, model, teacher = samples(task, 12), network(task), network(task, seed=1)
    with_criterion()(
        model,
        arguments(tmp_path, gradient_accumulation_steps=3),
        train_dataset=rows,
        optimizers=sgd(model),
        criterion=distilling(teacher, task),
        shift=task == "causal",
    ).train()
    loss = functools.partial(distilled, teacher, task)
    expected = plain_loop(network(task), rows, loss, 6)
    same_weights(model, expected, network(task))


def test_labels_that_are_probabilities_count_once_each(tmp_path):
    """The Trainer counts each of their numbers."""
    rows, model = samples("sequence", 12), network("sequence")
    for row in rows:
        row["labels"] = F.one_hot(row["labels"], CLASSES) * 0.5 + 0.5 / CLASSES
    hosts().Trainer(
        model,
        arguments(tmp_path, gradient_accumulation_steps=3),
        train_dataset=rows,
        compute_loss_func=compute_loss_func(tfkd.cross_entropy()),
        optimizers=sgd(model),
    ).train()

    def loss(logits, labels, inputs):
        return F.cross_entropy(logits, labels)

    expected = plain_loop(network("sequence"), rows, loss, 6)
    same_weights(model, expected, network("sequence"))


def test_each_of_several_labels_counts_alike(tmp_path):
    """Labels (C,) of each sample, as of `problem_type="multi_label_classification"`."""
    rows, model, teacher = samples("sequence", 12), network("sequence"), network("sequence", seed=1)
    model.config.problem_type = "multi_label_classification"
    for at, row in enumerate(rows):
        row["labels"] = ((torch.arange(CLASSES) + at) % 3 == 0).float()
        row["labels"][: at % CLASSES] = -100.0
    with_criterion()(
        model,
        arguments(tmp_path, gradient_accumulation_steps=3),
        train_dataset=rows,
        optimizers=sgd(model),
        criterion=tfkd.binary_knowledge_distillation(teacher, alpha=0.6, temperature=2.0),
    ).train()

    def loss(logits, labels, inputs):
        known = labels != -100.0
        with torch.no_grad():
            taught = torch.sigmoid(teacher.eval()(**inputs).logits / 2)[known]
        logits, labels = logits[known], labels[known]
        of_labels = F.binary_cross_entropy_with_logits(logits, labels)
        entropy = F.binary_cross_entropy(taught, taught)
        soft = F.binary_cross_entropy_with_logits(logits / 2, taught) - entropy
        return 0.4 * of_labels + 0.6 * 4 * soft

    expected = plain_loop(network("sequence"), rows, loss, 6)
    same_weights(model, expected, network("sequence"))


def remembering(name, model):
    if name == "ps_kd":  # what each sample was answered in the epoch before, and epochs counted
        return tfkd.ps_kd(num_samples=12, num_classes=CLASSES, epochs=3, samples_per_epoch="told")
    return tfkd.mean_teacher(model, decay=0.9, ramp_up=2, samples_per_epoch="told")


def small_trainer(path, name, rows=None, **options):
    model = network("sequence")
    return with_criterion()(
        model,
        arguments(path, remove_unused_columns=False, **options),
        train_dataset=samples("sequence", 12) if rows is None else rows,
        criterion=remembering(name, model),
        indices="index",
    )


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("ps_kd", {"save_strategy": "steps", "save_steps": 3}),  # the last step of an epoch
        ("mean_teacher", {"save_strategy": "steps", "save_steps": 4}),
        ("mean_teacher", {"save_strategy": "epoch"}),
    ],
)
def test_interrupted_and_resumed_it_is_as_undisturbed(name, when, tmp_path):
    options = {"num_train_epochs": 3, "gradient_accumulation_steps": 2, **when}
    options["train_sampling_strategy"] = "random"
    undisturbed = small_trainer(tmp_path, name, **options)
    undisturbed.train()
    assert undisturbed.criterion.progress == (3, 9)

    checkpoint = tmp_path / f"checkpoint-{when.get('save_steps', 3)}"
    resumed = small_trainer(tmp_path / "other", name, **options)
    resumed.train(resume_from_checkpoint=str(checkpoint))
    for of in ("model", "criterion"):
        one, two = (getattr(trainer, of).state_dict() for trainer in (undisturbed, resumed))
        assert one.keys() == two.keys()
        assert all(torch.equal(value, two[key]) for key, value in one.items()), of

    for file in tmp_path.rglob("criterion.pt"):
        file.unlink()
    with pytest.raises(FileNotFoundError, match=r"criterion\.pt in .*-9', what"):  # True: the last
        small_trainer(tmp_path, name, **options).train(resume_from_checkpoint=True)


class Answering(torch.nn.Module):
    """A network whose logits come in a mapping, first in a tuple, or as they are."""

    def __init__(self, how):
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.how = torch.nn.Linear(4, CLASSES), how

    def forward(self, features, labels=None):
        logits = self.linear(features)
        answers = {"mapping": {"logits": logits}, "pair": (logits, features), "tensor": logits}
        return answers.get(self.how, (logits,))


def features(number):
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(number, 4, generator=generator)
    return [{"features": row, "labels": torch.tensor(at % 3)} for at, row in enumerate(values)]


@pytest.mark.parametrize("how", ["mapping", "tuple", "pair", "tensor"])
def test_it_predicts_the_logits_however_a_model_answers(how, tmp_path):
    rows, model, criterion = features(6), Answering(how), tfkd.tf_kd_reg()
    trainer = with_criterion()(
        model, arguments(tmp_path), train_dataset=rows, criterion=criterion, optimizers=sgd(model)
    )
    trainer.train()
    batch, plain = stacked(rows), Answering("tensor")
    for at in range(0, 6, 2):
        plain.zero_grad()
        criterion(plain(batch["features"][at : at + 2]), batch["labels"][at : at + 2]).backward()
        for parameter in plain.parameters():
            parameter.data -= RATE * parameter.grad
    same_weights(model, plain, Answering("tensor"))

    logits = plain(batch["features"]).detach()
    told = trainer.predict(rows)
    found = told.predictions[0] if how == "pair" else told.predictions
    torch.testing.assert_close(torch.tensor(found), logits, rtol=1e-4, atol=1e-5)
    expected = criterion(logits, batch["labels"]).item()
    assert told.metrics["test_loss"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("how", ["tuple", "tensor"])
def test_a_loss_alone_trains_on_a_tuple_and_does_not_evaluate_it(how, tmp_path):
    rows, model = features(6), Answering(how)
    loss = compute_loss_func(tfkd.tf_kd_reg())
    trainer = hosts().Trainer(
        model, arguments(tmp_path), train_dataset=rows, compute_loss_func=loss
    )
    trainer.train()
    with pytest.raises(TypeError, match=r"return_dict=True.*`tfkd.adapters.hugging_face.Criterion"):
        trainer.predict(rows)


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        yield from samples("sequence", 6)


@pytest.mark.parametrize("rows", [samples("sequence", 6), Stream()], ids=["rows", "stream"])
def test_epochs_are_told_of_when_they_are_whole(rows, tmp_path):
    """Seven steps of epochs of three: the last one is begun only, and its end is not the host's."""
    trainer = small_trainer(tmp_path, "mean_teacher", rows, max_steps=7)
    trainer.train()
    assert trainer.criterion.progress == (2, 7)


def one_of_two(folder):
    torch.set_num_threads(1)
    model, teacher = network("token"), network("token", seed=1)
    trainer = with_criterion()(
        model,
        arguments(folder, gradient_accumulation_steps=2, ddp_backend="gloo"),
        train_dataset=samples("token", 12),
        optimizers=sgd(model),
        criterion=distilling(teacher, "token"),
    )
    trainer.train()
    torch.save(model.state_dict(), folder / f"weights-{trainer.args.process_index}")

    model, rows = network("causal"), samples("causal", 12)
    options = {"gradient_accumulation_steps": 2, "ddp_backend": "gloo"}
    trainer = head_trainer(folder, model, rows, **options)
    trainer.train()
    torch.save(model.state_dict(), folder / f"causal-{trainer.args.process_index}")


def test_two_processes_do_what_one_does(tmp_path):
    """A step is of eight samples, whose labels that count are not as many for either process."""
    in_two(__file__, tmp_path, "from transformers import Trainer")
    teacher = network("token", seed=1)
    loss = functools.partial(distilled, teacher, "token")
    expected = plain_loop(network("token"), samples("token", 12), loss, 8)
    for rank in range(2):
        ours = network("token")
        ours.load_state_dict(torch.load(tmp_path / f"weights-{rank}"))
        same_weights(ours, expected, network("token"))
    expected = plain_loop(network("causal"), samples("causal", 12), designed, 8)
    for rank in range(2):
        ours = network("causal")
        ours.load_state_dict(torch.load(tmp_path / f"causal-{rank}"))
        same_weights(ours, expected, network("causal"))


@pytest.mark.filterwarnings("ignore:'pin_memory' argument")  # the Trainer's default on a CPU
def test_the_page_of_this_host_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "hosts" / "hugging-face.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        names = {
            "model": network("causal"),
            "teacher": network("causal", seed=1),
            "train_dataset": samples("causal", 4),
        }
        exec(block, names)
        ours, before = names["model"].state_dict(), network("causal").state_dict()
        assert any(not torch.equal(ours[name], before[name]) for name in before)


def head_trainer(path, model, rows, *, teacher=None, criterion=None, **options):
    if criterion is None and teacher is None:
        criterion = tfkd.LinearDistillationLoss.of(tfkd.tf_kd_reg(alpha=0.6, temperature=2.0))
    criterion = criterion or tfkd.LinearDistillationLoss(alpha=0.6, temperature=2.0)
    shift = "Causal" in type(model).__name__
    return with_criterion()(
        model,
        arguments(path, **options),
        train_dataset=rows,
        optimizers=sgd(model),
        criterion=criterion,
        teacher=teacher,
        shift=shift,
    )


def seen_of_head(model):
    """How many positions the head of a model computes the logits of, call by call."""
    positions = []
    head = model.get_output_embeddings()
    head.register_forward_hook(lambda module, given, logits: positions.append(logits.shape[1]))
    return positions


def designed(logits, labels, inputs):
    """Tf-KD_reg written out, by logits."""
    logits, labels = positions("causal", logits, labels)
    logits, labels = logits[labels != -100], labels[labels != -100]
    gap = torch.tensor(0.99 / 0.01 * (LENGTH - 1)).log()
    taught = (gap / 2 * F.one_hot(labels, LENGTH)).log_softmax(1)
    soft = F.kl_div((logits / 2).log_softmax(1), taught, reduction="none", log_target=True).sum(1)
    return (0.4 * F.cross_entropy(logits, labels, reduction="none") + 0.6 * 4 * soft).mean()


@pytest.mark.parametrize("accumulated", [1, 4])
@pytest.mark.parametrize("teaches", ["nobody", "a wider network"])
def test_a_causal_model_is_trained_without_its_logits(teaches, accumulated, tmp_path):
    """By the loss on whole logits, over all labels of a step, of which batches have unlike many."""
    rows, model, teacher = samples("causal", 14), network("causal"), None
    if teaches != "nobody":
        torch.manual_seed(1)
        config = hosts().LlamaConfig(vocab_size=LENGTH, **{**SIZE, "hidden_size": 12})
        teacher = hosts().LlamaForCausalLM(config)
    computed = seen_of_head(model)
    head_trainer(
        tmp_path, model, rows, teacher=teacher, gradient_accumulation_steps=accumulated
    ).train()
    assert set(computed) == {1}

    loss = designed if teacher is None else functools.partial(distilled, teacher, "causal")
    expected = plain_loop(network("causal"), rows, loss, 2 * accumulated)
    same_weights(model, expected, network("causal"))


def test_it_evaluates_without_logits_and_predicts_them(tmp_path):
    rows, model = samples("causal", 6), network("causal").eval()
    trainer, batch = head_trainer(tmp_path, model, rows), stacked(rows)
    with torch.no_grad():
        logits = model(batch["input_ids"]).logits
    expected = designed(logits, batch["labels"], None).item()
    computed = seen_of_head(model)
    assert trainer.evaluate(rows)["eval_loss"] == pytest.approx(expected, abs=1e-5)
    assert set(computed) == {1}
    told = trainer.predict(rows)
    assert told.metrics["test_loss"] == pytest.approx(expected, abs=1e-5)
    torch.testing.assert_close(torch.tensor(told.predictions), logits, rtol=1e-4, atol=1e-5)


def test_in_bfloat16_the_head_is_computed_as_the_model_computes_it(tmp_path):
    rows, whole, model = samples("causal", 6), network("causal"), network("causal")
    criterion = tfkd.tf_kd_reg(alpha=0.6, temperature=2.0, class_dim=-1)
    head_trainer(tmp_path, model, rows, bf16=True).train()
    with_criterion()(
        whole,
        arguments(tmp_path, bf16=True),
        train_dataset=rows,
        optimizers=sgd(whole),
        criterion=criterion,
        shift=True,
    ).train()
    ours, theirs = model.state_dict(), whole.state_dict()
    for name, before in network("causal").state_dict().items():
        moved = (theirs[name] - before).norm()
        assert (ours[name] - theirs[name]).norm() <= 0.03 * moved, name
        assert ours[name].dtype == torch.float32


def test_a_head_that_is_not_the_last_is_refused(tmp_path):
    rows = samples("causal", 4)
    config = hosts().Gemma2Config(
        vocab_size=LENGTH, head_dim=4, num_key_value_heads=1, final_logit_softcapping=0.1, **SIZE
    )
    capped = hosts().Gemma2ForCausalLM(config)
    with pytest.raises(TypeError, match=r"softcapping`\).*`tfkd.tf_kd_reg\(class_dim=-1\)`\."):
        head_trainer(tmp_path, capped, rows).train()
    loss = r"`tfkd.knowledge_distillation\(teacher, class_dim=-1\)`"
    with pytest.raises(TypeError, match=rf"a `teacher` that answers .*{loss}.*leave out `teacher="):
        head_trainer(tmp_path, network("causal"), rows, teacher=capped).train()
    with pytest.raises(TypeError, match=rf"a `teacher` whose .*{loss}"):
        head_trainer(tmp_path, network("causal"), rows, teacher=network("sequence"))
    rows = [{**row, "labels": row["labels"][0] % CLASSES} for row in samples("token", 4)]
    expected = r"a torch.nn.Linear.*got NoneType of BertForSeq.*`tfkd.tf_kd_reg\(\)`, with"
    with pytest.raises(TypeError, match=expected):
        head_trainer(tmp_path, network("sequence"), rows).train()


def test_a_model_is_not_its_own_teacher(tmp_path):
    rows, model = samples("causal", 4), network("causal")
    with pytest.raises(ValueError, match=r"got the same: give `copy.deepcopy\(model\)`"):
        head_trainer(tmp_path, model, rows, teacher=model)
    other = network("causal", seed=1)
    other.lm_head = model.lm_head
    with pytest.raises(ValueError, match="shares weights with it that are trained: give"):
        head_trainer(tmp_path, model, rows, teacher=other)
    assert model.training
    assert all(weight.requires_grad for weight in model.parameters())

    model.lm_head.requires_grad_(False)
    head_trainer(tmp_path, model, rows, teacher=other).train()
    before = network("causal").state_dict()
    moved = [name for name, value in model.state_dict().items() if not value.equal(before[name])]
    assert moved
    assert "lm_head.weight" not in moved


def test_of_a_head_there_is_one_teacher_and_one_place(tmp_path):
    smoothing = tfkd.LinearDistillationLoss(tfkd.UniformTeacher(), alpha=0.1)
    options = {"model": network("causal"), "rows": samples("causal", 4)}
    with pytest.raises(TypeError, match=r"`teacher` model.*got both"):
        head_trainer(tmp_path, teacher=network("causal"), criterion=smoothing, **options)
    with pytest.raises(TypeError, match=r"`teacher` model.*got none"):
        head_trainer(tmp_path, criterion=tfkd.LinearDistillationLoss(alpha=0.1), **options)
    criterion = tfkd.tf_kd_reg(class_dim=-1)
    with pytest.raises(TypeError, match="LinearDistillationLoss` alone, got DistillationLoss"):
        head_trainer(tmp_path, teacher=network("causal"), criterion=criterion, **options)
    with pytest.raises(TypeError, match="`compute_loss_func` is given, got LinearDistill"):
        compute_loss_func(smoothing)
    with pytest.raises(ValueError, match="`ignore_index` of -100"):
        other = tfkd.LinearDistillationLoss(tfkd.UniformTeacher(), alpha=0.1, ignore_index=0)
        head_trainer(tmp_path, criterion=other, **options)


def test_what_would_be_read_wrongly_is_refused():
    with pytest.raises(ValueError, match="`class_dim=-1`"):
        compute_loss_func(tfkd.tf_kd_reg(), shift=True)
    with pytest.raises(ValueError, match="`ignore_index` of -100"):
        compute_loss_func(tfkd.tf_kd_reg(ignore_index=0))
    loss = compute_loss_func(tfkd.tf_kd_reg())
    with pytest.raises(ValueError, match="`class_dim=-1`"):
        loss({"logits": torch.zeros(2, 5, 5)}, torch.zeros(2, 5, dtype=torch.int64))
    with pytest.raises(ValueError, match="`labels`"):
        loss({"logits": torch.zeros(2, 5)}, None)
    with pytest.raises(
        TypeError, match=r"`criterion` to be a criterion of tfkd, .* got CrossEntro"
    ):
        compute_loss_func(torch.nn.CrossEntropyLoss())
    with pytest.raises(ValueError, match="`shift=False` for a criterion of several labels"):
        compute_loss_func(tfkd.binary_tf_kd_reg(), shift=True)
    loss, logits = compute_loss_func(tfkd.tf_kd_reg(class_dim=-1), shift=True), torch.zeros(2, 4, 3)
    for z, labels in ((logits, logits.softmax(-1)), (logits[0], torch.zeros(4).long())):
        with pytest.raises(ValueError, match=r"`labels` of tokens, \(N, L\)"):
            loss({"logits": z}, labels)


def test_a_loss_beside_the_criterion_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"`criterion` alone, .* got `compute_loss_func` too"):
        with_criterion()(
            Answering("tensor"),
            arguments(tmp_path),
            criterion=tfkd.tf_kd_reg(),
            compute_loss_func=compute_loss_func(tfkd.tf_kd_reg()),
        )


def test_labels_of_another_name_are_refused(tmp_path):
    expected = r"`label_names` .* \[\"labels\"\], got \['target'\]: .*\(\"target\", \"labels\"\)"
    with pytest.raises(ValueError, match=expected):
        small_trainer(tmp_path, "ps_kd", label_names=["target"])
    assert small_trainer(tmp_path, "ps_kd", label_names=["labels"]).label_names == ["labels"]

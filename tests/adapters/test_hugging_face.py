"""Hugging Face's Trainer with our criteria does what a plain loop does, and resumes exactly."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import tfkd
from tfkd.adapters.hugging_face import CriterionMixin, compute_loss_func

transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.long

SIZE = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
CLASSES = LENGTH = 5  # alike, so that a wrong dimension of the classes is no error of shapes
WORDS = 7
RATE = 0.5


@pytest.fixture(autouse=True)
def _alone(one_thread, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def network(task, seed=0):
    """A network of a few hundred parameters, always the same for a seed."""
    torch.manual_seed(seed)
    if task == "causal":
        config = transformers.LlamaConfig(vocab_size=LENGTH, **SIZE)
        return transformers.LlamaForCausalLM(config)
    config = transformers.BertConfig(
        vocab_size=WORDS,
        max_position_embeddings=LENGTH,
        num_labels=CLASSES,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **SIZE,
    )
    if task == "sequence":
        return transformers.BertForSequenceClassification(config)
    return transformers.BertForTokenClassification(config)


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
    return transformers.TrainingArguments(str(path), **{**fixed, **options})


def sgd(model):
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)


class WithCriterion(CriterionMixin, transformers.Trainer):
    pass


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


@pytest.mark.parametrize("accumulated", [1, 3, 8])
@pytest.mark.parametrize("task", ["sequence", "token", "causal"])
def test_the_trainer_does_what_a_plain_loop_does(task, accumulated, tmp_path):
    """Eleven batches: the last step has fewer of them, and each has its own number of labels."""
    rows = samples(task, 22)
    model = network(task)
    transformers.Trainer(
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
    trainer = transformers.Trainer(model, arguments(tmp_path), compute_loss_func=loss)
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


@pytest.mark.parametrize("task", ["sequence", "token", "causal"])
def test_a_network_that_teaches_sees_the_inputs(task, tmp_path):
    rows, model, teacher = samples(task, 12), network(task), network(task, seed=1)
    criterion = tfkd.knowledge_distillation(
        teacher, alpha=0.6, temperature=2.0, class_dim=1 if task == "sequence" else -1
    )
    WithCriterion(
        model,
        arguments(tmp_path, gradient_accumulation_steps=3),
        train_dataset=rows,
        optimizers=sgd(model),
        criterion=criterion,
        shift=task == "causal",
    ).train()

    def loss(logits, labels, inputs):
        with torch.no_grad():
            taught, _ = positions(task, teacher.eval()(**inputs).logits, labels)
        logits, labels = positions(task, logits, labels)
        logits, taught, labels = (x[labels != -100] for x in (logits, taught, labels))
        soft = F.kl_div(
            (logits / 2).log_softmax(1), (taught / 2).log_softmax(1), reduction="none", log_target=True
        )
        return (0.4 * F.cross_entropy(logits, labels, reduction="none") + 2.4 * soft.sum(1)).mean()

    expected = plain_loop(network(task), rows, loss, 6)
    same_weights(model, expected, network(task))


def test_labels_that_are_probabilities_count_once_each(tmp_path):
    """The Trainer counts each of their numbers."""
    rows, model = samples("sequence", 12), network("sequence")
    for row in rows:
        row["labels"] = F.one_hot(row["labels"], CLASSES) * 0.5 + 0.5 / CLASSES
    transformers.Trainer(
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


def remembering(name, model):
    if name == "ps_kd":  # what each sample was answered in the epoch before, and epochs counted
        return tfkd.ps_kd(num_samples=12, num_classes=CLASSES, epochs=4, samples_per_epoch="told")
    return tfkd.mean_teacher(model, decay=0.9, ramp_up=2, samples_per_epoch="told")


@pytest.mark.parametrize(
    ("name", "saved"),
    [("ps_kd", 6), ("ps_kd", 8), ("mean_teacher", 4), ("mean_teacher", 6), ("mean_teacher", "epoch")],
)
def test_interrupted_and_resumed_it_is_as_undisturbed(name, saved, tmp_path):
    """Saved at step 6, the last of an epoch, and at 4 and 8, in its midst; shuffled."""

    def trainer(path):
        model = network("sequence")
        saving = "epoch" if saved == "epoch" else "steps"
        return WithCriterion(
            model,
            arguments(
                path,
                num_train_epochs=4,
                gradient_accumulation_steps=2,
                per_device_train_batch_size=1,
                train_sampling_strategy="random",
                save_strategy=saving,
                save_steps=0.5 if saved == "epoch" else saved,
                remove_unused_columns=False,
            ),
            train_dataset=samples("sequence", 12),
            criterion=remembering(name, model),
            indices="index",
        )

    undisturbed = trainer(tmp_path / "one")
    undisturbed.train()
    step = 12 if saved == "epoch" else saved
    checkpoint = tmp_path / "one" / f"checkpoint-{step}"
    resumed = trainer(tmp_path / "two")
    resumed.train(resume_from_checkpoint=str(checkpoint))
    for one, two in ((undisturbed.model, resumed.model), (undisturbed.criterion, resumed.criterion)):
        one, two = one.state_dict(), two.state_dict()
        assert one.keys() == two.keys()
        assert all(torch.equal(value, two[key]) for key, value in one.items())
    assert undisturbed.criterion.progress == (4, 24)

    forgetful = trainer(tmp_path / "three")
    (checkpoint / "criterion.pt").unlink()
    with pytest.raises(FileNotFoundError, match=r"criterion\.pt"):
        forgetful.train(resume_from_checkpoint=str(checkpoint))


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

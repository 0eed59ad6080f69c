"""TRL's SFTTrainer with our criteria does what a plain loop does."""

from __future__ import annotations

import importlib.util

import pytest
import torch

import tfkd
from tfkd.adapters.hugging_face import CriterionMixin

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("trl"), reason="no trl")

WORDS = ["[PAD]", "[EOS]", "a", "b", "c"]
SIZE = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
RATE, ALPHA, TEMPERATURE = 0.5, 0.6, 2.0
GENERATOR = torch.Generator().manual_seed(1)
ROWS = [torch.randint(2, 5, (n,), generator=GENERATOR).tolist() for n in (3, 5, 4, 6, 5, 3, 6, 4)]


def network(seed):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    ends = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": None}
    config = LlamaConfig(vocab_size=len(WORDS), initializer_range=0.5, **ends, **SIZE)
    return LlamaForCausalLM(config)


def tokenizer():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    numbers = {word: number for number, word in enumerate(WORDS)}
    words = Tokenizer(models.WordLevel(numbers, unk_token="[PAD]"))
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", eos_token="[EOS]")


def plain_loop(model, teacher, accumulated):
    """Each step is the mean over all tokens that are foretold, of all accumulated batches."""
    for at in range(0, len(ROWS), 2 * accumulated):
        total, count = torch.zeros(()), 0
        for row in ROWS[at : at + 2 * accumulated]:
            ids = torch.tensor([row])
            with torch.no_grad():
                taught = teacher.eval()(ids).logits[0, :-1]
            logits, labels = model(ids).logits[0, :-1], ids[0, 1:]
            hard = -logits.log_softmax(1)[torch.arange(len(labels)), labels]
            p, t = (logits / TEMPERATURE).log_softmax(1), (taught / TEMPERATURE).log_softmax(1)
            soft = (t.exp() * (t - p)).sum(1)
            total = total + ((1 - ALPHA) * hard + ALPHA * TEMPERATURE**2 * soft).sum()
            count += len(labels)
        model.zero_grad()
        (total / count).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= RATE * parameter.grad
    return model


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("accumulated", [1, 4])
def test_a_teacher_of_the_sft_trainer_teaches_as_in_a_plain_loop(accumulated, tmp_path, one_thread):
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    model, teacher = network(0), network(1)
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    trainer = type("Distilling", (CriterionMixin, SFTTrainer), {})(
        model,
        SFTConfig(
            str(tmp_path),
            per_device_train_batch_size=2,
            gradient_accumulation_steps=accumulated,
            train_sampling_strategy="sequential",
            num_train_epochs=1,
            max_grad_norm=0.0,
            gradient_checkpointing=False,
            bf16=False,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=Dataset.from_dict({"input_ids": ROWS}),
        processing_class=tokenizer(),
        optimizers=(optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)),
        criterion=tfkd.knowledge_distillation(
            teacher, alpha=ALPHA, temperature=TEMPERATURE, class_dim=-1
        ),
        shift=True,
    )
    trainer.train()
    expected, before = plain_loop(network(0), teacher, accumulated), network(0)
    for name, weights in expected.named_parameters():
        assert (weights - before.state_dict()[name]).abs().max() > 1e-3, name
        ours = model.state_dict()[name]
        torch.testing.assert_close(ours, weights, rtol=1e-4, atol=1e-6, msg=name)

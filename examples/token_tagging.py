"""A tag for each word, padding left out, taught by a larger network that was trained before.

python examples/token_tagging.py
"""

import random

import torch
from torch import nn

import tfkd
from tfkd.metrics import all_metrics

PEOPLE, PLACES = ["ann", "bob", "eve"], ["rome", "oslo", "lima"]
BOTH = ["paris", "florence", "austin"]  # a person or a place, as the word before says
TAGS = ["other", "person", "place"]
VOCABULARY = ["<pad>", "in", "said", "the", "we", "met", *PEOPLE, *PLACES, *BOTH]

random.seed(0)
torch.manual_seed(0)


def phrase() -> list[tuple[str, int]]:
    """Words with their tags."""
    if random.random() < 0.5:
        return [("in", 0), (random.choice(PLACES + BOTH), 2)]
    if random.random() < 0.5:
        return [("said", 0), (random.choice(PEOPLE + BOTH), 1)]
    return [(word, 0) for word in random.choices(["the", "we", "met"], k=2)]


def padded(rows: list[list[int]], value: int) -> torch.Tensor:
    """Rows of unequal length as one tensor (N, L)."""
    tensors = [torch.tensor(row) for row in rows]
    return nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value)


def tagger(width: int) -> nn.Module:
    """A network from words (N, L) to logits (N, L, 3), which sees the words around each."""

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(len(VOCABULARY), width, padding_idx=0)
            self.around = nn.Conv1d(width, width, 3, padding=1)
            self.head = nn.Linear(width, len(TAGS))

        def forward(self, words: torch.Tensor) -> torch.Tensor:
            seen = self.around(self.embedding(words).transpose(1, 2)).relu()
            return self.head(seen.transpose(1, 2))

    return Tagger()


def train(model: nn.Module, criterion: nn.Module) -> None:
    """Several passes over the first 400 sentences."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    for _epoch in range(6):
        for batch in torch.randperm(400).split(50):
            optimizer.zero_grad()
            loss = criterion(model(words[batch]), tags[batch], words[batch])
            loss.backward()
            optimizer.step()


sentences = [
    [pair for _ in range(random.randint(1, 5)) for pair in phrase()] for _sentence in range(600)
]
words = padded([[VOCABULARY.index(word) for word, _ in row] for row in sentences], value=0)
tags = padded([[tag for _, tag in row] for row in sentences], value=-100)

# Classes last, as language models have them; -100 is left out, as by torch.nn.CrossEntropyLoss.
teacher, student = tagger(32), tagger(8)
train(teacher, tfkd.cross_entropy(class_dim=-1))
train(student, tfkd.knowledge_distillation(teacher, alpha=0.5, class_dim=-1))

counts = tags[400:] != -100
with torch.no_grad():
    metrics = all_metrics(student(words[400:])[counts], tags[400:][counts])
print({name: round(value, 4) for name, value in metrics.items()})

"""Which of two moods a sentence has, padded to one length, with Tf-KD_reg.

python examples/text_classification.py
"""

import random

import torch
from torch import nn

import tfkd
from tfkd.metrics import all_metrics

GOOD, BAD = ["good", "fine", "lovely", "bright"], ["bad", "dull", "awful", "grim"]
OTHER = ["the", "film", "was", "and", "a", "long", "story", "with", "music"]
VOCABULARY = ["<pad>", "not", *GOOD, *BAD, *OTHER]

random.seed(0)
torch.manual_seed(0)


def sentence() -> tuple[list[str], int]:
    """Words with one mood among them, which a "not" before it turns round."""
    mood, negated = random.randint(0, 1), random.randint(0, 1)
    word = random.choice(GOOD if mood else BAD)
    before, after = (random.choices(OTHER, k=random.randint(1, 4)) for _ in range(2))
    return [*before, *["not"] * negated, word, *after], mood ^ negated


class Reader(nn.Module):
    """Reads both ways and keeps the strongest of what it met."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(VOCABULARY), 16, padding_idx=0)
        self.recurrent = nn.GRU(16, 16, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 2)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Return logits (N, 2) of padded words (N, L)."""
        states, _ = self.recurrent(self.embedding(words))
        return self.head(states.masked_fill(words.eq(0).unsqueeze(2), -1e4).amax(1))


sentences = [sentence() for _ in range(800)]
rows = [torch.tensor([VOCABULARY.index(word) for word in words]) for words, _ in sentences]
words = nn.utils.rnn.pad_sequence(rows, batch_first=True)
labels = torch.tensor([label for _, label in sentences])
train, test = slice(0, 600), slice(600, None)

model = Reader()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
criterion = tfkd.tf_kd_reg()  # was: torch.nn.CrossEntropyLoss()

for _epoch in range(5):
    for batch in torch.randperm(600).split(50):
        optimizer.zero_grad()
        loss = criterion(model(words[train][batch]), labels[train][batch])
        loss.backward()
        optimizer.step()

with torch.no_grad():
    metrics = all_metrics(model(words[test]), labels[test])
print({name: round(value, 4) for name, value in metrics.items()})

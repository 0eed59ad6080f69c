"""A class for each pixel, those at the edges left out, with Tf-KD_reg.

Pixels of handwritten digits are of the digit where there is ink, and of class 0 where there is
none; of grey ones nobody knows, as at the edges of PASCAL VOC's objects.

python examples/segmentation.py
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

import tfkd
from tfkd.metrics import all_metrics

UNKNOWN = 255

torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16  # (N, 1, 8, 8)
ink = images.squeeze(1)
labels = torch.where(ink > 0.6, torch.tensor(digits.target).view(-1, 1, 1) + 1, 0)  # (N, 8, 8)
labels[(ink > 0.3) & (ink <= 0.6)] = UNKNOWN
train, test = slice(0, 1200), slice(1200, None)

model = nn.Sequential(
    nn.Conv2d(1, 16, 5, padding=2),
    nn.ReLU(),
    nn.Conv2d(16, 16, 5, padding=2),
    nn.ReLU(),
    nn.Conv2d(16, 11, 5, padding=2),
)  # logits (N, 11, 8, 8)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
# was: torch.nn.CrossEntropyLoss(ignore_index=UNKNOWN)
criterion = tfkd.tf_kd_reg(ignore_index=UNKNOWN)

for _epoch in range(3):
    for batch in torch.randperm(1200).split(50):
        optimizer.zero_grad()
        loss = criterion(model(images[train][batch]), labels[train][batch])
        loss.backward()
        optimizer.step()

known = labels[test] != UNKNOWN
with torch.no_grad():
    logits = model(images[test]).movedim(1, -1)  # (N, 8, 8, 11)
inked = known & (labels[test] > 0)
for name, pixels in {"all pixels": known, "ink": inked}.items():
    metrics = all_metrics(logits[pixels], labels[test][pixels])
    print(name, {name: round(value, 4) for name, value in metrics.items()})

"""A training loop of your own, with Tf-KD_reg in place of cross-entropy.

python examples/training_loop.py
"""

import torch
from sklearn.datasets import load_digits

import tfkd
from tfkd.metrics import all_metrics

torch.manual_seed(0)
images, labels = load_digits(return_X_y=True)
inputs = torch.tensor(images, dtype=torch.float32) / 16
labels = torch.tensor(labels)
train, test = slice(0, 1200), slice(1200, None)

model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
criterion = tfkd.tf_kd_reg()  # was: torch.nn.CrossEntropyLoss()
print(tfkd.explain(criterion, num_classes=10))

for _epoch in range(20):
    for batch in torch.randperm(1200).split(128):
        optimizer.zero_grad()
        loss = criterion(model(inputs[train][batch]), labels[train][batch])
        loss.backward()
        optimizer.step()

with torch.no_grad():
    metrics = all_metrics(model(inputs[test]), labels[test])
print({name: round(value, 4) for name, value in metrics.items()})

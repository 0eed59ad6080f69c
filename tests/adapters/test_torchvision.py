"""torchvision's scripts: a loop of their kind, with mixup and cutmix, held against torch's loss."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import default_collate

import tfkd

v2 = pytest.importorskip("torchvision.transforms.v2")


SAMPLES, CLASSES, BATCH = 24, 3, 6


def trained(criterion, loss_of_batch, mixed):
    """The weights after two epochs, in the way of the reference script."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model.append(nn.Linear(4, CLASSES))
    samples = [(torch.randn(3, 8, 8), torch.tensor(i % CLASSES)) for i in range(SAMPLES)]
    mix = v2.RandomChoice([v2.MixUp(num_classes=CLASSES), v2.CutMix(num_classes=CLASSES)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _epoch in range(2):
        model.train()
        for start in range(0, SAMPLES, BATCH):
            image, target = default_collate(samples[start : start + BATCH])
            if mixed:
                image, target = mix(image, target)
            loss = loss_of_batch(model, criterion, image, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            for image, target in samples:
                assert criterion(model(image[None]), target[None], image[None]).isfinite()
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("mixed", [False, True], ids=["labels", "mixup and cutmix"])
def test_label_smoothing_trains_as_torchs_does(host_pages, monkeypatch, mixed):
    page = host_pages.run_page("torchvision.md", monkeypatch)
    assert isinstance(page["criterion"], nn.Module)
    ours = trained(tfkd.label_smoothing(0.1), page["loss_of_batch"], mixed)
    torchs = nn.CrossEntropyLoss(label_smoothing=0.1)
    theirs = trained(
        lambda output, target, _: torchs(output, target),
        page["loss_of_batch"],
        mixed,
    )
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_a_network_teaches_on_the_mixed_images(host_pages, monkeypatch):
    page = host_pages.run_page("torchvision.md", monkeypatch)
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, CLASSES))

    def by_hand(output, target, image):
        if not target.is_floating_point():
            target = F.one_hot(target, CLASSES).float()
        with torch.no_grad():
            soft = F.softmax(teacher(image) / 4, 1)
        label = -(target * F.log_softmax(output, 1)).sum(1).mean()
        taught = F.kl_div(F.log_softmax(output / 4, 1), soft, reduction="batchmean")
        return 0.3 * label + 0.7 * 16 * taught

    criterion = tfkd.knowledge_distillation(teacher, alpha=0.7, temperature=4.0)
    ours = trained(criterion, page["loss_of_batch"], mixed=True)
    theirs = trained(by_hand, page["loss_of_batch"], mixed=True)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)

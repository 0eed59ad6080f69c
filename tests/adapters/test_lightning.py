"""Lightning: as a plain loop, however it accumulates and wherever it was interrupted."""

from __future__ import annotations

import importlib
import os
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from split_off import in_two
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

lightning = pytest.importorskip("lightning")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]

EPOCHS = 3
SAVED = {
    "after the validation": {"monitor": "validation_loss", "save_on_train_epoch_end": False},
    "at the end of an epoch": {"save_on_train_epoch_end": True},
    "after the last batch": {"every_n_train_steps": 2},
}
WEIGHT = torch.tensor([1.0, 2.0, 5.0])


@pytest.fixture
def page(host_pages, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return host_pages.run_page("lightning.md", monkeypatch)


def trained(host_pages, page, method, folder, *, resume=None, epochs=EPOCHS, **saved):
    """A module that was trained by the page's classes, two batches to a step."""
    model = host_pages.network()
    module = page["Classifier"](model, host_pages.CRITERIA[method](model))
    keep = lightning.pytorch.callbacks.ModelCheckpoint(folder, "{epoch}", save_top_k=-1, **saved)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        accumulate_grad_batches=2,
        callbacks=[page["CriterionCallback"](), keep],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    columns = host_pages.IMAGES, host_pages.LABELS, host_pages.INDICES
    loader = DataLoader(TensorDataset(*columns), batch_size=host_pages.BATCH)
    trainer.fit(module, loader, loader, ckpt_path=resume)
    return module


def test_the_page_trains_as_a_plain_loop(host_pages, page):
    model = host_pages.network()
    criterion = page["tfkd"].mean_teacher(model, samples_per_epoch="told")
    host_pages.plain_loop(model, criterion, epochs=2)
    assert host_pages.difference(page["model"], model) < 1e-6
    assert page["criterion"].progress == criterion.progress == (2, 8)
    saved = page["classifier"].state_dict()
    assert {name for name in saved if name.startswith("criterion.")} == {
        f"criterion.{name}" for name in criterion.state_dict()
    }


@pytest.mark.parametrize("method", ["by inputs, steps and epochs", "by indices and epochs"])
@pytest.mark.parametrize("when", SAVED)
def test_accumulated_and_resumed_it_is_the_plain_loop(host_pages, page, tmp_path, method, when):
    model = host_pages.network()
    criterion = host_pages.CRITERIA[method](model)
    host_pages.plain_loop(model, criterion, EPOCHS, accumulate=2)
    whole = trained(host_pages, page, method, tmp_path / "whole", **SAVED[when])
    assert host_pages.difference(whole.model, model) < 1e-6
    folder = tmp_path / "whole"
    for epoch in (EPOCHS - 1, 0):  # of the last, nothing is left to train
        file = folder / f"epoch={epoch}.ckpt"
        resumed = trained(host_pages, page, method, folder, resume=file, **SAVED[when])
        assert host_pages.difference(resumed, whole) == 0.0
        assert resumed.criterion.progress == criterion.progress == (EPOCHS, 2 * EPOCHS)


def small_trainer(page, *names, **options):
    return lightning.Trainer(
        accelerator="cpu",
        callbacks=[page["CriterionCallback"](*names)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


@pytest.mark.parametrize(("steps", "epochs"), [(4, 1), (5, 1), (8, 2)])
def test_an_epoch_that_was_begun_only_has_not_ended(host_pages, page, steps, epochs):
    model = host_pages.network()
    criterion = host_pages.CRITERIA["by indices and epochs"](model)
    module = page["Classifier"](model, criterion)
    small_trainer(page, max_steps=steps, max_epochs=-1).fit(module, page["loader"], page["loader"])
    assert criterion.progress == (epochs, steps)


@pytest.mark.parametrize(
    ("names", "criterion", "error", "message"),
    [
        (["loss"], None, ValueError, "`criterion` to name an attribute of Classifier, got 'loss'"),
        (["criterion", "net"], None, ValueError, "`student` to name an attribute of .* got 'net'"),
        ([], torch.nn.CrossEntropyLoss(), TypeError, "`criterion` to be a criterion of tfkd"),
        (["criterion", "device"], None, TypeError, "`device`, the student, to be a torch.nn.Mod"),
    ],
)
def test_what_the_callback_cannot_tell_is_named_before_training(
    host_pages, page, names, criterion, error, message
):
    model = host_pages.network()
    module = page["Classifier"](model, criterion or page["tfkd"].tf_kd_reg())
    before = [parameter.clone() for parameter in model.parameters()]
    with pytest.raises(error, match=message):
        small_trainer(page, *names, max_epochs=1).fit(module, page["loader"], page["loader"])
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


def test_a_second_fit_goes_on_counting(host_pages, page, tmp_path):
    model = host_pages.network()
    criterion = host_pages.CRITERIA["by indices and epochs"](model)
    host_pages.plain_loop(model, criterion, epochs=2)
    module = page["Classifier"](
        host_pages.network(), host_pages.CRITERIA["by indices and epochs"](model)
    )
    loader = DataLoader(
        TensorDataset(host_pages.IMAGES, host_pages.LABELS, host_pages.INDICES), host_pages.BATCH
    )
    for _ in range(2):
        small_trainer(page, max_epochs=1).fit(module, loader, loader)
    assert host_pages.difference(module.model, model) < 1e-6
    assert module.criterion.progress == criterion.progress


def made(host_pages, name, model):
    """A criterion of `SHARED`, for a model."""
    if name == "class weights":
        return host_pages.tfkd.tf_kd_reg(alpha=0.5, weight=WEIGHT)
    return host_pages.CRITERIA[name](model)


SHARED = ["by inputs, steps and epochs", "by indices and epochs", "class weights"]


def one_of_two(folder):
    """Train as one of two processes, from another seed than the other, on half of each batch."""
    pages = runpy.run_path(str(Path(__file__).with_name("host_pages.py")))
    host_pages = SimpleNamespace(**pages)
    adapter = importlib.import_module("tfkd.adapters.lightning")

    class Classifier(lightning.LightningModule):
        def __init__(self, model, criterion):
            super().__init__()
            self.model, self.criterion = model, criterion

        def training_step(self, batch, number):
            images, labels, indices = batch
            counted = None
            if self.criterion.weight is not None:  # as the page says
                counted = self.all_gather(self.criterion.weight[labels].sum()).mean()
            return self.criterion(
                self.model(images), labels, images, indices=indices, num_items_in_batch=counted
            )

        def configure_optimizers(self):
            return torch.optim.SGD(self.model.parameters(), lr=0.1)

    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    torch.manual_seed(rank)
    for name in SHARED:
        model = host_pages.network()
        if rank:
            torch.nn.init.normal_(model[0].weight)
        module = Classifier(model, made(host_pages, name, model))
        trainer = lightning.Trainer(
            max_epochs=EPOCHS,
            accelerator="cpu",
            devices=2,
            strategy="ddp",
            use_distributed_sampler=False,  # Lightning's own shuffles, whatever the loader does
            callbacks=[adapter.CriterionCallback()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        samples = TensorDataset(host_pages.IMAGES, host_pages.LABELS, host_pages.INDICES)
        shares = DistributedSampler(samples, 2, rank, shuffle=False)
        trainer.fit(module, DataLoader(samples, host_pages.BATCH // 2, sampler=shares))
        torch.save(module.state_dict(), folder / f"{name}-{rank}")


@pytest.mark.long
def test_two_processes_do_what_one_does(host_pages, tmp_path):
    in_two(__file__, tmp_path, "import lightning")
    for name in SHARED:
        model = host_pages.network()
        criterion = made(host_pages, name, model)
        host_pages.plain_loop(model, criterion, EPOCHS)
        whole = torch.nn.ModuleDict({"model": model, "criterion": criterion}).state_dict()
        one, other = (torch.load(tmp_path / f"{name}-{rank}") for rank in range(2))
        assert one.keys() == other.keys() == whole.keys()
        for key, value in whole.items():
            assert torch.equal(one[key], other[key]), (name, key)
            torch.testing.assert_close(one[key], value, atol=1e-6, rtol=1e-5)

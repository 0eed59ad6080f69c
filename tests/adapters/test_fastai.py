"""fastai: as a plain loop, with what its `Learner` asks of a loss."""

from __future__ import annotations

import copy
import pickle
import sys
import warnings

import pytest
import torch

import tfkd

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of torch.jit.script, which fastai uses while it is imported
    pytest.importorskip("fastai.learner")
    from fastai.callback.schedule import Learner  # with `lr_find`
    from fastai.callback.training import GradientAccumulation
    from fastai.data.core import Datasets
    from fastai.data.transforms import Categorize, MultiCategorize, OneHotEncode
    from fastai.learner import load_learner
    from fastai.optimizer import SGD

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning"),
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:numpy.core is deprecated:DeprecationWarning"),
]


@pytest.fixture
def page(host_pages, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return host_pages.run_page("fastai.md", monkeypatch)


def learner(page, model, criterion, *callbacks):
    loss_func, tell = page["LossFunc"](criterion), page["CriterionCallback"]()
    learn = Learner(
        page["dls"], model, loss_func, SGD, lr=0.1, cbs=[tell, *callbacks], metrics=page["accuracy"]
    )
    learn.no_logging().__enter__()
    learn.no_bar().__enter__()
    return learn


def test_the_page_trains_as_a_plain_loop(host_pages, page):
    model = host_pages.network()
    criterion = page["tfkd"].mean_teacher(model, samples_per_epoch="told")
    host_pages.plain_loop(model, criterion, epochs=2)
    assert host_pages.difference(page["model"], model) < 1e-6
    assert host_pages.difference(page["criterion"], criterion) < 1e-6

    images, labels = host_pages.IMAGES, host_pages.LABELS
    probabilities = model(images).detach().softmax(1)
    torch.testing.assert_close(page["probabilities"], probabilities, atol=1e-6, rtol=1e-5)
    assert torch.equal(page["labels"], labels)
    assert page["losses"].shape == labels.shape
    assert page["criterion"].reduction == "mean"
    predicted = page["learn"].get_preds(with_decoded=True)[2]
    assert torch.equal(predicted, probabilities.argmax(1))


@pytest.mark.parametrize("method", ["by inputs, steps and epochs", "by indices and epochs"])
def test_a_search_for_the_learning_rate_teaches_nothing(host_pages, page, method):
    model = host_pages.network()
    criterion = host_pages.CRITERIA[method](model)
    learn = learner(page, model, criterion)
    before = copy.deepcopy(criterion)
    learn.lr_find(num_it=6, show_plot=False)
    assert host_pages.difference(criterion, before) == 0.0
    learn.fit(3)
    plain = host_pages.network()
    other = host_pages.CRITERIA[method](plain)
    host_pages.plain_loop(plain, other, epochs=3)
    assert host_pages.difference(model, plain) < 1e-6
    assert criterion.progress == other.progress == (3, 12)


def test_accumulated_and_gone_on_with_it_is_the_plain_loop(host_pages, page, tmp_path):
    def begun(folder):
        model = host_pages.network()
        criterion = host_pages.CRITERIA["by inputs, steps and epochs"](model)
        learn = learner(page, model, criterion, GradientAccumulation(2 * host_pages.BATCH))
        learn.path = tmp_path / folder
        return learn

    first = begun("first")
    first.fit(1)
    first.save("weights")
    state = first.loss_func.state_dict()
    second = begun("first")
    second.create_opt()
    second.load("weights")
    second.loss_func.load_state_dict(state)
    second.fit(3, start_epoch=1)

    model = host_pages.network()
    criterion = host_pages.CRITERIA["by inputs, steps and epochs"](model)
    host_pages.plain_loop(model, criterion, epochs=3, accumulate=2)
    assert host_pages.difference(second.model, model) < 1e-6
    assert host_pages.difference(second.loss_func.criterion, criterion) < 1e-6
    assert second.loss_func.criterion.progress == criterion.progress == (3, 6)


def image_of(at):
    return sys.modules["tfkd_tests_host_pages"].IMAGES[at]


def class_of(at):
    return "abc"[at % 3]


def labels_of(at):
    return ["a", "b"] if at % 2 else ["c"]


@pytest.mark.filterwarnings("ignore:load_learner. uses Python's insecure pickle")
@pytest.mark.parametrize("several", [False, True], ids=["one label", "several labels"])
def test_it_predicts_what_has_no_label_also_where_it_was_exported(
    host_pages, page, tmp_path, several
):
    names = [*"abc"]
    labels = (
        [labels_of, MultiCategorize(names), OneHotEncode(3)]
        if several
        else [class_of, Categorize(names)]
    )
    items = list(range(host_pages.SAMPLES))
    dls = Datasets(items, [[image_of], labels], splits=[items, items]).dataloaders(bs=6)
    model = host_pages.network()
    mean = tfkd.mean_teacher(model, samples_per_epoch="told")
    criterion = tfkd.binary_tf_kd_reg() if several else mean
    learn = learner({**page, "dls": dls, "accuracy": []}, model, criterion)
    learn.fit(1)
    learn.path = tmp_path
    learn.export("exported.pkl")

    logits = model(host_pages.IMAGES).detach()
    expected = logits.sigmoid() if several else logits.softmax(1)
    for each in (learn, load_learner(tmp_path / "exported.pkl")):
        with each.no_bar(), each.no_logging():
            probabilities, _ = each.get_preds(dl=each.dls.test_dl(items[:4]))
            named, decided, of_one = each.predict(2)
        torch.testing.assert_close(probabilities, expected[:4], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(of_one, expected[2], atol=1e-6, rtol=1e-5)
        if several:
            assert decided.tolist() == (logits[2] > 0).tolist()
            assert [*named] == [name for name, there in zip(names, decided, strict=True) if there]
        else:
            assert decided == logits[2].argmax()
            assert str(named) == names[decided]


def test_what_a_loss_was_shown_is_neither_kept_nor_saved(page):
    loss_func = page["learn"].loss_func
    assert loss_func.inputs is loss_func.indices is None
    loss_func.inputs, loss_func.indices = torch.zeros(4, 5), torch.arange(4)
    again = pickle.loads(pickle.dumps(loss_func))
    assert again.inputs is again.indices is None
    assert again.criterion.progress == loss_func.criterion.progress


def test_a_loss_that_the_callback_cannot_show_anything_is_named(host_pages, page):
    learn = learner(page, host_pages.network(), tfkd.tf_kd_reg())
    learn.loss_func = tfkd.tf_kd_reg()
    with pytest.raises(TypeError, match=r"LossFunc, got DistillationLoss\. Write `loss_func="):
        learn.fit(1)
    with pytest.raises(TypeError, match="`criterion` to be a criterion of tfkd"):
        page["LossFunc"](torch.nn.CrossEntropyLoss())

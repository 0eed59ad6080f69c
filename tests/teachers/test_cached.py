"""A cached teacher says what its network said, or nothing at all."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from few import in_full
from torch import nn

import tfkd

K, N, VIEWS = 5, 12, 3


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, K))


def seen(indices, view):
    """The view of samples that the student sees: a function of both."""
    noise = torch.randn(VIEWS, N, 3, generator=torch.Generator().manual_seed(1))
    return noise[view, indices]


def batches(size=5, views=VIEWS):
    for view in range(views):
        order = torch.randperm(N, generator=torch.Generator().manual_seed(view))
        for indices in order.split(size):
            yield seen(indices, view), indices, view


def ask(teacher, indices, view, temperature=1.0):
    z = torch.zeros(*indices.shape, K)
    labels = torch.zeros_like(indices)
    batch = tfkd.Batch(z, labels, indices=indices, view=view, temperature=temperature)
    return in_full(teacher(batch), K)


def test_it_says_what_the_network_said_about_the_very_view(model, tmp_path):
    model.train()
    cached = tfkd.CachedTeacher.record(tmp_path / "cache", model, batches())
    assert model.training  # the original is left as it was
    network = tfkd.NetworkTeacher(model)
    for view in range(VIEWS):
        indices = torch.tensor([7, 0, 7, 11])
        inputs = seen(indices, view)
        expected = network(tfkd.Batch(torch.zeros(4, K), indices, inputs))
        torch.testing.assert_close(ask(cached, indices, view), expected)
    assert (cached.form, cached.samples, cached.views) == ("float32", N, VIEWS)
    assert cached.total_variation["1"] == {"largest": 0.0, "mean": 0.0}


def test_the_loss_is_that_of_the_reference(model, tmp_path, reference):
    cached = tfkd.CachedTeacher.record(tmp_path, model, batches())
    torch.manual_seed(2)
    z, labels = torch.randn(4, K, dtype=torch.float64, requires_grad=True), torch.arange(4)
    indices = torch.tensor([3, 9, 1, 4])
    criterion = tfkd.knowledge_distillation(cached, alpha=0.3, temperature=4.0)
    loss = criterion(z, labels, indices=indices, view=2)
    (grad,) = torch.autograd.grad(loss, z)
    with torch.no_grad():
        dense = model.eval()(seen(indices, 2)).double().numpy()
    expected = reference.distillation(
        z.detach().numpy(), labels.numpy(), dense=dense, alpha=0.3, temperature=4.0
    )
    assert loss.item() == pytest.approx(float(expected.loss), rel=1e-5)
    torch.testing.assert_close(grad, torch.from_numpy(expected.grad), rtol=1e-5, atol=1e-7)


def test_every_named_method_takes_a_teacher(model, tmp_path):
    cached = tfkd.CachedTeacher.record(tmp_path, model, batches())
    numbers = {"alpha": 0.5, "temperature": 2.0}
    for criterion in (
        tfkd.knowledge_distillation(cached, **numbers),
        tfkd.tf_kd_self(cached, **numbers),
        tfkd.paper_kd(cached, **numbers),
        tfkd.released_kd(cached, **numbers, num_classes=K),
    ):
        assert criterion.teacher is cached


def test_lossy_forms_state_their_largest_error(model, tmp_path):
    with torch.no_grad():
        everything = torch.cat([seen(torch.arange(N), view) for view in range(VIEWS)])
        true = model.eval()(everything).double()
    for form in ("float16", "top-2"):
        cached = tfkd.CachedTeacher.record(tmp_path / form, model, batches(), form=form)
        said = torch.cat([ask(cached, torch.arange(N), view) for view in range(VIEWS)]).double()
        for temperature, error in cached.total_variation.items():
            tau = float(temperature)
            distance = ((true / tau).softmax(1) - (said / tau).softmax(1)).abs().sum(1) / 2
            assert error["largest"] == pytest.approx(distance.max().item(), rel=1e-2, abs=1e-6)
            assert error["mean"] == pytest.approx(distance.mean().item(), rel=1e-2, abs=1e-6)
        assert f"at most {cached.total_variation['1']['largest']:.2g}" in repr(cached)
    assert cached.total_variation["1"]["largest"] > 0.01  # of two classes out of five


def test_dense_and_unbatched_samples(tmp_path):
    torch.manual_seed(0)
    network = nn.Conv2d(3, K, 1)
    images = torch.randn(N, 3, 2, 4)
    for form in ("float32", "top-2"):
        cached = tfkd.CachedTeacher.record(
            tmp_path / form, network, [(images, torch.arange(N), 0)], form=form
        )
        z, labels = torch.randn(2, K, 2, 4), torch.randint(K, (2, 2, 4))
        said = tfkd.knowledge_distillation(cached)(z, labels, indices=torch.tensor([4, 2]))
        assert said.isfinite()
    exact = tfkd.knowledge_distillation(tfkd.CachedTeacher(tmp_path / "float32"), alpha=0.5)
    asked = tfkd.knowledge_distillation(network, alpha=0.5)
    torch.testing.assert_close(
        exact(z, labels, indices=torch.tensor([4, 2])), asked(z, labels, images[[4, 2]])
    )
    flat = tfkd.CachedTeacher.record(
        tmp_path / "flat", nn.Linear(3, K), [(torch.randn(N, 3), torch.arange(N), 0)]
    )
    alone = tfkd.knowledge_distillation(flat)(
        torch.zeros(K), torch.tensor(1), indices=torch.tensor(3)
    )
    batch = tfkd.knowledge_distillation(flat)(
        torch.zeros(1, K), torch.tensor([1]), indices=torch.tensor([3])
    )
    torch.testing.assert_close(alone, batch)


@pytest.mark.parametrize("form", ["float32", "top-2"])
def test_it_goes_through_compile_vmap_and_grad(model, tmp_path, form):
    torch.compiler.reset()
    cached = tfkd.CachedTeacher.record(tmp_path, model, batches(), form=form)
    criterion = tfkd.knowledge_distillation(cached, alpha=0.5, temperature=2.0)
    torch.manual_seed(3)
    z, labels, indices = torch.randn(4, K), torch.arange(4), torch.tensor([3, 9, 1, 4])
    compiled = torch.compile(criterion, fullgraph=True, backend="aot_eager")
    for view in (0, 2):
        expected = criterion(z, labels, indices=indices, view=view)
        torch.testing.assert_close(compiled(z, labels, indices=indices, view=view), expected)

    def loss(z, labels, indices):
        return criterion(z, labels, indices=indices, view=1)

    each = torch.func.vmap(torch.func.grad(loss))(z, labels, indices)
    torch.testing.assert_close(each / 4, torch.func.grad(loss)(z, labels, indices))


def test_unknown_samples_and_views_are_refused(model, tmp_path):
    cached = tfkd.CachedTeacher.record(tmp_path, model, batches())
    for index in (-1, N, 10**12):
        with pytest.raises(ValueError, match=rf"`indices` of the {N} samples .*got {index}"):
            ask(cached, torch.tensor([0, index]), 0)
    for view in (-1, VIEWS):
        with pytest.raises(ValueError, match=rf"`view` in \[0, {VIEWS - 1}\].*got {view}"):
            ask(cached, torch.tensor([0]), view)
    with pytest.raises(TypeError, match=r"`view`, one of the 3"):
        ask(cached, torch.tensor([0]), None)
    with pytest.raises(TypeError, match=r"`indices` of dtype int64"):
        ask(cached, torch.tensor([0], dtype=torch.int32), 0)
    criterion = tfkd.knowledge_distillation(cached)
    with pytest.raises(TypeError, match=r"`indices`.*got None.*indices=indices, view=view"):
        criterion(torch.zeros(2, K), torch.tensor([0, 1]))
    # Where samples cannot be looked at, never a wrong answer.
    answer = torch.func.vmap(lambda index: ask(cached, index, 0))(torch.tensor([0, N]))
    assert answer[0].isfinite().all()
    assert answer[1].isnan().all()


def test_another_identity_is_refused_naming_what_differs(model, tmp_path):
    here = {"weights": "a", "data": "b"}
    tfkd.CachedTeacher.record(tmp_path, model, batches(), identity=here)
    assert tfkd.CachedTeacher(tmp_path, identity=dict(here)).identity == here
    assert tfkd.CachedTeacher(tmp_path).identity == here  # not asked
    with pytest.raises(ValueError, match=r"differs: weights is 'a' there, 'c' here\.$"):
        tfkd.CachedTeacher(tmp_path, identity={**here, "weights": "c"})
    with pytest.raises(ValueError, match=r"differs: seed is None there, '0' here\.$"):
        tfkd.CachedTeacher(tmp_path, identity={**here, "seed": "0"})
    with pytest.raises(ValueError, match=r"differs: data is 'b' there, None here\.$"):
        tfkd.CachedTeacher(tmp_path, identity={"weights": "a"})


def test_damaged_caches_are_refused_by_name(model, tmp_path):
    tfkd.CachedTeacher.record(tmp_path, model, batches(), form="top-2")
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"cache.json", "values.bin", "classes.bin", "positions.bin"}
    for name in names - {"cache.json"}:
        file = tmp_path / name
        whole = file.read_bytes()
        for damaged in (whole[:-1], whole + b"\0"):
            file.write_bytes(damaged)
            with pytest.raises(ValueError, match=rf"{len(whole)} bytes in .*{name}, got"):
                tfkd.CachedTeacher(tmp_path)
        file.unlink()
        with pytest.raises(FileNotFoundError, match=name):
            tfkd.CachedTeacher(tmp_path)
        file.write_bytes(whole)
    (tmp_path / "cache.json").unlink()
    with pytest.raises(FileNotFoundError, match="never finished"):
        tfkd.CachedTeacher(tmp_path)


def test_copies_answer_the_same_and_do_not_read_everything_again(model, tmp_path):
    cached = tfkd.CachedTeacher.record(tmp_path, model, batches(), identity={"weights": "a"})
    damage = tmp_path / "values.bin"
    damage.write_bytes(damage.read_bytes())
    for again in (copy.deepcopy(cached), pickle.loads(pickle.dumps(cached))):
        assert again.identity == cached.identity
        assert torch.equal(ask(again, torch.arange(N), 1), ask(cached, torch.arange(N), 1))


def test_a_recording_that_fails_leaves_nothing(model, tmp_path):
    def failing():
        yield from batches(views=1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tfkd.CachedTeacher.record(tmp_path, model, failing())
    assert list(tmp_path.iterdir()) == []


def test_a_finished_cache_is_not_written_over(model, tmp_path):
    tfkd.CachedTeacher.record(tmp_path, model, batches())
    before = (tmp_path / "values.bin").read_bytes()
    with pytest.raises(FileExistsError, match="there is one"):
        tfkd.CachedTeacher.record(tmp_path, nn.Linear(3, K), batches())
    assert (tmp_path / "values.bin").read_bytes() == before


def test_what_makes_no_cache_is_refused(model, tmp_path):
    x = torch.randn(2, 3)
    first, second = torch.tensor([0, 1]), torch.tensor([1, 2])
    for wrong, message in (
        ([], "at least one sample"),
        ([(x, first, 0), (x, second, 0)], "once in a view, got 1 of 4 again"),
        ([(x, first, 0), (x, second, 1)], "every view of the same samples: view 1"),
        ([(x, first, 1)], "every view of the same samples: view 1"),
        ([(x, first - 1, 0)], r"`indices` in \[0, .*got -1"),
        ([(x, first + 2**31, 0)], r"`indices` in \[0, .*got 2147483649"),
        ([(x, torch.tensor([0]), 0)], r"\(2, 5\) and \(1,\)"),
        ([(x, first, -1)], "`view`"),
        ([(x * float("nan"), first, 0)], "finite logits"),
    ):
        with pytest.raises(ValueError, match=message):
            tfkd.CachedTeacher.record(tmp_path / "cache", model, wrong)
        assert not (tmp_path / "cache" / "cache.json").exists()
    with pytest.raises(TypeError, match="dtype int64"):
        tfkd.CachedTeacher.record(tmp_path / "cache", model, [(x, first.int(), 0)])
    with pytest.raises(ValueError, match="`form`"):
        tfkd.CachedTeacher.record(tmp_path / "cache", model, batches(), form="int8")
    with pytest.raises(TypeError, match="`model`"):
        tfkd.CachedTeacher.record(tmp_path / "cache", "resnet18", batches())


def test_a_cache_of_few_classes_answers_with_few_logits(model, tmp_path):
    said = {}
    for form, drawn in (("top-2", {}), ("sampled-3", {"temperature": 4.0})):
        teacher = tfkd.CachedTeacher.record(tmp_path / form, model, batches(), form=form, **drawn)
        indices = torch.tensor([3, 9, 1])
        batch = tfkd.Batch(torch.zeros(3, K), indices, indices=indices, view=1, temperature=4.0)
        said[form] = teacher(batch)
        assert isinstance(said[form], tfkd.FewLogits)
    network = tfkd.NetworkTeacher(model)(tfkd.Batch(torch.zeros(3, K), indices, seen(indices, 1)))
    assert said["top-2"].classes.equal(network.topk(2, 1).indices)
    counts = (said["sampled-3"].values / 4.0).exp()
    torch.testing.assert_close(counts.sum(1), torch.full((3,), 3.0))
    assert said["sampled-3"].others == float("-inf")


def test_draws_are_known_by_sample_and_view_alone(model, tmp_path):
    drawn = {"form": "sampled-4", "temperature": 2.0, "seed": 7}
    one = tfkd.CachedTeacher.record(tmp_path / "one", model, batches(5), **drawn)
    two = tfkd.CachedTeacher.record(tmp_path / "two", model, batches(3), **drawn)
    other = tfkd.CachedTeacher.record(tmp_path / "other", model, batches(5), **{**drawn, "seed": 8})
    said = [ask(teacher, torch.arange(N), 1, 2.0) for teacher in (one, two, other)]
    assert torch.equal(said[0], said[1])
    assert not torch.equal(said[0], said[2])
    again = tfkd.CachedTeacher(tmp_path / "one")
    assert torch.equal(ask(again, torch.arange(N), 1, 2.0), said[0])
    assert list(again.total_variation) == ["2"]
    assert "total variation at temperature 2 at most" in repr(again)


def test_draws_at_another_temperature_are_refused(model, tmp_path):
    cached = tfkd.CachedTeacher.record(
        tmp_path / "cache", model, batches(), form="sampled-4", temperature=2.0
    )
    z, labels, options = torch.zeros(2, K), torch.arange(2), {"indices": torch.arange(2), "view": 0}
    assert tfkd.knowledge_distillation(cached, temperature=2.0)(z, labels, **options).isfinite()
    with pytest.raises(ValueError, match=r"`temperature` 2, at which .*was drawn, got 4\."):
        tfkd.knowledge_distillation(cached, temperature=4.0)(z, labels, **options)
    batch = tfkd.Batch(z, labels, indices=torch.arange(2), view=0, temperature=torch.tensor(2.0))
    with pytest.raises(ValueError, match="got one of a schedule"):
        cached(batch)


def test_draws_want_a_temperature_and_nothing_else_does(model, tmp_path):
    path = tmp_path / "cache"
    with pytest.raises(ValueError, match="Expected `temperature` with the form sampled-4"):
        tfkd.CachedTeacher.record(path, model, batches(), form="sampled-4")
    with pytest.raises(ValueError, match=r"no `temperature` with the form top-2, .*got 4"):
        tfkd.CachedTeacher.record(path, model, batches(), form="top-2", temperature=4.0)
    for form in ("sampled-0", "sampled", "sampled-10000"):
        with pytest.raises(ValueError, match="sampled-N with a number of draws"):
            tfkd.CachedTeacher.record(path, model, batches(), form=form, temperature=4.0)
    with pytest.raises(ValueError, match=r"`form` to be float32.*serves any temperature"):
        tfkd.PreviousTeacher(4, K, form="sampled-4")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_it_answers_on_the_gpu(model, tmp_path):
    z, labels, indices = torch.randn(4, K), torch.arange(4), torch.tensor([3, 9, 1, 4])
    for form in ("float32", "top-2"):
        cached = tfkd.CachedTeacher.record(tmp_path / form, model, batches(), form=form)
        expected = ask(cached, indices, 1)
        for teacher in (cached, tfkd.CachedTeacher(tmp_path / form, resident_bytes=0)):
            for place in (indices, indices.cuda()):
                batch = tfkd.Batch(z.cuda(), labels.cuda(), indices=place, view=1)
                assert torch.equal(in_full(teacher(batch), K).cpu(), expected)
            unknown = batch._replace(indices=torch.tensor([3, N, 1, 4], device="cuda"))
            assert in_full(teacher(unknown), K)[1].isnan().all()

"""Tensors with a shape and no values, networks without memory, and what they tell."""

import copy
import pickle
import time

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import models, nn
from tinygrad_cnn.kernels.stand_in import StandIn, stand_in


def test_a_shape_says_what_it_is_and_shows_no_values() -> None:
    x = tg.zeros(2, 3, device="shapes")
    assert repr(x) == f"{x}" == "Tensor(shape=(2, 3), dtype=float32, device='shapes')"
    assert (x.shape, x.numel(), len(x), x.dim()) == ((2, 3), 6, 2, 2)
    assert tg.ones(2, dtype=np.float64).to("shapes").dtype == np.float64
    assert tg.ones(2).to("shapes", dtype=np.int64).dtype == np.int64
    assert tg.ones(2).to(x).device == "shapes"
    assert x.to("shapes") is x
    assert x.argmax(1).shape == (2,)
    assert tg.tensor(x, requires_grad=True).requires_grad


def test_copies_and_pickles_have_no_memory_either() -> None:
    x = tg.zeros(1000, 1000, 1000, device="shapes", requires_grad=True)
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x)), x.detach(), x.clone()):
        assert (twin.shape, twin.device) == (x.shape, "shapes")


def test_numbers_arrays_and_tensors_in_memory_may_meet_a_shape() -> None:
    x = tg.zeros(2, 3, device="shapes")
    for result in (
        x * 2.0,
        1 - x,
        x + np.ones(3, np.float32),
        tg.ones(2, 1) / x,
        x @ tg.ones(3, 3),
    ):
        assert (result.shape, result.dtype, result.device) == ((2, 3), np.float32, "shapes")
    x += 1.0
    assert x.device == "shapes"


def test_gradients_are_shapes() -> None:
    x = tg.zeros(2, 3, device="shapes", requires_grad=True)
    (x.exp() * x).sum().backward()
    assert x.grad is not None
    assert (x.grad.shape, x.grad.device) == ((2, 3), "shapes")
    (gradient,) = tg.grad(tg.checkpoint(F.tanh, x).sum(), x, create_graph=True)
    assert gradient.shape == (2, 3)


@pytest.mark.parametrize(
    ("expression", "shape", "dtype"),
    [
        (lambda x: x * 2, (2, 3, 4), "f4"),
        (lambda x: x * np.float64(2), (2, 3, 4), "f8"),
        (lambda x: x > 0, (2, 3, 4), "?"),
        (lambda x: x.sum(), (), "f4"),
        (lambda x: x.mean(axis=(0, 2), keepdims=True), (1, 3, 1), "f4"),
        (lambda x: np.max(x, axis=-1), (2, 3), "f4"),
        (lambda x: x.var(1), (2, 4), "f4"),
        (lambda x: x.argmin(0), (3, 4), np.intp),
        (lambda x: x[:, 1], (2, 4), "f4"),
        (lambda x: x[0, 0, 0], (), "f4"),
        (lambda x: x[[1, 0, 1]], (3, 3, 4), "f4"),
        (lambda x: x @ x.swapaxes(1, 2), (2, 3, 3), "f4"),
        (lambda x: np.concatenate([x, x], axis=1), (2, 6, 4), "f4"),
        (lambda x: np.stack([x, x], axis=-1), (2, 3, 4, 2), "f4"),
        (lambda x: np.pad(x, ((0, 0), (1, 2), (0, 1))), (2, 6, 5), "f4"),
        (lambda x: np.where(x > 0, x, 0.0), (2, 3, 4), "f4"),
        (lambda x: np.zeros_like(x, dtype="i8"), (2, 3, 4), "i8"),
        (lambda x: np.full_like(x, 7), (2, 3, 4), "f4"),
        (lambda x: np.cumsum(x, axis=1), (2, 3, 4), "f4"),
        (lambda x: np.add.accumulate(x), (2, 3, 4), "f4"),
        (lambda x: np.einsum("abc,ab->c", x, x[..., 0]), (4,), "f4"),
        (lambda x: np.take_along_axis(x, x.argmax(1)[:, None], 1), (2, 1, 4), "f4"),
        (lambda x: np.add.outer(x[0, 0], x[0, 0]), (4, 4), "f4"),
        (lambda x: x.astype("f8").copy(), (2, 3, 4), "f8"),
        (lambda x: x.reshape(6, -1).T.ravel(), (24,), "f4"),
    ],
)  # fmt: skip
def test_numpy_computes_shapes_and_types(expression, shape, dtype) -> None:  # type: ignore[no-untyped-def]
    found, real = expression(stand_in((2, 3, 4), "f4")), expression(np.ones((2, 3, 4), "f4"))
    assert isinstance(found, StandIn)
    assert (found.shape, found.dtype) == (shape, np.dtype(dtype)) == (real.shape, real.dtype)


def test_writing_changes_nothing() -> None:
    x = stand_in((2, 2), "f8")
    x += 5.0
    x[0] = 3.0
    np.add.at(x, [0, 0], 1.0)
    x.fill(9.0)
    np.copyto(x, np.ones((2, 2)))
    assert repr(x) == str(x) == "StandIn((2, 2), float64)"
    assert not x.any()
    assert isinstance(copy.copy(x), StandIn)


def test_layers_without_memory_keep_what_they_are() -> None:
    with nn.without_memory():
        layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    assert all(parameter.device == "shapes" for parameter in layers.parameters())
    assert layers.count_parameters() == 3 * 8 * 9 + 8 + 16 + 2
    assert layers(tg.ones(5, 3, 3, 3)).shape == (5, 2)
    assert nn.Linear(2, 2).weight.device == "cpu"
    assert nn.Linear(4, 2)(tg.zeros(3, 4, device="shapes")).shape == (3, 2)


def test_a_network_of_any_size_is_built_at_once() -> None:
    begin = time.perf_counter()
    with nn.without_memory():
        network = nn.Sequential(*(nn.Linear(10_000, 10_000) for _ in range(1000)))
    assert network.count_parameters() == 1000 * 10_000 * 10_001
    assert network(tg.zeros(1, 10_000, device="shapes")).shape == (1, 10_000)
    assert time.perf_counter() - begin < 5.0


@pytest.mark.parametrize("name", models.names())
def test_every_network_counts_the_same_without_memory(name: str) -> None:
    network = models.build(name, allocate=False)
    images = tg.zeros(1, *models.find(name).input_shape, device="shapes")
    assert network.count_parameters() > 0
    with tg.no_grad():
        assert network.eval()(images).device == "shapes"


def test_lenet_counts_the_same_without_memory() -> None:
    real, shapes = models.build("lenet5"), models.build("lenet5", allocate=False)
    assert shapes.count_parameters() == real.count_parameters() == 61_706
    assert {n: p.shape for n, p in shapes.named_parameters()} == {
        n: p.shape for n, p in real.named_parameters()
    }

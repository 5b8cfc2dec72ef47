"""What batch normalisation keeps from one batch to the next, and how exact its statistics are."""

import copy
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.graph import recomputing

STEPS = 4
with_parity = pytest.mark.parity


def batches(shape: tuple[int, ...], dtype: Any = np.float32) -> list[Any]:
    generator = np.random.default_rng(3)
    return [(3 * generator.normal(size=shape) + 2).astype(dtype) for _ in range(STEPS)]


@with_parity
@pytest.mark.parametrize("momentum", [0.1, 0.0, 1.0, None])
@pytest.mark.parametrize(
    ("name", "shape"),
    [("BatchNorm2d", (4, 3, 5, 2)), ("BatchNorm1d", (7, 3)), ("BatchNorm1d", (2, 3, 4))],
)
def test_running_statistics_are_those_of_pytorch(
    name: str, shape: tuple[int, ...], momentum: float | None
) -> None:
    import torch

    layer = getattr(nn, name)(3, momentum=momentum)
    other = getattr(torch.nn, name)(3, momentum=momentum)
    for x in batches(shape):
        layer(tg.Tensor(x))
        other(torch.tensor(x))
        state, expected = layer.state_dict(), other.state_dict()
        assert list(state) == list(expected)
        for path, value in state.items():
            np.testing.assert_allclose(value, expected[path].numpy(), rtol=2e-5, atol=1e-6)
            assert str(value.dtype) == str(expected[path].numpy().dtype)
    x = batches(shape)[0]
    ours, theirs = layer.eval()(tg.Tensor(x)), other.eval()(torch.tensor(x))
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-5, atol=1e-5)


@with_parity
def test_a_training_step_is_that_of_pytorch() -> None:
    import torch

    layer, other = nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3)
    optimiser = tg.optim.SGD(layer.parameters(), lr=0.1)
    twin = torch.optim.SGD(other.parameters(), lr=0.1)
    for x in batches((4, 3, 5, 2)):
        target = np.cos(x)
        for loss, step in (
            (F.mse_loss(layer(tg.Tensor(x)), tg.Tensor(target)), optimiser),
            (torch.nn.functional.mse_loss(other(torch.tensor(x)), torch.tensor(target)), twin),
        ):
            step.zero_grad()
            loss.backward()
            step.step()
    for path, value in layer.state_dict().items():
        np.testing.assert_allclose(value, other.state_dict()[path].numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 64, 700])
@pytest.mark.parametrize("begins_with_zeros", [False, True])
def test_a_small_deviation_about_a_large_mean_is_found(
    channels: int, begins_with_zeros: bool
) -> None:
    x = np.random.default_rng(0).normal(1e4, 1.0, (8, channels, 16, 16)).astype(np.float32)
    if begins_with_zeros:  # then the variance is large, and just as exact
        x[0, :, 0] = 0.0
    running_mean, running_var = np.zeros(channels), np.zeros(channels)
    y = F.batch_norm(tg.Tensor(x), running_mean, running_var, training=True, momentum=1.0)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(running_var, exact.var((0, 2, 3), ddof=1), rtol=1e-4)
    np.testing.assert_allclose(running_mean, exact.mean((0, 2, 3)), rtol=1e-7)
    centred = exact - exact.mean((0, 2, 3), keepdims=True)
    expected = centred / np.sqrt(exact.var((0, 2, 3), keepdims=True) + 1e-5)
    np.testing.assert_allclose(y.numpy(), expected, atol=2e-3)


def test_a_constant_channel_becomes_the_shift() -> None:
    x = tg.Tensor(np.full((4, 2, 3, 3), 0.1, np.float32), requires_grad=True)
    weight, bias = tg.ones(2), tg.Tensor([0.0, -2.0])
    y = F.batch_norm(x, weight=weight, bias=bias, training=True)
    np.testing.assert_allclose(y.numpy()[:, 1], -2.0, atol=1e-4)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 0.0, atol=1e-4)


def test_evaluation_changes_nothing_of_the_layer() -> None:
    layer = nn.BatchNorm2d(3)
    layer(tg.Tensor(batches((4, 3, 5, 2))[0]))
    before = copy.deepcopy(layer.state_dict())
    layer.eval()(tg.Tensor(batches((4, 3, 5, 2))[1]))
    for path, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[path])


def test_a_second_run_for_the_walk_back_leaves_the_averages_alone() -> None:
    layer, x = nn.BatchNorm2d(3), tg.Tensor(batches((4, 3, 5, 2))[0])
    first = layer(x)
    before = copy.deepcopy(layer.state_dict())
    with recomputing():
        second = layer(x)
    np.testing.assert_array_equal(first.numpy(), second.numpy())
    for path, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[path])


def test_averages_that_change_before_the_walk_back_do_not_change_it() -> None:
    layer, x = nn.BatchNorm1d(2).eval(), tg.Tensor([[1.0, 2.0]], requires_grad=True)
    y = layer(x)
    layer.running_var[...] = 100.0
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 1.0, rtol=1e-4)


def test_running_statistics_may_be_tensors() -> None:
    running, x = (tg.zeros(3), tg.ones(3)), tg.Tensor(batches((4, 3))[0])
    F.batch_norm(x, *running, training=True, momentum=1.0)
    np.testing.assert_allclose(running[0].numpy(), x.numpy().mean(0), rtol=1e-6)
    np.testing.assert_allclose(running[1].numpy(), x.numpy().var(0, ddof=1), rtol=1e-6)
    y = F.batch_norm(x, *running)
    assert y.shape == x.shape


@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_batch_that_is_refused_is_not_counted(momentum: float | None) -> None:
    layer = nn.BatchNorm1d(3, momentum=momentum)
    layer(tg.Tensor(batches((4, 3))[0]))
    before = copy.deepcopy(layer.state_dict())
    with pytest.raises(ShapeError, match="at least two values"):
        layer(tg.ones(1, 3))
    for path, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[path])


def test_both_averages_are_checked_before_one_is_changed() -> None:
    running_mean = np.zeros(3)
    with pytest.raises(ShapeError, match=r"got \(2,\)"):
        F.batch_norm(tg.Tensor(batches((4, 3))[0]), running_mean, np.ones(2), training=True)
    assert not running_mean.any()


def test_statistics_can_be_forgotten() -> None:
    layer, fresh = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    layer(tg.Tensor(batches((4, 3, 5, 2))[0]))
    layer.reset_running_stats()
    for path, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, fresh.state_dict()[path])
    nn.BatchNorm2d(3, track_running_stats=False).reset_running_stats()


def test_a_network_without_memory_counts_and_updates_nothing() -> None:
    with nn.without_memory():
        layer = nn.BatchNorm2d(1_000_000)
    x = tg.zeros(64, 1_000_000, 10, 10, device="shapes")
    assert layer(x).shape == x.shape
    assert layer.count_parameters() == 2_000_000


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda: nn.BatchNorm2d(3)(tg.ones(4, 3)),
            ShapeError,
            r"BatchNorm2d: x is \(N, C, H, W\) with C = 3; got \(4, 3\)",
        ),
        (
            lambda: nn.BatchNorm2d(3)(tg.ones(4, 2, 1, 1)),
            ShapeError,
            r"with C = 3; got \(4, 2, 1, 1\)",
        ),
        (
            lambda: nn.BatchNorm1d(3)(tg.ones(4, 3, 1, 1)),
            ShapeError,
            r"BatchNorm1d: x is \(N, C\) or \(N, C, L\) with C = 3",
        ),
        (
            lambda: nn.BatchNorm1d(0),
            OptionError,
            "BatchNorm1d: num_features is a positive integer; got 0",
        ),
        (
            lambda: nn.LocalResponseNorm(0),
            OptionError,
            "LocalResponseNorm: size is a positive integer; got 0",
        ),
        (
            lambda: nn.SqueezeExcitation(8, 0),
            OptionError,
            "SqueezeExcitation: squeeze_channels is a positive integer; got 0",
        ),
    ],
)
def test_layers_refuse_what_they_cannot_normalise(call: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        call()

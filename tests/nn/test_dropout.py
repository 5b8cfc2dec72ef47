"""What dropout draws."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError


@pytest.mark.parametrize("p", [0.1, 0.5, 0.7, 0.999, 1 / 512])
def test_the_share_that_is_dropped_is_p(p: float) -> None:
    count = 400_000
    y = F.dropout(tg.ones(count), p, generator=np.random.default_rng(1)).numpy()
    dropped = int((y == 0).sum())
    deviation = np.sqrt(count * p * (1 - p))
    assert abs(dropped - count * p) < 4 * deviation
    np.testing.assert_allclose(y[y != 0], 1 / (1 - p), rtol=1e-6)


def test_the_same_seed_drops_the_same_values_in_every_layout() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    convolved = F.conv2d(tg.Tensor(x), tg.Tensor(np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)))
    results = []
    for values in (tg.Tensor(x), convolved):
        tg.manual_seed(5)
        results.append(F.dropout(values, 0.5).numpy().reshape(x.shape) == 0)
    np.testing.assert_array_equal(results[0], results[1])
    assert 0 < results[0].sum() < x.size


def test_calls_drop_different_values() -> None:
    tg.manual_seed(0)
    x = tg.ones(100)
    assert not np.array_equal(F.dropout(x).numpy(), F.dropout(x).numpy())


def test_channels_are_dropped_as_a_whole() -> None:
    tg.manual_seed(0)
    y = F.dropout2d(tg.ones(8, 16, 3, 2)).numpy()
    assert set(np.unique(y)) == {0.0, 2.0}
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :, :1, :1], y.shape))


@pytest.mark.parametrize("function", [F.dropout, F.dropout2d])
def test_in_evaluation_and_without_probability_the_input_comes_back(function: Any) -> None:
    x = tg.ones(2, 3, 2, 2, requires_grad=True)
    before = tg.random.default_generator().bit_generator.state
    assert function(x, 0.5, training=False) is x
    assert function(x, 0.0) is x
    assert tg.random.default_generator().bit_generator.state == before


@pytest.mark.parametrize("function", [F.dropout, F.dropout2d])
def test_with_probability_one_nothing_is_left(function: Any) -> None:
    x = tg.ones(2, 3, 2, 2, requires_grad=True)
    y = function(x, 1.0)
    y.sum().backward()
    assert not y.numpy().any()
    assert not x.grad.numpy().any()


def test_asked_to_work_in_place_a_layer_leaves_its_input_alone() -> None:
    x = tg.ones(100)
    y = nn.Dropout(np.float32(0.5), inplace=True)(x)
    assert (x.numpy() == 1).all()
    assert (y.numpy() == 0).any()


def test_shapes_alone_draw_nothing() -> None:
    before = tg.random.default_generator().bit_generator.state
    y = nn.Dropout(0.5)(tg.zeros(1_000_000, 1_000_000, device="shapes"))
    assert y.shape == (1_000_000, 1_000_000)
    assert tg.random.default_generator().bit_generator.state == before


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: nn.Dropout(2.0), "Dropout: p is a finite number from 0 to 1; got 2.0"),
        (lambda: nn.Dropout2d(-1), "Dropout2d: p is a finite number from 0 to 1; got -1"),
        (lambda: nn.Dropout(True), "Dropout: p is a finite number from 0 to 1; got True"),
    ],
)
def test_layers_refuse_what_is_no_probability(make: Any, match: str) -> None:
    with pytest.raises(OptionError, match=match):
        make()

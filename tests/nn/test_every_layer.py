"""The contract of every layer, over rows of cases; a layer without rows fails."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

TABLE = ((0, 1), (2,), (0, 2))
NOT_LAYERS = {"Module", "Parameter", "init"}
IMAGES, ROWS = (2, 3, 6, 6), (4, 3)


@dataclass(frozen=True)
class Case:
    """One row."""

    make: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]  # of the inputs; () stands for labels 0..2
    function: Callable[..., Any]  # of the layer and the inputs: what the layer computes
    printed: str

    def __str__(self) -> str:
        return self.printed.split("\n")[0]

    def draw(self) -> list[Any]:
        generator = np.random.default_rng(1)
        return [
            tg.Tensor(generator.normal(size=shape), requires_grad=True, dtype=np.float32)
            if shape
            else generator.integers(3, size=ROWS[0])
            for shape in self.shapes
        ]


def dense_convolution(layer: Any, x: tg.Tensor) -> Any:
    """Convolve with the filters of a table at their places and zeros at the others."""
    key = (
        [o for o, row in enumerate(TABLE) for _ in row],
        [c for row in TABLE for c in row],
    )
    dense = np.zeros((3, 3, 2, 2), np.float32)
    dense[key] = layer.weight.numpy()
    return F.conv2d(x, tg.Tensor(dense), layer.bias)


def scaled_sums(layer: Any, x: tg.Tensor) -> Any:
    """Return coefficient · (sum of each 2x2 window) + bias."""
    sums = x.numpy().reshape(2, 3, 3, 2, 3, 2).sum((3, 5))
    return tg.Tensor(layer.weight.numpy() * sums + layer.bias.numpy())


CASES = [
    Case(
        lambda: nn.Linear(3, 2),
        (ROWS,),
        lambda layer, x: F.linear(x, layer.weight, layer.bias),
        "Linear(3, 2)",
    ),
    Case(
        lambda: nn.Linear(3, 2, bias=False),
        (ROWS,),
        lambda layer, x: F.linear(x, layer.weight),
        "Linear(3, 2)",
    ),
    Case(
        lambda: nn.Conv2d(3, 2, (3, 2), 2, 1),
        (IMAGES,),
        lambda layer, x: F.conv2d(x, layer.weight, layer.bias, 2, 1),
        "Conv2d(3, 2, kernel 3x2, stride (2, 2), padding (1, 1))",
    ),
    Case(
        lambda: nn.Conv2d(3, 2, 3, bias=False),
        (IMAGES,),
        lambda layer, x: F.conv2d(x, layer.weight),
        "Conv2d(3, 2, kernel 3x3, stride (1, 1), padding (0, 0))",
    ),
    Case(
        lambda: nn.TableConv2d(TABLE, 3, 2),
        (IMAGES,),
        dense_convolution,
        "TableConv2d(3, 3, kernel 2x2, 5 connections)",
    ),
    Case(
        lambda: nn.MaxPool2d(2),
        (IMAGES,),
        lambda _, x: F.max_pool2d(x, 2),
        "MaxPool2d(2, stride 2)",
    ),
    Case(
        lambda: nn.MaxPool2d(3, 2, 1),
        (IMAGES,),
        lambda _, x: F.max_pool2d(x, 3, 2, 1),
        "MaxPool2d(3, stride 2, padding 1)",
    ),
    Case(
        lambda: nn.AvgPool2d((3, 2), 1),
        (IMAGES,),
        lambda _, x: F.avg_pool2d(x, (3, 2), 1),
        "AvgPool2d((3, 2), stride 1)",
    ),
    Case(lambda: nn.Subsampling2d(3, 2), (IMAGES,), scaled_sums, "Subsampling2d(3, 2)"),
    Case(nn.Flatten, (IMAGES,), lambda _, x: F.flatten(x, 1), "Flatten()"),
    Case(nn.Sigmoid, (ROWS,), lambda _, z: F.sigmoid(z), "Sigmoid()"),
    Case(nn.Tanh, (ROWS,), lambda _, z: F.tanh(z), "Tanh()"),
    Case(nn.ScaledTanh, (ROWS,), lambda _, z: F.scaled_tanh(z), "ScaledTanh()"),
    Case(nn.ReLU, (ROWS,), lambda _, z: F.relu(z), "ReLU()"),
    Case(
        nn.CrossEntropyLoss,
        (ROWS, ()),
        lambda _, x, labels: F.cross_entropy(x, labels),
        "CrossEntropyLoss()",
    ),
    Case(
        lambda: nn.CrossEntropyLoss(reduction="sum"),
        (ROWS, ()),
        lambda _, x, labels: F.cross_entropy(x, labels, "sum"),
        "CrossEntropyLoss(reduction=sum)",
    ),
    Case(nn.MSELoss, (ROWS, ROWS), lambda _, a, y: F.mse_loss(a, y), "MSELoss()"),
    Case(
        lambda: nn.MSELoss(reduction="none"),
        (ROWS, ROWS),
        lambda _, a, y: F.mse_loss(a, y, "none"),
        "MSELoss(reduction=none)",
    ),
    Case(
        lambda: nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.Tanh())),
        (ROWS,),
        lambda layers, x: F.tanh(F.linear(x, layers[0].weight, layers[0].bias)),
        "Sequential(\n  0: Linear(3, 2)\n  1: Sequential(\n    0: Tanh()\n  )\n)",
    ),
]
every_case = pytest.mark.parametrize("case", CASES, ids=str)


def same_bits(one: tg.Tensor, other: tg.Tensor) -> None:
    np.testing.assert_array_equal(one.numpy(), other.numpy(), strict=True)


def test_every_layer_has_a_row() -> None:
    made = {type(case.make()).__name__ for case in CASES}
    assert made == set(nn.__all__) - NOT_LAYERS


@every_case
def test_a_layer_equals_its_function(case: Case) -> None:
    layer, inputs = case.make(), case.draw()
    expected = case.function(layer, *inputs)
    np.testing.assert_allclose(
        layer(*inputs).numpy(), expected.numpy(), rtol=1e-5, atol=1e-6, strict=True
    )


@every_case
def test_a_layer_prints_its_options(case: Case) -> None:
    assert repr(case.make()) == case.printed


@every_case
def test_a_layer_with_the_state_of_another_computes_the_same(case: Case) -> None:
    layer, other = case.make(), case.make()
    other.load_state_dict(layer.state_dict())
    same_bits(layer(*case.draw()), other(*case.draw()))


@every_case
def test_copies_and_pickles_compute_the_same(case: Case) -> None:
    layer, inputs = case.make(), case.draw()
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        same_bits(layer(*inputs), twin(*inputs))
        assert not {id(p) for p in twin.parameters()} & {id(p) for p in layer.parameters()}


@every_case
def test_a_layer_computes_the_same_in_training_and_in_evaluation(case: Case) -> None:
    layer, inputs = case.make(), case.draw()
    assert all(module.training for module in layer.modules())
    trained = layer(*inputs)
    assert layer.eval() is layer
    assert not any(module.training for module in layer.modules())
    same_bits(trained, layer(*inputs))
    assert layer.train().training


@every_case
def test_gradients_reach_every_parameter_and_every_input(case: Case) -> None:
    layer, inputs = case.make(), case.draw()
    result = layer(*inputs)
    (result * result).sum().backward()
    for name, value in [*layer.named_parameters(), *enumerate(inputs)]:
        if isinstance(value, tg.Tensor):
            assert value.grad is not None, name
            assert value.grad.shape == value.shape
            assert np.isfinite(value.grad.numpy()).all(), name
            assert np.abs(value.grad.numpy()).max() > 0, name
    layer.zero_grad()
    assert all(parameter.grad is None for parameter in layer.parameters())

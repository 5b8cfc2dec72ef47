"""The contract of every layer, over rows of cases; a layer without rows fails."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import nn

from .cases import CASES, Case

NOT_LAYERS = {
    "Module", "ModuleList", "Parameter", "Summary", "init", "fuse", "summary", "to_convolution",
    "without_memory",
}  # fmt: skip
every_case = pytest.mark.parametrize("case", CASES, ids=str)


def same_bits(one: tg.Tensor, other: tg.Tensor) -> None:
    np.testing.assert_array_equal(one.numpy(), other.numpy(), strict=True)


def same_state(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert list(one) == list(other)
    for path, value in one.items():
        np.testing.assert_array_equal(value, other[path], path, strict=True)


def same_layer(case: Case, one: nn.Module, other: nn.Module, inputs: list[Any]) -> None:
    """Compare states and outputs in both modes, and that a call of one leaves the other alone."""
    for training in (True, False):
        one.train(training)
        other.train(training)
        before = other.state_dict()
        same_state(one.state_dict(), before)
        output = case.call(one, *inputs)
        same_state(other.state_dict(), before)
        same_bits(output, case.call(other, *inputs))
    same_state(one.state_dict(), other.state_dict())


def test_every_layer_has_a_row() -> None:
    made = {type(case.make()).__name__ for case in CASES}
    assert made == set(nn.__all__) - NOT_LAYERS


@every_case
def test_a_layer_equals_its_function(case: Case) -> None:
    layer, inputs = case.make(), case.draw()
    for training in (True, False):
        layer.train(training)
        # A copy, since what a layer computes may change what it holds.
        expected = case.call(case.function, copy.deepcopy(layer), *inputs)
        np.testing.assert_allclose(
            case.call(layer, *inputs).numpy(), expected.numpy(), rtol=1e-5, atol=1e-6, strict=True
        )


@every_case
def test_a_layer_prints_its_options(case: Case) -> None:
    assert repr(case.make()) == case.printed


@every_case
def test_a_layer_with_the_state_of_another_computes_the_same(case: Case) -> None:
    layer, other, inputs = case.make(), case.make(), case.draw()
    case.call(layer, *inputs)  # may change its state
    other.load_state_dict(layer.state_dict())
    same_layer(case, layer, other, inputs)


@every_case
def test_copies_and_pickles_compute_the_same(case: Case) -> None:
    layer, inputs = case.make(), case.draw()
    case.call(layer, *inputs)  # may change its state
    for duplicate in (copy.deepcopy, lambda whole: pickle.loads(pickle.dumps(whole))):
        twin = duplicate(layer.train())
        same_layer(case, layer, twin, inputs)
        assert not {id(p) for p in twin.parameters()} & {id(p) for p in layer.parameters()}


@every_case
def test_training_and_evaluation_differ_only_where_the_row_says_so(case: Case) -> None:
    layer, inputs = case.make(), case.draw()
    assert all(module.training for module in layer.modules())
    trained = case.call(layer, *inputs)
    assert layer.eval() is layer
    assert not any(module.training for module in layer.modules())
    evaluated = case.call(layer, *inputs)
    if case.modes_differ:
        assert not np.array_equal(trained.numpy(), evaluated.numpy())
    else:
        same_bits(trained, evaluated)
    assert layer.train().training


@every_case
def test_gradients_reach_every_parameter_and_every_input(case: Case) -> None:
    layer, inputs = case.make(), case.draw()
    result = case.call(layer, *inputs)
    # Drawn factors, since the plain sum of squares of normalised values is constant.
    factors = np.random.default_rng(2).normal(size=result.shape)
    (result * result * tg.Tensor(factors, dtype=np.float32)).sum().backward()
    for name, value in [*layer.named_parameters(), *enumerate(inputs)]:
        if isinstance(value, tg.Tensor):
            assert value.grad is not None, name
            assert value.grad.shape == value.shape
            assert np.isfinite(value.grad.numpy()).all(), name
            assert np.abs(value.grad.numpy()).max() > 0, name
    layer.zero_grad()
    assert all(parameter.grad is None for parameter in layer.parameters())

"""Geometry of elements: what a walk back finds is inside it, and fills it where nothing is 0."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.element import ELEMENTS
from tinygrad_cnn.explain.recording import settings_of, structure_behind
from tinygrad_cnn.explain.sight.dependence import dependence, row_of

from .derivation_cases import ROWS as RUNS
from .derivation_cases import Row

# Whose slope is 0 at some places, whatever the weights are: winners and masks.
VANISHING = (
    "cross_entropy",
    "max",
    "min",
    "clamp",
    "dropout",
    "loss",
    "abs",
    "sigmoid",
    "relu",
    "hard",
    "softmax",
)


def leaves(row: Row, positive: bool) -> list[tg.Tensor]:
    generator = np.random.default_rng(4)
    drawn = [generator.uniform(0.1, 1.0, shape) for shape in row.shapes]
    if not positive and not row.positive:
        drawn = [each - 0.5 for each in drawn]
    return [tg.Tensor(each, requires_grad=True) for each in drawn]


def found_and_declared(row: Row, positive: bool) -> Any:
    """Yield, for some numbers of an output, where its gradients are not 0 and where they may be."""
    given = leaves(row, positive)
    result = row.compute(*given)
    steps = structure_behind(result.node)
    elements = {step.order: kept for step in steps for kept in step.outputs}
    generator = np.random.default_rng(5)
    for _ in range(3):
        place = tuple(int(generator.integers(size)) for size in result.shape)
        seed = np.zeros(result.shape)
        seed[place] = 1.0
        masks = {elements[steps[-1].order].key: seed.astype(bool)}
        for step in reversed(steps):
            for number, output in enumerate(step.outputs):
                if output.key not in masks:
                    continue
                settings = settings_of(output._node().creator)  # type: ignore[union-attr]
                for position, kept in enumerate(step.inputs):
                    back = dependence(step, settings, position, number).back(masks[output.key])
                    masks[kept.key] = masks.get(kept.key, False) | back
        gradients = tg.grad(
            result, given, tg.Tensor(seed, dtype=result.dtype), True, allow_unused=True
        )
        for leaf, gradient in zip(given, gradients, strict=True):
            mask = masks.get(id(leaf.node), np.zeros(leaf.shape, bool))
            values = np.zeros(leaf.shape) if gradient is None else gradient.numpy()
            yield values != 0, mask


@pytest.mark.parametrize("name", RUNS)
def test_error_signals_stay_inside(name: str) -> None:
    for found, declared in found_and_declared(RUNS[name], positive=False):
        assert not (found & ~declared).any()


# Of several groups, which filter of a weight leads where is no matter of one axis.
TOO_LARGE = ("transposed convolution in groups",)
FILLED = [
    name
    for name in RUNS
    if name not in TOO_LARGE
    and not any(word in element for element in RUNS[name].elements for word in VANISHING)
]


@pytest.mark.parametrize("name", FILLED)
def test_error_signals_fill_it_where_all_numbers_are_positive(name: str) -> None:
    for found, declared in found_and_declared(RUNS[name], positive=True):
        assert np.array_equal(found, declared)


def test_every_element_that_runs_forward_has_a_row() -> None:
    without = {
        name
        for name, kind in ELEMENTS.items()
        if kind.__module__.startswith("tinygrad_cnn.elements.")
        and row_of(name) is None
        and "_grad" not in name
        and not name.endswith("_gather")
    }
    # What moves numbers back in a recorded walk, and a function that is not looked into.
    assert without == {"checkpoint", "channel_sum", "max_unpool2d"}


@pytest.mark.parametrize("name", RUNS)
def test_both_directions_are_the_same_relation(name: str) -> None:
    generator = np.random.default_rng(6)

    def alone(shape: tuple[int, ...]) -> tuple[Any, Any]:
        place = tuple(int(generator.integers(size)) for size in shape)
        mask = np.zeros(shape, bool)
        mask[place] = True
        return place, mask

    result = RUNS[name].compute(*leaves(RUNS[name], positive=True))
    for step in structure_behind(result.node):
        settings = settings_of(step.outputs[0]._node().creator)  # type: ignore[union-attr]
        for position, kept in enumerate(step.inputs):
            relation = dependence(step, settings, position, 0)
            for _ in range(4):
                (before, given), (after, read) = alone(kept.shape), alone(step.outputs[0].shape)
                back, ahead = relation.back(read), relation.ahead(given)
                assert (back.shape, ahead.shape) == (given.shape, read.shape)
                assert back[before] == ahead[after]
                if back.any():  # from a place that was found, the way ahead leads here again
                    other = np.zeros(back.size, bool)
                    other[back.argmax()] = True
                    assert relation.ahead(other.reshape(back.shape))[after]

from collections.abc import Callable

import numpy as np
import pytest

from tinygrad_cnn.data import Split
from tinygrad_cnn.nn import Module
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.train import Recipe
from tinygrad_cnn.train.forecast import Forecast, forecast


@pytest.mark.parametrize("workers", [0, 2])
def test_a_forecast_leaves_no_trace(
    workers: int, build: Callable[[], Module], split: Split, recipe: Recipe
) -> None:
    recipe = recipe.with_options(workers=workers, augment=(("random-flip", {}),))
    model = build()
    optimiser = recipe.make_optimiser(model.parameters())
    weights, memory = model.state_dict(), optimiser.state_dict()
    drawn = default_generator().bit_generator.state
    found = forecast(model, optimiser, *split, recipe, held_out=4)
    assert found.seconds > 0
    assert default_generator().bit_generator.state == drawn
    for before, after in ((weights, model.state_dict()), (memory, optimiser.state_dict())):
        for name in before:
            np.testing.assert_array_equal(before[name], after[name], strict=True)
    assert model.training


ERRORS = [
    (10.0, 10_000_000, 10.0, 10_000_000, "took 10.0 s, 0 % more than forecast, and 10 MB, 0 % m"),
    (10.0, 10_000_000, 8.0, 12_000_000, "took 8.0 s, 20 % less than forecast, and 12 MB, 20 % m"),
    (10.0, 0, 8.0, 0, "and 0.0 MB, as much"),
    (10.0, 0, 8.0, 1_000_000, "and 1.0 MB, more"),
]


@pytest.mark.parametrize(("seconds", "size", "took", "held", "told"), ERRORS)
def test_what_came_is_told_beside_what_was_forecast(
    seconds: float, size: int, took: float, held: int, told: str
) -> None:
    assert told in Forecast(seconds, size).error(took, held)

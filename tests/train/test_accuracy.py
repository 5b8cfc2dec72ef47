"""What the recipes promise: accuracy on images that had no say in choosing them."""

import numba
import pytest

from tinygrad_cnn import data, models, random
from tinygrad_cnn.train import fit, recipe_for

OPTIONS: list[dict[str, str]] = [
    {},
    {"activation": "relu"},
    {"activation": "tanh"},
    {"pool": "max"},
    {"sigmoid_after": "conv"},
    {"variant": "original"},
]


def percent(data_name: str, seed: int, options: dict[str, str], split: str | None = None) -> float:
    images = data.load(data_name, split=split, download=False)
    numba.set_num_threads(1)  # as the recipe says; the fixture sees only what is imported
    random.manual_seed(seed)
    model = models.build("lenet5", **options)
    recipe = recipe_for("lenet5", data_name)
    state = fit(model, recipe.make_optimiser(model.parameters()), *images, recipe)
    return 100 * state.history[-1].test.accuracy


def test_lenet5_reads_digits() -> None:
    assert percent("digits", 0, {}) >= 97.0


@pytest.mark.full
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_lenet5_reads_digits_with_every_option_and_seed(options: dict[str, str], seed: int) -> None:
    assert percent("digits", seed, options) >= 97.0


@pytest.mark.full
def test_lenet5_reads_digits_of_other_writers() -> None:
    assert percent("digits", 0, {}, "writers") >= 93.0


@pytest.mark.full
@pytest.mark.data
@pytest.mark.parametrize(("data_name", "least"), [("mnist", 98.5), ("fashion_mnist", 87.0)])
def test_lenet5_reads_published_sets(data_name: str, least: float) -> None:
    assert percent(data_name, 0, {}) >= least

from typing import Any

import pytest

from tinygrad_cnn import data, models, optim
from tinygrad_cnn.errors import OptionError, UnknownNameError
from tinygrad_cnn.train import RECIPES, Recipe, recipe_for

GOOD: dict[str, Any] = {
    "optimiser": "adam", "lr": 0.1, "batch_size": 8, "epochs": 2, "schedule": "constant"
}  # fmt: skip

REFUSED = [
    ({"optimiser": "adagrad"}, OptionError, r"one of adam, sgd; got 'adagrad'"),
    ({"lr": 0.0}, OptionError, r"learning rate is a number above 0; got 0.0"),
    ({"lr": -1.0}, OptionError, r"learning rate is a number above 0; got -1.0"),
    ({"lr": float("nan")}, OptionError, r"learning rate is a number above 0; got nan"),
    ({"lr": float("inf")}, OptionError, r"learning rate is a number above 0; got inf"),
    ({"batch_size": 0}, OptionError, r"batch size is a whole number from 1 up; got 0"),
    ({"batch_size": 2.5}, OptionError, r"batch size is a whole number from 1 up; got 2.5"),
    ({"epochs": 0}, OptionError, r"number of epochs is a whole number from 1 up; got 0"),
    ({"epochs": -3}, OptionError, r"number of epochs is a whole number from 1 up; got -3"),
    ({"shift": -1}, OptionError, r"shift is a whole number from 0 up; got -1"),
    ({"optimiser": "sgd", "momentum": 1.0}, OptionError, r"momentum lies in \[0, 1\); got 1.0"),
    ({"optimiser": "sgd", "momentum": -0.1}, OptionError, r"momentum lies in \[0, 1\); got -0.1"),
    ({"momentum": 0.9}, OptionError, r"momentum belongs to sgd, adam has its own"),
    ({"schedule": "steep"}, UnknownNameError, r"schedules: .* got 'steep'"),
]


@pytest.mark.parametrize(("change", "error", "message"), REFUSED)
def test_refusals(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Recipe(**{**GOOD, **change})


def test_every_row_names_a_model_and_a_data_set_that_exist() -> None:
    for model, data_name in RECIPES:
        assert model in models.names()
        assert data_name in data.names()


def test_the_first_model_has_a_recipe_for_the_first_data_sets() -> None:
    known = ("digits", "fashion_mnist", "mnist")
    assert set(RECIPES) >= {("lenet5", data_name) for data_name in known}


def test_no_row_for_an_unknown_pair() -> None:
    with pytest.raises(UnknownNameError, match=r"lenet5 on digits, .* got 'lenet5' on 'cats'"):
        recipe_for("lenet5", "cats")


def test_another_optimiser_brings_its_own_rate_and_momentum() -> None:
    adam = Recipe(**GOOD)
    sgd = adam.with_options(optimiser="sgd")
    assert sgd.momentum == 0.9
    assert sgd.lr != adam.lr
    assert adam.with_options(optimiser="sgd", lr=0.7).lr == 0.7
    assert adam.with_options(optimiser="adam").lr == adam.lr
    back = sgd.with_options(optimiser="adam")
    assert (back.momentum, back.optimiser) == (0.0, "adam")


def test_make_optimiser(build: Any) -> None:
    parameters = list(build().parameters())
    assert isinstance(Recipe(**GOOD).make_optimiser(parameters), optim.Adam)
    sgd = Recipe(**{**GOOD, "optimiser": "sgd", "momentum": 0.5}).make_optimiser(parameters)
    assert isinstance(sgd, optim.SGD)
    assert sgd.momentum == 0.5

import dataclasses
import json
from typing import Any

import pytest

from tinygrad_cnn import data, models, optim
from tinygrad_cnn.cli.recipe_options import RECIPE_OPTIONS
from tinygrad_cnn.errors import OptionError, UnknownNameError
from tinygrad_cnn.train import RECIPES, Recipe, recipe_for
from tinygrad_cnn.train.recipe import OPTIMISERS
from tinygrad_cnn.train.recipes import EXPECTED

GOOD: dict[str, Any] = {
    "optimiser": "adam", "lr": 0.1, "batch_size": 8, "epochs": 2, "schedule": "constant"
}  # fmt: skip

REFUSED = [
    ({"optimiser": "adamm"}, UnknownNameError, r"optimiser: .* got 'adamm'. Did you mean 'adam'"),
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
    ({"momentum": 0.9}, OptionError, r"momentum belongs to sgd and rmsprop, adam has its own"),
    ({"optimiser": "sgd", "optimiser_options": {"nesterov": True}}, OptionError,
     r"nesterov goes with momentum"),
    ({"schedule": "steep"}, UnknownNameError, r"schedules: .* got 'steep'"),
    ({"weight_decay": -0.1}, OptionError, r"Adam: weight_decay lies in \[0, inf\); got -0.1"),
    ({"optimiser_options": {"nesterov": True}}, OptionError,
     r"options of adam are betas, eps, amsgrad; got 'nesterov'"),
    ({"optimiser_options": {"lr": 0.1}}, OptionError, r"options of adam are .*; got 'lr'"),
    ({"optimiser_options": {"betas": [0.9, 1.0]}}, OptionError, r"betas\[1\] lies in .* got 1"),
    ({"augment": (("mirror", {}),)}, UnknownNameError, r"augment: .* got 'mirror'"),
    ({"augment": ("random-flip",)}, OptionError, r"a pair of a name and its options; got 'rand"),
    ({"augment": (("random-flip", {"p": 1}),)}, OptionError, r"are probability; got 'p'"),
    ({"augment": (("random-flip", {"probability": 2}),)}, OptionError, r"lies in .*; got 2"),
    ({"augment": (("cutout", {}),)}, OptionError, r"augment: cutout takes its options; got {}"),
    ({"accumulate": 0}, OptionError, r"parts of a batch is a whole number from 1 up; got 0"),
    ({"accumulate": 9}, OptionError, r"no more parts than images; got 9 parts of 8 images"),
    ({"clip": 0.0}, OptionError, r"clipped to is a number above 0; got 0.0"),
    ({"average": 1.0}, OptionError, r"decay of the average lies in \[0, 1\); got 1.0"),
    ({"patience": 0}, OptionError, r"patience is a whole number from 1 up; got 0"),
    ({"held_out": 1.0}, OptionError, r"held-out share lies in \[0, 1\); got 1.0"),
    ({"patience": 1, "held_out": 0.0}, OptionError, r"waits for images that are held out; got"),
    ({"workers": -1}, OptionError, r"workers is a whole number from 0 up; got -1"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "error", "message"), REFUSED)
def test_refusals(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Recipe(**{**GOOD, **change})


def test_every_row_names_a_model_and_a_data_set_that_exist() -> None:
    for model, data_name in [*RECIPES, *EXPECTED]:
        assert model in models.names()
        assert data_name in data.names()


def test_only_what_has_a_recipe_is_expected_of() -> None:
    assert EXPECTED.keys() <= RECIPES.keys()
    assert all(row.command for row in EXPECTED.values())


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=map("-".join, RECIPES))
def test_a_recipe_survives_being_written_down(recipe: Recipe) -> None:
    assert Recipe(**json.loads(json.dumps(dataclasses.asdict(recipe)))) == recipe


def test_images_of_ones_own_have_a_recipe_for_every_network() -> None:
    assert recipe_for("vgg16", "folder") == recipe_for("lenet5", "folder")


def test_the_first_model_has_a_recipe_for_the_first_data_sets() -> None:
    known = ("digits", "fashion_mnist", "mnist")
    assert set(RECIPES) >= {("lenet5", data_name) for data_name in known}


def test_small_images_have_a_recipe_for_every_network_that_takes_them() -> None:
    assert recipe_for("resnet20", "kmnist") == recipe_for("lenet5", "emnist")
    with pytest.raises(UnknownNameError, match=r"got 'vgg16' on 'mnist'"):
        recipe_for("vgg16", "mnist")


def test_no_row_for_an_unknown_pair() -> None:
    with pytest.raises(UnknownNameError, match=r"lenet5 on digits, .* got 'lenet5' on 'cats'"):
        recipe_for("lenet5", "cats")
    remedy = r"got 'lab11_cnn2' on 'cats'\. Say --data fashion_mnist or --data mnist$"
    with pytest.raises(UnknownNameError, match=remedy):
        recipe_for("lab11_cnn2", "cats")


def test_another_optimiser_brings_its_own_rate_and_momentum() -> None:
    adam = Recipe(**GOOD)
    sgd = adam.with_options(optimiser="sgd")
    assert sgd.momentum == 0.9
    assert sgd.lr != adam.lr
    assert adam.with_options(optimiser="sgd", lr=0.7).lr == 0.7
    assert adam.with_options(optimiser="adam").lr == adam.lr
    back = sgd.with_options(optimiser="adam")
    assert (back.momentum, back.optimiser) == (0.0, "adam")


def test_none_switches_off_what_can_be_and_leaves_the_rest() -> None:
    full = Recipe(**GOOD, clip=5.0, average=0.9, patience=3)
    off = full.with_options(clip=None, average=None, patience=None, lr=None, epochs=None)
    assert off == Recipe(**GOOD)


def test_every_field_is_an_option_of_the_command() -> None:
    apart = {"threads"}  # of the run: results do not depend on it
    assert {each.name for each in dataclasses.fields(Recipe)} == {*RECIPE_OPTIONS, *apart}


def test_make_optimiser(build: Any) -> None:
    parameters = list(build().parameters())
    assert isinstance(Recipe(**GOOD).make_optimiser(parameters), optim.Adam)
    sgd = Recipe(**{**GOOD, "optimiser": "sgd", "momentum": 0.5}).make_optimiser(parameters)
    assert isinstance(sgd, optim.SGD)
    assert sgd.momentum == 0.5


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_has_its_usual_rate_and_takes_a_weight_decay(name: str, build: Any) -> None:
    recipe = Recipe(**GOOD).with_options(optimiser=name, weight_decay=0.5)
    made = recipe.make_optimiser(build().parameters())
    assert type(made) is OPTIMISERS[name]
    (group,) = made.param_groups
    assert (group["lr"], group["weight_decay"]) == (recipe.lr, 0.5)


def test_options_of_an_optimiser_stay_with_it(build: Any) -> None:
    sgd = Recipe(**GOOD).with_options(optimiser="sgd", optimiser_options={"nesterov": True})
    assert sgd.make_optimiser(build().parameters()).param_groups[0]["nesterov"]
    adam = sgd.with_options(optimiser="adam")
    assert adam.optimiser_options == {}
    eps = Recipe(**{**GOOD, "optimiser_options": {"betas": [0.5, 0.9]}})
    assert eps.make_optimiser(build().parameters()).param_groups[0]["betas"] == (0.5, 0.9)


def test_patience_holds_a_tenth_out() -> None:
    assert Recipe(**GOOD).share_held_out == 0.0
    assert Recipe(**GOOD, patience=2).share_held_out == 0.1
    assert Recipe(**GOOD, patience=2, held_out=0.25).share_held_out == 0.25

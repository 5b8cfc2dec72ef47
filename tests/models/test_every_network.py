"""The contract of every network, over the registry: a new name is found by itself.

Twins are trained on one batch of images that a glance tells apart: a pattern for each class,
and noise.
"""

import inspect
import math
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models, nn
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.models.all_cnn import all_cnn
from tinygrad_cnn.models.nin import nin
from tinygrad_cnn.optim import Adam

BATCH, CLASSES, STEPS = 8, 4, 25
every_network = pytest.mark.parametrize("name", models.names())


def batch(shape: tuple[int, int, int]) -> tuple[tg.Tensor, Any]:
    """Draw images of the classes, coarse enough to survive the pooling of any network."""
    generator = np.random.default_rng(3)
    channels, height, width = shape
    coarse = generator.normal(size=(CLASSES, channels, 4, 4))
    rows, columns = (np.arange(size) * 4 // size for size in (height, width))
    patterns = coarse[:, :, rows][..., columns]
    labels = np.arange(BATCH) % CLASSES
    images = patterns[labels] + 0.1 * generator.normal(size=(BATCH, *shape))
    return tg.Tensor(images.astype(np.float32)), labels


def twin(name: str, seed: int = 0) -> tuple[models.Network, nn.Module]:
    tg.manual_seed(seed)
    return models.find(name), models.build_twin(name, CLASSES)


def scores(output: Any) -> tg.Tensor:
    """Return the scores; a network with auxiliary heads returns them first while training."""
    return output[0] if isinstance(output, tuple) else output


def dropouts(model: nn.Module) -> list[Any]:
    return [m for m in model.modules() if isinstance(m, nn.Dropout | nn.Dropout2d) and m.p > 0.0]


def has_modes(model: nn.Module) -> bool:
    normed = any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in model.modules())
    return normed or bool(dropouts(model))


@every_network
def test_a_row_says_what_is_needed(name: str) -> None:
    network = models.find(name)
    assert network.name == name
    assert network.paper
    assert network.num_classes > 0
    known = inspect.signature(network.builder).parameters
    assert {"num_classes", *network.options, *network.twin} <= set(known)
    for shape in (network.input_shape, network.twin_input):
        assert len(shape) == 3
    assert network.twin_input[0] == network.input_shape[0]


@every_network
def test_a_twin_trains(name: str) -> None:
    train_and_see(name, seed=0)


# Where rectifiers are few, or cut the scores, all of a layer may happen to be dead at birth.
NARROW = ("googlenet", "se_googlenet", "se_vgg16")
RECTIFIED_SCORES = [name for name in models.names() if models.find(name).builder in (all_cnn, nin)]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("name", [*NARROW, *RECTIFIED_SCORES])
def test_a_twin_that_rectifiers_could_kill_trains_from_any_seed(name: str, seed: int) -> None:
    train_and_see(name, seed)


@pytest.mark.full
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("name", sorted({*models.names()} - {*NARROW, *RECTIFIED_SCORES}))
def test_every_other_twin_trains_from_any_seed(name: str, seed: int) -> None:
    train_and_see(name, seed)


@pytest.mark.parametrize("name", RECTIFIED_SCORES)
def test_rectified_scores_start_above_zero_and_alike(name: str) -> None:
    """With He's weights the cross entropy starts at several times ln 10 = 2.3."""
    images = tg.Tensor(np.random.default_rng(0).standard_normal((2, 3, 32, 32), np.float32))
    for seed in range(2):
        tg.manual_seed(seed)
        with tg.no_grad():
            opinions = models.build(name).eval()(images).numpy()
        assert opinions.min() > 0
        assert opinions.std() < 0.3


def train_and_see(name: str, seed: int) -> None:
    """See the loss fall, and gradients that reach every parameter."""
    network, model = twin(name, seed)
    for layer in dropouts(model):  # so that the loss of a step can be held against another's
        layer.p = 0.0
    x, labels = batch(network.twin_input)
    optimiser = Adam(model.parameters(), lr=0.002)
    losses = []
    for step in range(STEPS):
        loss = network.loss(model(x), labels)
        loss.backward()
        losses.append(loss.item())
        if step == 0:
            for path, parameter in model.named_parameters():
                assert parameter.grad is not None, path
                assert np.isfinite(parameter.grad.numpy()).all(), path
                assert np.abs(parameter.grad.numpy()).max() > 0, path
        optimiser.step()
        model.zero_grad()
    assert np.isfinite(losses).all()
    assert min(losses[-3:]) < 0.95 * losses[0], losses


@every_network
def test_modes_differ_exactly_where_there_is_dropout_or_batch_norm(name: str) -> None:
    network, model = twin(name)
    x, _ = batch(network.twin_input)
    with tg.no_grad():
        tg.manual_seed(1)
        trained = scores(model(x)).numpy()
        evaluated = scores(model.eval()(x)).numpy()
        again = scores(model(x)).numpy()
    assert trained.shape == evaluated.shape == (BATCH, CLASSES)
    assert np.array_equal(evaluated, again)
    assert np.array_equal(trained, evaluated) != has_modes(model)


@every_network
def test_a_twin_is_tiny(name: str) -> None:
    _, model = twin(name)
    assert model.count_parameters() < 300_000


@every_network
def test_a_state_dict_loads_into_a_second_twin(name: str) -> None:
    network, model = twin(name)
    x, _ = batch(network.twin_input)
    tg.manual_seed(5)
    second = models.build_twin(name, CLASSES)
    second.load_state_dict(model.state_dict())
    with tg.no_grad():
        one, two = (scores(m.eval()(x)).numpy() for m in (model, second))
    assert np.array_equal(one, two)


# What else multiplies and adds up: in the form of 1998, C3 with its filters of table I among
# zeros (96 of 5x5 for 10x10 places, where 60 would do) and the comparison with ten codes.
OTHERS = {"lenet5_original": 96 * 25 * 100 + 10 * 84}


@every_network
def test_multiply_adds_are_weights_times_the_places_they_are_used_at(name: str) -> None:
    """Counted from parameters and maps alone, without what the elements declare."""
    network = models.find(name)
    model = network.build(allocate=False)
    layers = dict(model.named_modules())
    parameters = dict(model.named_parameters())
    found, expected = tg.summary(model, network.input_shape), 0
    for row in found.rows:
        if isinstance(layers[row.path], nn.Conv2d | nn.Linear):
            places = math.prod(row.output_shape[2:])
            expected += parameters[f"{row.path}.weight"].numel() * places
            assert row.multiply_adds == row.grad_input == row.grad_weight, row.path
    assert found.multiply_adds == expected + OTHERS.get(name, 0)


@every_network
@pytest.mark.parametrize("given", [0, -1, 1.5, True, "10"])
def test_a_number_of_classes_that_is_none_is_refused(name: str, given: Any) -> None:
    refused = pytest.raises(
        OptionError, match=rf"^{name}: num_classes is a positive integer; got {given!r}$"
    )
    with refused:
        models.build(name, given, allocate=False)
    with refused:
        models.build_twin(name, given)


def test_a_number_of_classes_may_be_counted_by_numpy() -> None:
    model = models.build("lenet5", np.array([0, 6]).max() + 1, allocate=False)
    assert model.output.weight.shape == (7, 84)


@pytest.mark.parametrize("name", ["googlenet", "se_googlenet"])
def test_deep_networks_without_batch_norm_start_without_an_opinion(name: str) -> None:
    """With wrong initial weights the cross entropy starts at a multiple of ln 1000 = 6.9."""
    tg.manual_seed(0)
    model = models.build(name).eval()
    images = np.random.default_rng(0).standard_normal((2, 3, 224, 224), np.float32)
    with tg.no_grad():
        opinions = model(tg.Tensor(images)).numpy()
    assert 0.01 < opinions.std() < 1


def test_names_are_unique() -> None:
    from tinygrad_cnn.models.registry import register

    with pytest.raises(OptionError, match="names are unique; got a second 'lenet5'"):
        register(models.find("lenet5"))

"""A network whose head became convolutions slides over larger images."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import models, nn
from tinygrad_cnn.errors import DTypeError, ShapeError


def drawn(*shape: int) -> tg.Tensor:
    return tg.Tensor(np.random.default_rng(3).normal(size=shape), dtype=np.float32)


def windows(image: tg.Tensor, side: int, step: int) -> tg.Tensor:
    """Cut all windows out of one image, as a batch."""
    _, _, height, width = image.shape
    cut = [
        image.numpy()[0, :, i : i + side, j : j + side]
        for i in range(0, height - side + 1, step)
        for j in range(0, width - side + 1, step)
    ]
    return tg.Tensor(np.stack(cut))


def assert_slides(scores: tg.Tensor, one_by_one: tg.Tensor) -> None:
    _, classes, rows, columns = scores.shape
    assert one_by_one.shape == (rows * columns, classes)
    by_window = scores.numpy().transpose(0, 2, 3, 1).reshape(-1, classes)
    np.testing.assert_allclose(by_window, one_by_one.numpy(), rtol=1e-4, atol=1e-5)


def test_lenet5_slides_over_a_larger_image() -> None:
    network = models.build("lenet5")
    c5 = nn.to_convolution(network.C5, 5)
    f6, output = nn.to_convolution(network.F6, 1), nn.to_convolution(network.output, 1)
    assert c5.weight.shape == (120, 16, 5, 5)
    image = drawn(1, 1, 40, 44)
    maps = network.S4(F.sigmoid(network.C3(network.S2(F.sigmoid(network.C1(image))))))
    scores = output(F.sigmoid(f6(F.sigmoid(c5(maps)))))
    assert scores.shape == (1, 10, 3, 4)
    assert_slides(scores, network(windows(image, 32, 4)))  # S2 and S4 step by two each


def test_lenet5_of_1998_slides_over_a_larger_image() -> None:
    network, squash = models.build("lenet5_original", output="linear"), F.scaled_tanh
    head = nn.Sequential(network.C5, nn.ScaledTanh(), network.F6, nn.ScaledTanh(), network.output)
    image = drawn(1, 1, 36, 32)
    maps = squash(network.S2(squash(network.C1(image))))
    maps = squash(network.S4(squash(network.C3(maps))))
    scores = nn.to_convolution(head, 5)(maps)
    assert_slides(scores, network(windows(image, 32, 4)))


def test_a_whole_sequential_slides() -> None:
    features = (nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    hidden = nn.Sequential(nn.Linear(3 * 3 * 2, 7), nn.ReLU())
    network = nn.Sequential(*features, hidden, nn.Linear(7, 4, bias=False))
    slides = nn.to_convolution(network, (3, 2))
    scores = slides(drawn(1, 2, 12, 10))
    assert scores.shape == (1, 4, 3, 3)
    for i, j in np.ndindex(3, 3):
        window = drawn(1, 2, 12, 10)[:, :, 2 * i : 2 * i + 8, 2 * j : 2 * j + 6]
        np.testing.assert_allclose(
            scores[:, :, i, j].numpy(), network(window).numpy(), rtol=1e-4, atol=1e-5
        )


def test_parameters_are_copied_with_whether_they_are_trained() -> None:
    linear = nn.Linear(8, 2)
    linear.bias.requires_grad = False
    layer = nn.to_convolution(linear, 2)
    assert layer.weight.requires_grad
    assert not layer.bias.requires_grad
    np.testing.assert_array_equal(layer.weight.numpy().reshape(2, 8), linear.weight.numpy())
    before = linear.weight.numpy().copy()
    with tg.no_grad():
        layer.weight[...] = 0.0
    np.testing.assert_array_equal(linear.weight.numpy(), before)


@pytest.mark.parametrize(
    ("part", "error", "match"),
    [
        (lambda: nn.Linear(10, 2), ShapeError, "got 10 features for maps of 3x3"),
        (lambda: nn.ReLU(), DTypeError, "it turns a Linear or a Sequential; got ReLU"),
        (
            lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(9), nn.Linear(9, 1)),
            DTypeError,
            "layers with parameters are Linear; got BatchNorm1d",
        ),
    ],
)
def test_what_has_no_equal_among_convolutions_is_refused(
    part: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=f"to_convolution: .*{match}"):
        nn.to_convolution(part(), 3)

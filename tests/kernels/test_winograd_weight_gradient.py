import numpy as np
import pytest

from tinygrad_cnn import kernels
from tinygrad_cnn.kernels.cpu.instructions.vectors import lanes
from tinygrad_cnn.kernels.geometry import Convolution, Window

from .oracles import ORACLES

SAME = Window(3, 3, ph=1, pw=1)


def chosen(*shape: int, window: Window = SAME, dtype: type = np.float32) -> str:
    geometry = Convolution(*shape, window)
    return kernels.lookup("conv2d_grad_weight", dtype=dtype, geometry=geometry).variant


@pytest.mark.parametrize(
    "shape",
    [(128, 32, 32, 16, 16), (128, 8, 8, 64, 64), (64, 4, 4, 512, 512), (100, 14, 14, 32, 64)],
)
def test_layers_of_real_networks_take_it(shape):
    assert chosen(*shape) == "winograd"


@pytest.mark.parametrize(
    ("shape", "changes"),
    [
        ((64, 2, 2, 512, 512), {}),  # more padding than pixels
        ((64, 5, 5, 32, 32), {}),  # a quarter of its tiles' pixels
        ((1, 7, 7, 64, 64), {}),  # as much work to map filters back as to add up
        ((128, 32, 32, lanes(np.float32) // 2, 64), {}),
        ((128, 32, 32, 64, lanes(np.float32) // 2), {}),
        ((128, 32, 32, 64, 64), {"sh": 2, "sw": 2}),
        ((128, 32, 32, 64, 64), {"dh": 2, "dw": 2}),
        ((128, 32, 32, 64, 64), {"groups": 2}),
        ((128, 32, 32, 64, 64), {"kh": 1}),
        ((0, 32, 32, 64, 64), {}),
    ],
)
def test_what_it_cannot_do_or_not_faster_is_left_to_others(shape, changes):
    assert chosen(*shape, window=SAME._replace(**changes)) == "direct"


def test_float64_is_left_to_others():
    assert chosen(128, 32, 32, 16, 16, dtype=np.float64) == "direct"


@pytest.mark.parametrize("shape", [(32, 32, 32, 16, 16), (32, 8, 8, 96, 64)])
def test_rounding_of_activations_behind_relu_stays_small(shape):
    images, height, width, channels, filters = shape
    rng = np.random.default_rng(7)
    x = np.maximum(rng.normal(size=(images, height, width, channels)), 0).astype(np.float32)
    grad = rng.normal(size=(images, height, width, filters)).astype(np.float32)
    out = np.empty((filters, channels, 3, 3), np.float32)
    with kernels.use(conv2d_grad_weight="winograd"):
        geometry = Convolution(*shape, SAME)
        kernels.lookup("conv2d_grad_weight", geometry=geometry)(grad, x, SAME, out)
    wanted = ORACLES["conv2d_grad_weight"](grad.astype(float), x.astype(float), SAME, out)
    assert np.abs(out - wanted).max() < 1e-5 * np.abs(wanted).max()

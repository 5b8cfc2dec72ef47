from fractions import Fraction

import numpy as np
import pytest

from tinygrad_cnn import kernels
from tinygrad_cnn.errors import MissingKernelError
from tinygrad_cnn.kernels.cpu.winograd_steps.matrices import POINTS_OF_2, POINTS_OF_4, matrices
from tinygrad_cnn.kernels.geometry import Convolution, Window

from .oracles import expected

PADDED = Window(3, 3, ph=1, pw=1)


def chosen(operation: str, layer: Convolution, dtype: type = np.float32) -> str:
    return kernels.lookup(operation, "cpu", dtype, layer).variant


@pytest.mark.parametrize(
    ("outputs", "taps", "points"), [(2, 3, POINTS_OF_2), (4, 3, POINTS_OF_4), (3, 4, POINTS_OF_4)]
)
def test_the_matrices_slide_a_filter_exactly(outputs, taps, points):
    result, filters, pieces = (np.array(m, object) for m in matrices(outputs, taps, points))
    rng = np.random.default_rng(1)
    d = np.array([Fraction(int(k), 7) for k in rng.integers(-9, 9, outputs + taps - 1)])
    g = np.array([Fraction(int(k), 5) for k in rng.integers(-9, 9, taps)])
    want = [sum(d[i + u] * g[u] for u in range(taps)) for i in range(outputs)]
    assert list(result @ ((filters @ g) * (pieces @ d))) == want


@pytest.mark.parametrize(
    "layer",
    [
        Convolution(128, 32, 32, 16, 16, PADDED),
        Convolution(128, 8, 8, 64, 64, PADDED),
        Convolution(100, 14, 14, 32, 64, Window(3, 3)),
        Convolution(1, 56, 56, 64, 64, PADDED),
        Convolution(64, 4, 4, 512, 512, PADDED),
    ],
)
@pytest.mark.parametrize(
    "operation", ["conv2d_forward", "conv2d_relu_forward", "conv2d_grad_input"]
)
def test_large_layers_of_3x3_filters_run_by_winograd(operation, layer):
    assert chosen(operation, layer) == "winograd"


@pytest.mark.parametrize(
    ("layer", "dtype", "message"),
    [
        (Convolution(64, 32, 32, 64, 64, PADDED), np.float64, "it serves float32"),
        (Convolution(64, 32, 32, 64, 64, Window(5, 5)), np.float32, "3x3 filters with stride"),
        (Convolution(64, 32, 32, 64, 64, Window(3, 3, 2, 2)), np.float32, "3x3 filters"),
        (Convolution(64, 32, 32, 64, 64, Window(3, 3, dh=2)), np.float32, "3x3 filters"),
        (Convolution(64, 32, 32, 64, 64, Window(3, 3, groups=2)), np.float32, "3x3 filters"),
        (Convolution(64, 32, 32, 3, 64, PADDED), np.float32, "channels and filters or more"),
        (Convolution(1, 7, 7, 512, 512, PADDED), np.float32, "would cost more than they save"),
        (Convolution(64, 2, 2, 512, 512, PADDED), np.float32, "would cost more than they save"),
        (PADDED, np.float32, "the whole layer"),
    ],
)
def test_other_layers_run_directly_and_asking_for_winograd_says_why(layer, dtype, message):
    assert chosen("conv2d_grad_input", layer, dtype) == "direct"
    with (
        kernels.use(conv2d_grad_input="winograd"),
        pytest.raises(MissingKernelError, match=message),
    ):
        chosen("conv2d_grad_input", layer, dtype)


def test_many_channels_stay_within_a_hundred_thousandth_of_the_largest_value():
    rng = np.random.default_rng(2)
    x = np.maximum(rng.standard_normal((4, 8, 8, 512), np.float32), 0)
    weight = rng.standard_normal((64, 512, 3, 3), np.float32) / 48
    arguments = (x, weight, np.zeros(64, np.float32), PADDED)
    out = np.empty((4, 8, 8, 64), np.float32)
    winograd = {k.variant: k for k in kernels.variants("conv2d_forward")}["winograd"]
    winograd(*arguments, out)
    (want,) = expected("conv2d_forward", arguments, (out,))
    assert np.abs(out - want).max() < 1e-5 * np.abs(want).max()

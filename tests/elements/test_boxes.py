"""Parts of arrays so large that kernels move them, against NumPy's way to index."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F

ALL = slice(None)
KEYS = (
    ((6, 8, 30, 31), (ALL, ALL, slice(None, None, 2), slice(1, None, 2))),
    ((6, 8, 30, 31), (ALL, slice(2, 7), slice(3, -2))),
    ((6, 8, 30, 31), (ALL, slice(None, None, 2))),
    ((6, 8, 30, 31), slice(1, 5)),
    ((6, 8, 30, 31), (slice(-4, None), ALL, ALL, slice(None, None, -1))),
    ((6, 8, 30, 31), (ALL, ALL, ALL, slice(9, 9))),
    ((20, 31, 41), (slice(None, None, 3), slice(0, 30), slice(1, 40))),
    ((300, 50), (slice(100), slice(4, None))),
    ((30_000,), slice(7, None)),
    ((5, 3, 4, 30, 31), (ALL, ALL, slice(1, 3))),
)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize(("shape", "key"), KEYS, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.bool_])
def test_what_a_key_of_slices_picks_and_where_its_error_signal_goes(shape, key, dtype, last):
    values = np.random.default_rng(3).integers(-9, 9, shape).astype(dtype)
    if last and len(shape) == 4:  # channels-last in memory
        values = np.ascontiguousarray(values.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    x = tg.Tensor(values, requires_grad=values.dtype.kind == "f")
    y = x[key]
    np.testing.assert_array_equal(y.numpy(), values[key])
    assert not np.may_share_memory(y.numpy(), values)
    signal = values[key] * values.dtype.type(3)
    expected = np.zeros(shape, signal.dtype)
    expected[key] = signal
    np.testing.assert_array_equal(F.place(tg.Tensor(signal), key, shape).numpy(), expected)
    if x.requires_grad:
        y.backward(tg.Tensor(signal))
        np.testing.assert_array_equal(x.grad.numpy(), expected)


@pytest.mark.parametrize(
    ("shape", "widths"),
    [((5, 4, 20, 31), (1, 2, 3, 0)), ((5, 4, 20, 31), (0, 0, 0, 0, 2, 2)), ((9, 2000), (3, 4))],
)
def test_a_border_of_zeros_around_a_large_array(shape, widths):
    values = np.random.default_rng(4).standard_normal(shape)
    x = tg.Tensor(values, requires_grad=True)
    y = F.pad(x, widths)
    pairs = list(zip(widths[::2], widths[1::2], strict=True))[::-1]
    pairs = [(0, 0)] * (len(shape) - len(pairs)) + pairs
    np.testing.assert_array_equal(y.numpy(), np.pad(values, pairs))
    y.backward(y)
    np.testing.assert_array_equal(x.grad.numpy(), values)

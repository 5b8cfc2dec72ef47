"""What elementwise kernels and updates do with operands that are not plain arrays of one shape."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import kernels
from tinygrad_cnn.errors import DeviceError, DTypeError
from tinygrad_cnn.kernels.cpu.loops import array_object, values


def subtract(x, y, out) -> np.ndarray:
    kernels.lookup("subtract", "cpu", out.dtype).function(x, y, out)
    return out


def add(x, y, out) -> np.ndarray:
    kernels.lookup("add", "cpu", out.dtype).function(x, y, out)
    return out


@pytest.fixture
def numbers() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((40, 50)).astype(np.float32)


def test_the_result_may_be_an_operand(numbers) -> None:
    column = numbers[:, :1].copy()
    want = numbers - column
    x = numbers.copy()
    np.testing.assert_array_equal(subtract(x, column, x), want)
    y = numbers.copy()
    np.testing.assert_array_equal(subtract(column, y, y), -want)
    z = numbers.copy()
    np.testing.assert_array_equal(subtract(z, z, z), np.zeros_like(z))


@pytest.mark.parametrize("shape", [(3, 7, 5, 6), (300, 1001), (2, 1024)])
def test_a_long_result_may_be_an_operand_or_all_of_them(shape) -> None:
    x, y = np.random.default_rng(4).standard_normal((2, *shape)).astype(np.float32)
    np.testing.assert_array_equal(add(z := x.copy(), y, z), x + y)
    np.testing.assert_array_equal(add(y, z := x.copy(), z), x + y)
    np.testing.assert_array_equal(add(z := x.copy(), z, z), x + x)
    np.testing.assert_array_equal(add(z := x.copy(), z[:1], z), x + x[:1])
    squash = kernels.lookup("sigmoid").function
    squash(x, want := np.empty_like(x))
    squash(z := x.copy(), z)
    np.testing.assert_array_equal(z, want)


def test_operands_that_lie_across_the_result_are_read_before_they_are_written(numbers) -> None:
    flat = numbers.reshape(-1).copy()
    want = flat[:-1] - 1
    subtract(flat[:-1], np.ones(1, np.float32), flat[1:])
    np.testing.assert_array_equal(flat[1:], want)


@pytest.mark.parametrize(
    "lay",
    [
        lambda x: x[::2],
        lambda x: x[:, ::-1],
        np.asfortranarray,
        lambda x: x.astype(">f4"),
        lambda x: np.frombuffer(b"0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape),
        lambda x: np.ma.masked_array(x),
        lambda x: x.astype(np.float16),
    ],
    ids=["rows", "backwards", "Fortran", "swapped", "unaligned", "subclass", "half"],
)
def test_arrays_of_every_make_are_served(lay, numbers) -> None:
    x = lay(numbers)
    y = np.ones(x.shape, np.float32)
    want = np.asarray(x, np.float32) - 1
    np.testing.assert_array_equal(subtract(x, y, np.empty(x.shape, np.float32)), want)
    out = np.empty((*x.shape, 2), np.float32)[..., 0]
    np.testing.assert_array_equal(subtract(x, y, out), want)


def test_numbers_that_are_no_arrays_are_served() -> None:
    out = np.empty(3, np.float32)
    assert subtract(np.float32(3), np.float32(1), out).tolist() == [2.0] * 3


def test_more_axes_than_the_table_has_are_served() -> None:
    x, y = np.ones((2,) * 10, np.float32), np.ones((2, 1) * 5, np.float32)
    assert not subtract(x, y, np.empty_like(x)).any()


def test_arrays_that_lie_otherwise_in_memory_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(array_object, "_DATA", array_object._DATA + 8)
    with pytest.raises(DeviceError, match=r"array_object: .* got another layout in NumPy"):
        array_object.require_known_fields(np.zeros((3, 5), np.float32))


def test_updates_of_arrays_that_do_not_fit_are_refused_and_nothing_changes() -> None:
    update = kernels.lookup("sgd_update").function
    rates, good = (0.1, 0.9, 0.0, 0.0, False), np.ones(4, np.float32)
    parameter = np.ones(4, np.float32)
    for bad in (np.ones(3, np.float32), np.ones(4), np.ones(8, np.float32)[::2], np.float32(1)):
        with pytest.raises(DTypeError, match=r"sgd_update: .* of one size; got float32 \(4,\)"):
            update(*rates, good, bad, parameter, parameter, parameter, parameter)
        assert parameter.tolist() == [1.0] * 4
    update(*rates)  # of nothing


@pytest.mark.parametrize(
    "function",
    [
        F.relu,
        lambda z: F.relu(z, at_zero=0.5),
        F.leaky_relu,
        F.elu,
        F.softplus,
        F.hardsigmoid,
        F.sigmoid,
        F.tanh,
        F.scaled_tanh,
        F.abs,
        lambda z: F.binary_cross_entropy_with_logits(z, tg.zeros(4, 6)),
        lambda z: F.mse_loss(z, tg.zeros(4, 6)),
    ],
)
def test_what_elements_hand_over_runs_in_the_compiled_loops(function, monkeypatch):
    declined, run = [], values.run

    def watched(*facts):
        status = run(*facts)
        declined.append(status == values.DECLINED)
        return status

    monkeypatch.setattr(values, "run", watched)
    function(tg.Tensor(np.ones((4, 6), np.float32), requires_grad=True)).sum().backward()
    assert declined
    assert not any(declined)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("operation", ["sigmoid", "softplus_slope"])
def test_small_values_of_the_logistic_function_keep_their_digits(operation, dtype):
    lowest = np.log(float(np.finfo(dtype).smallest_subnormal))
    z = np.linspace(lowest, 0.8 * lowest, 50).astype(dtype)
    wanted = np.exp(z.astype(np.longdouble))  # 1 + e^z is 1 here
    if dtype is np.float64 and np.longdouble is np.float64:
        pytest.skip("no wider type to compare with")
    beta, threshold = np.ones((), dtype), np.full((), 20, dtype)
    arguments = (z,) if operation == "sigmoid" else (z, beta, threshold)
    unit = np.finfo(dtype).smallest_subnormal
    for kernel in kernels.variants(operation):
        if kernel.supports(None, np.dtype(dtype)):
            continue
        out = np.full(z.shape, np.nan, dtype)
        kernel(*arguments, out)
        np.testing.assert_allclose(
            out.astype(np.longdouble), wanted, rtol=1e-5, atol=unit, err_msg=kernel.variant
        )
    scalar = kernels.lookup(operation, "scalar")
    for value, want in zip(z, wanted, strict=True):
        options = () if operation == "sigmoid" else (1.0, 20.0)
        got = scalar(float(value), *options)
        np.testing.assert_allclose(got, float(want), rtol=1e-9, atol=5e-324)

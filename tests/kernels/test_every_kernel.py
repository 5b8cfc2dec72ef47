from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pytest

from tinygrad_cnn import kernels
from tinygrad_cnn.kernels.registry import MODULES, Kernel

from .cases import Case, all_cases
from .oracles import ORACLES, expected, nan_reach

ARRAY_KERNELS = tuple(k for k in kernels.load_all() if k.device != "scalar")
SCALAR_KERNELS = tuple(k for k in kernels.load_all() if k.device == "scalar")
PARAMETERS = {"argvalues": ARRAY_KERNELS, "ids": lambda k: f"{k.operation}-{k.variant}"}
every_kernel = pytest.mark.parametrize("kernel", **PARAMETERS)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

LONGEST_PLAIN_LOOP = 40_000  # multiply-adds; Python needs about 0.1 s for them

# IEEE 754 values at which a formula may go wrong
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 1e150, -1e150, np.inf, -np.inf, np.nan)


@lru_cache(maxsize=2)
def _rows(dtype: type) -> tuple[Case, ...]:
    return all_cases(dtype)


def rows(operation: str, dtype: type, kernel: Kernel | None = None) -> Iterator[Case]:
    """Yield the cases of an operation with read-only arguments; of a kernel, those it serves.

    Plain loops get the short ones.
    """
    plain = kernel is not None and kernel.variant == "reference"
    for case in _rows(dtype):
        if case.operation == operation and not (plain and case.work > LONGEST_PLAIN_LOOP):
            if kernel is not None and kernel.supports(case.geometry, np.dtype(dtype)):
                continue
            for argument in case.arguments:
                if isinstance(argument, np.ndarray):
                    argument.flags.writeable = False
            yield case


def run(kernel: Kernel, case: Case, arguments: tuple | None = None) -> list[np.ndarray]:
    outputs = case.outputs()
    # Only the plain loops may warn: NumPy's scalars do so wherever a NaN arises.
    with np.errstate(all="ignore" if kernel.variant == "reference" else "warn"):
        returned = kernel(*(case.arguments if arguments is None else arguments), *outputs)
    assert returned is None
    return outputs


def same_bits(left: list[np.ndarray], right: list[np.ndarray]) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(left, right, strict=True))


def test_every_operation_has_rows_and_an_oracle():
    operations = {operation for names in MODULES.values() for operation in names}
    assert operations == {case.operation for case in _rows(np.float32)}
    assert operations == set(ORACLES)


def test_every_operation_has_a_compiled_or_numpy_kernel_and_a_plain_one():
    for operation in ORACLES:
        names = [kernel.variant for kernel in kernels.variants(operation)]
        assert names[-1] == "reference"
        assert len(names) > 1


@every_kernel
@both_dtypes
def test_every_kernel_equals_the_oracle_and_writes_all_of_its_output(kernel, dtype):
    for case in rows(kernel.operation, dtype, kernel):
        wanted = expected(case.operation, case.arguments, case.outputs())
        for got, want in zip(run(kernel, case), wanted, strict=True):
            if want.dtype.kind != "f":
                np.testing.assert_array_equal(got, want, err_msg=case.label)
                continue
            # A sum of K rounded terms errs by about √K units in the last place.
            unit = 16 * np.finfo(np.float32).eps if dtype is np.float32 else 1e-10
            finite = np.abs(want[np.isfinite(want)])
            limit = unit * np.sqrt(case.terms) * max(1.0, finite.max(initial=0.0))
            np.testing.assert_allclose(got, want, rtol=0, atol=limit, err_msg=case.label)


@every_kernel
def test_no_kernel_changes_its_inputs(kernel):
    for case in rows(kernel.operation, np.float32, kernel):
        before = [np.array(a) for a in case.arguments]
        arguments = tuple(
            a.copy() if isinstance(a, np.ndarray) else a for a in case.arguments
        )  # writable, unlike in the other tests
        run(kernel, case, arguments)
        assert same_bits([np.array(a) for a in arguments], before), case.label


@every_kernel
@both_dtypes
def test_a_repeated_call_gives_the_same_bits(kernel, dtype):
    for case in rows(kernel.operation, dtype, kernel):
        assert same_bits(run(kernel, case), run(kernel, case)), case.label


@every_kernel
@both_dtypes
def test_a_nan_reaches_exactly_the_outputs_that_depend_on_it(kernel, dtype):
    rng = np.random.default_rng(5)
    for case in rows(kernel.operation, dtype, kernel):
        for position in case.float_inputs:
            arguments = list(case.arguments)
            arguments[position] = poisoned = arguments[position].copy()
            poisoned.reshape(-1)[rng.integers(poisoned.size)] = np.nan
            wanted = nan_reach(case.operation, kernel.variant, position, arguments, case.outputs())
            for got, want in zip(run(kernel, case, tuple(arguments)), wanted, strict=True):
                if got.dtype.kind == "f":
                    message = f"{case.label}, NaN in argument {position}"
                    np.testing.assert_array_equal(np.isnan(got), want, message)


@pytest.mark.parametrize("operation", ["conv2d_forward", "affine_forward", "matmul"])
def test_an_infinity_times_zero_is_nan_in_every_variant(operation):
    for kernel in kernels.variants(operation):
        case = next(iter(rows(operation, np.float32)))
        x, weight, *rest = (np.array(a) if isinstance(a, np.ndarray) else a for a in case.arguments)
        x[...], weight[...] = np.inf, 0
        assert np.isnan(run(kernel, case, (x, weight, *rest))[0]).all(), kernel.variant


SCALAR_ORACLES = {
    "affine_forward": lambda x, weight, bias, out: x * weight + bias,
    "affine_grad_input": lambda grad, weight, out: grad * weight,
    "affine_grad_weight": lambda grad, x, out: grad * x,
}


@pytest.mark.parametrize("kernel", SCALAR_KERNELS, ids=lambda k: k.operation)
def test_scalar_kernels_follow_ieee_754_at_its_edges(kernel):
    oracle = {**ORACLES, **SCALAR_ORACLES}[kernel.operation]
    count = kernel.function.__code__.co_argcount
    for values in np.ndindex(*(len(EDGES),) * count):
        arguments = [EDGES[k] for k in values]
        with np.errstate(all="ignore"):
            want = float(oracle(*map(np.float64, arguments), None))
        got = kernel(*arguments)
        assert isinstance(got, float)
        message = f"{kernel.operation}{tuple(arguments)}"
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15, err_msg=message)

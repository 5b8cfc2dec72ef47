"""The functions of one float32 against float64, over all exponents."""

from collections.abc import Container, Iterator

import numpy as np
import pytest

from tinygrad_cnn import kernels

ALL = 2**32  # float32 has as many bit patterns
BINADE = 2**23  # and as many for each sign and exponent
CHUNK = 2**15  # floats at once: what is computed of them stays in the cache


def _softplus(z: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.where(z < 0, np.exp(np.minimum(z, 0)), 1) / (1 + np.exp(-np.abs(z)))


# name, options, the function in float64, largest error in units of the last place
FUNCTIONS = [
    ("exp", (), np.exp, 1.1),
    ("log", (), np.log, 0.9),
    ("sigmoid", (), _sigmoid, 2.45),
    ("tanh", (), np.tanh, 1.5),
    ("elu", (1.0,), lambda z: np.where(z > 0, z, np.expm1(z)), 1.6),
    ("softplus", (1.0, 1e9), _softplus, 2.3),
]


def largest_error(name: str, options: tuple, exact, patterns: np.ndarray) -> float:
    """Return the largest error over some floats; check what is not finite on the way."""
    x = patterns.view(np.float32)
    got = np.empty_like(x)
    (kernel,) = (k for k in kernels.variants(name) if k.variant == "direct")
    kernel.function(x, *(np.asarray(option, np.float32) for option in options), got)
    with np.errstate(all="ignore"):
        wide = exact(x.astype(np.float64))
        want = wide.astype(np.float32)
        error = np.abs(got.astype(np.float64) - wide) / np.spacing(np.abs(want)).astype(np.float64)
    finite = np.isfinite(want)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    infinite = np.isinf(want)
    np.testing.assert_array_equal(got[infinite], want[infinite])
    np.testing.assert_array_equal(got[finite & (wide == 0)], want[finite & (wide == 0)])
    return float(error[finite].max(initial=0.0))


@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda row: row[0])
def test_errors_are_small_over_all_exponents(row) -> None:
    *function, limit = row
    patterns = np.arange(0, ALL, 9973, dtype=np.uint64).astype(np.uint32)
    assert largest_error(*function, patterns) <= limit


def floats(exponents: Container[int]) -> Iterator[np.ndarray]:
    """Yield bit patterns: all floats of some exponents, of the others their ends and each 61st."""
    for exponent in range(256):
        for sign in (0, 1 << 31):
            first = sign | exponent << 23
            if exponent in exponents:
                for start in range(first, first + BINADE, CHUNK):
                    yield np.arange(start, start + CHUNK, dtype=np.int64).astype(np.uint32)
            else:
                ends = np.arange(1024)
                places = (ends, np.arange(0, BINADE, 61), BINADE - 1 - ends)
                yield (first + np.concatenate(places)).astype(np.uint32)


@pytest.mark.full
@pytest.mark.parametrize("row", FUNCTIONS, ids=lambda row: row[0])
def test_errors_are_small_for_every_float_that_makes_a_difference(row) -> None:
    """Try all floats where the functions curve, and many of all others.

    Below 2^-28 each function but the logarithm is x or a constant to a fraction of a unit in the
    last place, and from 128 on too: what can go wrong there does so for a whole binade or at
    its ends. The logarithm of m 2^k is that of m plus k log 2: all m are tried with the k
    where the sum may cancel, with the smallest, the largest, and those below the normal numbers.
    """
    *function, limit = row
    exponents = {0, 1, *range(123, 131), 254} if row[0] == "log" else range(99, 134)
    assert max(largest_error(*function, patterns) for patterns in floats(exponents)) <= limit


@pytest.mark.parametrize(
    ("name", "x", "want"),
    [
        ("exp", [0, -0.0, np.inf, -np.inf, 89, -104], [1, 1, np.inf, 0, np.inf, 0]),
        ("log", [1, np.inf, 0, -0.0, -1], [0, np.inf, -np.inf, -np.inf, np.nan]),
        ("sigmoid", [0, np.inf, -np.inf, 1000], [0.5, 1, 0, 1]),
        ("tanh", [0, -0.0, np.inf, -np.inf, 1e-45, -1e-45], [0, -0.0, 1, -1, 1e-45, -1e-45]),
        ("sqrt", [4, 0, -0.0, np.inf, -1], [2, 0, -0.0, np.inf, np.nan]),
    ],
)
def test_exact_values(name, x, want) -> None:
    x, want = (np.array([*values, np.nan], np.float32) for values in (x, want))
    got = np.empty_like(x)
    kernels.lookup(name).function(x, got)
    np.testing.assert_array_equal(got, want)
    known = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(want)[known])


def test_a_function_gives_the_same_bits_at_every_place_of_an_array() -> None:
    x = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    for name in ("exp", "log", "sigmoid", "tanh"):
        kernel = kernels.lookup(name).function
        whole, one = np.empty_like(x), np.empty(1, np.float32)
        kernel(x, whole)
        for k in range(960, 1000):  # behind the last whole vector
            kernel(x[k : k + 1], one)
            np.testing.assert_array_equal(one[0], whole[k])

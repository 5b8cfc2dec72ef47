"""Runs kernels on arrays of more than 2^31 elements: started by `test_far_places`.

``python -m kernels.far_places OPERATION`` runs the rows of an operation on one thread. Inputs
are zeros that nobody has written, but for a few values at the far end, so they take no memory:
all their pages are one page of zeros. Outputs are small, by a large stride, or *folded*: the
same 64 MiB again and again, so that only what was written last can be read, the far end.
"""

import ctypes
import mmap
import os
import resource
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn import kernels
from tinygrad_cnn.kernels.geometry import Convolution, Window

SIDE = 46_400  # of an image of one channel: 2,152,960,000 pixels
IMAGES = (33_000, 256, 256, 1)  # 2,162,688,000 pixels
ROWS = (33_600_000, 64)  # 2,150,400,000 values
FOLD = 1 << 26  # bytes; a whole number of the images above, and of rows
STRIDE = 5155  # ten windows of up to five pixels in SIDE, the last one near the far end
LAST = 9 * STRIDE  # where it begins

COPYING = ("im2col", "numpy")  # variants that need memory of the size of what they read
zeros = np.zeros
ones = np.ones


class Row(NamedTuple):
    """A call, and what is expected of some of its outputs."""

    operation: str
    arguments: tuple[Any, ...]
    outputs: tuple[Any, ...]
    check: Callable[..., Any]  # of the outputs: pairs of values, seen and expected
    geometry: Any = None


def far(shape: tuple[int, ...], value: Any = 1.0, *, at: Any = -1) -> np.ndarray:
    """Return float32 zeros with a value at a place, by default the last."""
    array = zeros(shape, np.float32)
    assert array.size > 1 << 31
    (array.reshape(-1) if at == -1 else array)[at] = value
    return array


def folded(shape: tuple[int, ...]) -> np.ndarray:
    """Return a float32 array that is the same FOLD bytes throughout."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    count = int(np.prod(shape))
    size = -(-4 * count // FOLD) * FOLD
    file = os.memfd_create("folded")
    os.ftruncate(file, FOLD)
    nothing = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # reserve addresses alone
    begin = libc.mmap(None, size, mmap.PROT_READ, nothing, -1, 0)
    for at in range(begin, begin + size, FOLD):
        access, shared = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED | 0x10  # in this place
        if libc.mmap(at, FOLD, access, shared, file, 0) != at:
            raise OSError(ctypes.get_errno(), "mmap")
    return np.ndarray(shape, np.float32, (ctypes.c_float * count).from_address(begin))


def small(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.full(shape, -7, dtype)


def conv2d_forward() -> Iterator[Row]:
    patch = np.arange(1, 10, dtype=np.float32).reshape(3, 3)
    weight = np.stack([patch, -patch])[:, None]
    for padding in (0, 1):
        window, end = Window(3, 3, STRIDE, STRIDE, padding, padding), LAST - padding
        x = far((1, SIDE, SIDE, 1), patch, at=(0, slice(end, end + 3), slice(end, end + 3), 0))
        out = small(1, 10, 10, 2)
        yield Row(
            "conv2d_forward", (x, weight, zeros(2, np.float32), window), (out,),
            lambda y: ((y[0, 9, 9], [285, -285]), (np.count_nonzero(y), 2)),
        )  # fmt: skip
    yield Row(
        "conv2d_forward",
        (far(IMAGES), weight, zeros(2, np.float32), Window(3, 3, 253, 253)),
        (small(IMAGES[0], 2, 2, 2),),
        lambda y: ((y[-1, 1, 1], [9, -9]), (np.count_nonzero(y), 2)),
    )


def conv2d_grad_weight() -> Iterator[Row]:
    patch = np.arange(1, 10, dtype=np.float32).reshape(3, 3)
    for padding in (0, 1):
        window, end = Window(3, 3, STRIDE, STRIDE, padding, padding), LAST - padding
        x = far((1, SIDE, SIDE, 1), patch, at=(0, slice(end, end + 3), slice(end, end + 3), 0))
        yield Row(
            "conv2d_grad_weight", (ones((1, 10, 10, 2), np.float32), x, window),
            (small(2, 1, 3, 3),), lambda w: ((w[:, 0], [patch, patch]),),
        )  # fmt: skip
    grad = ones((IMAGES[0], 2, 2, 1), np.float32)
    yield Row(
        "conv2d_grad_weight", (grad, far(IMAGES), Window(3, 3, 253, 253)), (small(1, 1, 3, 3),),
        lambda w: ((w[0, 0, 2, 2], 1), (np.count_nonzero(w), 1)),
    )  # fmt: skip


def conv2d_grad_input() -> Iterator[Row]:
    weight = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)
    grad = zeros((IMAGES[0], 2, 2, 1), np.float32)
    grad[-1, 1, 1] = 2
    yield Row(
        "conv2d_grad_input", (grad, weight, Window(3, 3, 253, 253)), (folded(IMAGES),),
        lambda x: ((x[-1, -3:, -3:, 0], 2 * weight[0, 0]), (np.count_nonzero(x[-1]), 9)),
    )  # fmt: skip


def channel_sum() -> Iterator[Row]:
    yield Row("channel_sum", (far(ROWS),), (small(64),), lambda y: ((y[-2:], [0, 1]),))


def max_pool2d_forward() -> Iterator[Row]:
    end = LAST + 1
    x = far((1, SIDE, SIDE, 1), 3, at=(0, end, end, 0))
    yield Row(
        "max_pool2d_forward", (x, Window(2, 2, STRIDE, STRIDE), False),
        (small(1, 10, 10, 1), small(1, 10, 10, 1, dtype=np.intp)),
        lambda y, winners: (
            (y[0, 9, 9], 3), (np.count_nonzero(y), 1), (winners[0, 9, 9], end * SIDE + end),
            (winners[0, 9, 8], LAST * SIDE + 8 * STRIDE),
        ),
    )  # fmt: skip
    yield Row(
        "max_pool2d_forward",
        (far((1, SIDE, SIDE, 1)), Window(2, 2, dh=SIDE - 1, dw=SIDE - 1), False),
        (small(1, 1, 1, 1), small(1, 1, 1, 1, dtype=np.intp)),
        lambda y, winners: ((y, 1), (winners, SIDE * SIDE - 1)),
    )


def max_pool2d_gather() -> Iterator[Row]:
    winners = np.array([SIDE * SIDE - 1, 5]).reshape(1, 1, 2, 1)
    x = far((1, SIDE, SIDE, 1))
    out = small(1, 1, 2, 1)
    yield Row("max_pool2d_gather", (x, winners), (out,), lambda y: ((y.reshape(-1), [1, 0]),))


def max_pool2d_scatter() -> Iterator[Row]:
    winners = np.array([SIDE * SIDE - 1, 5]).reshape(1, 1, 2, 1)
    values, out = ones((1, 1, 2, 1), np.float32), folded((1, SIDE, SIDE, 1))
    yield Row(
        "max_pool2d_scatter", (values, winners), (out,),
        lambda y: ((y[0, -1, -1], 1), (y[0, -1, -2], 0)),
    )  # fmt: skip


def max_pool2d_collect() -> Iterator[Row]:
    window = Window(2, 2, STRIDE, STRIDE)
    end = LAST + 1
    x = far((1, SIDE, SIDE, 1), 3, at=(0, end, end, 0))
    largest = zeros((1, 10, 10, 1), np.float32)
    largest[0, 9, 9] = 3
    yield Row(
        "max_pool2d_collect", (x, x, largest, window, False), (small(1, 10, 10, 1),),
        lambda y: ((y[0, 9, 9], 3), (np.count_nonzero(y), 1)),
    )  # fmt: skip


def mean_pool2d_forward() -> Iterator[Row]:
    spans = np.array([(0, 2, 2), (SIDE - 2, SIDE, 2)], np.intp)
    yield Row(
        "mean_pool2d_forward", (far((1, SIDE, SIDE, 1)), spans, spans), (small(1, 2, 2, 1),),
        lambda y: ((y.reshape(-1), [0, 0, 0, 0.25]),),
    )  # fmt: skip


def lp_pool2d_forward() -> Iterator[Row]:
    x = far((1, SIDE, SIDE, 1), 3, at=(0, LAST + 1, LAST + 1, 0))
    yield Row(
        "lp_pool2d_forward", (x, 2.0, Window(2, 2, STRIDE, STRIDE)), (small(1, 10, 10, 1),),
        lambda y: ((y[0, 9, 9], 3), (np.count_nonzero(y), 1)),
    )  # fmt: skip


def windows_forward() -> Iterator[Row]:
    x = far((1, SIDE, SIDE, 1), 3, at=(0, LAST + 1, LAST + 1, 0))
    yield Row(
        "windows_forward", (x, Window(2, 2, STRIDE, STRIDE)), (small(1, 1, 10, 10, 4),),
        lambda y: ((y[0, 0, 9, 9], [0, 0, 0, 3]), (np.count_nonzero(y), 1)),
    )  # fmt: skip


def affine_forward() -> Iterator[Row]:
    weight, bias = np.arange(64, dtype=np.float32)[None], ones(1, np.float32)
    yield Row(
        "affine_forward", (far(ROWS), weight, bias), (small(ROWS[0], 1),),
        lambda y: ((y[-2:, 0], [1, 64]), (y.min(), 1)),
    )  # fmt: skip


def affine_grad_input() -> Iterator[Row]:
    weight = np.arange(64, dtype=np.float32)[:, None]
    yield Row(
        "affine_grad_input", (far(ROWS), weight), (small(ROWS[0], 1),),
        lambda y: ((y[-2:, 0], [0, 63]), (np.count_nonzero(y), 1)),
    )  # fmt: skip


def matmul() -> Iterator[Row]:
    b = np.arange(64, dtype=np.float32)[None, :, None]
    yield Row(
        "matmul", (far((1, *ROWS)), b), (small(1, ROWS[0], 1),),
        lambda y: ((y[0, -2:, 0], [0, 63]), (np.count_nonzero(y), 1)),
    )  # fmt: skip


def batch_norm_statistics() -> Iterator[Row]:
    n = ROWS[0]
    yield Row(
        "batch_norm_statistics", (far(ROWS, n),), (small(64), small(64)),
        lambda mean, variance: ((mean[-2:], [0, 1]), (variance[-2:] / n, [0, 1])),
    )  # fmt: skip


def batch_norm_grad_sums() -> Iterator[Row]:
    x, vector = far(ROWS, 2), zeros(64, np.float32)
    yield Row(
        "batch_norm_grad_sums", (x, x, vector, vector + 1, 0.0), (small(64), small(64)),
        lambda to_weight, to_bias: ((to_weight[-2:], [0, 4]), (to_bias[-2:], [0, 2])),
    )  # fmt: skip


def nll_loss_forward() -> Iterator[Row]:
    classes = 1 << 25
    labels = np.full(65, classes - 1)
    yield Row(
        "nll_loss_forward", (far((65, classes), 100), labels, zeros(0, np.float32), -100),
        (small(65), small(65)),
        lambda losses, shares: ((losses[[0, -1]], [0, -100]), (shares, 1)),
    )  # fmt: skip


def _unary(operation: str, value: float, wanted: float) -> Iterator[Row]:
    shape = (int(np.prod(ROWS)),)
    yield Row(
        operation, (far(shape, value),), (folded(shape),), lambda y: ((y[-1], wanted),),
    )  # fmt: skip


def relu() -> Iterator[Row]:
    yield from _unary("relu", 2, 2)


def sigmoid() -> Iterator[Row]:
    yield from _unary("sigmoid", 100, 1)


def negative() -> Iterator[Row]:
    yield from _unary("negative", 2, -2)


def add() -> Iterator[Row]:
    bias = np.arange(64, dtype=np.float32)
    for other in (far(ROWS, 3), bias, bias[:1]):
        wanted = 5 if other.ndim == 2 else 2 + other[-1]
        yield Row(
            "add", (far(ROWS, 2), other), (folded(ROWS),),
            lambda y, wanted=wanted: ((y[-1, -1], wanted),),
        )  # fmt: skip


def dropout() -> Iterator[Row]:
    mask = zeros(ROWS, np.bool_)
    mask[-1, -1] = True
    yield Row(
        "dropout", (far(ROWS, 2), mask, 1.5), (folded(ROWS),),
        lambda y: ((y[-1, -2:], [0, 3]),),
    )  # fmt: skip


OPERATIONS = {
    make.__name__: make
    for make in (
        conv2d_forward, conv2d_grad_weight, conv2d_grad_input, channel_sum,
        max_pool2d_forward, max_pool2d_gather, max_pool2d_scatter, max_pool2d_collect,
        mean_pool2d_forward, lp_pool2d_forward, windows_forward,
        affine_forward, affine_grad_input, matmul,
        batch_norm_statistics, batch_norm_grad_sums,
        nll_loss_forward, relu, sigmoid, negative, add, dropout,
    )
}  # fmt: skip


def _served_by(row: Row) -> list[kernels.registry.Kernel]:
    geometry = next((a for a in row.arguments if isinstance(a, Window)), None)
    if row.operation.startswith("conv2d_"):
        arrays = [a for a in (*row.arguments, *row.outputs) if isinstance(a, np.ndarray)]
        geometry = Convolution.of(row.operation, arrays, geometry)
    return [
        kernel
        for kernel in kernels.variants(row.operation)
        if kernel.variant not in ("reference", *COPYING)
        and not kernel.supports(geometry, np.dtype(np.float32))
    ]


def main(operation: str) -> None:
    import numba

    numba.set_num_threads(1)  # what is written last to a folded output is then its far end
    for row in OPERATIONS[operation]():
        for kernel in _served_by(row):
            shapes = [a.shape for a in row.arguments if isinstance(a, np.ndarray)]
            print(f"{operation} {kernel.variant} {shapes}", flush=True)
            for output in row.outputs:
                if output.size < 1 << 31:
                    output.fill(-7)
            kernel(*row.arguments, *row.outputs)
            for seen, wanted in row.check(*row.outputs):
                np.testing.assert_allclose(seen, wanted, rtol=1e-5, atol=1e-6)
    folds = any(output.size >= 1 << 31 for output in row.outputs)
    if not folds:  # pages of a folded array count again wherever they appear
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"peak {peak:.2f} GiB")


if __name__ == "__main__":
    main(sys.argv[1])

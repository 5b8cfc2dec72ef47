"""What every kernel is tried on: rows of shapes, and the arrays made of them.

A kernel that is registered under a new operation fails the suite until rows for it stand
here; a new variant of a known operation needs none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_cnn.kernels.geometry import Window

# N, H, W, C, O, window
CONV = (
    (2, 7, 9, 3, 6, Window(3, 3, 1, 1, 1, 1)),
    (2, 9, 9, 1, 6, Window(5, 5)),
    (1, 5, 5, 16, 10, Window(5, 5)),  # the kernel is as large as the image
    (3, 4, 4, 2, 1, Window(4, 4)),
    (3, 9, 8, 1, 6, Window(5, 3, 2, 3, 2, 1)),
    (2, 6, 6, 5, 33, Window(1, 1, 2, 2)),  # three of four pixels lie under no tap
    (2, 6, 7, 4, 3, Window(3, 2, 1, 2, 0, 3)),  # more padding than kernel
    (1, 8, 8, 20, 40, Window(2, 2, 3, 3, 1, 0)),
    (40, 4, 4, 3, 5, Window(3, 3, 1, 1, 1, 1)),  # several images in a block
    (1, 3, 1, 17, 16, Window(3, 1, 1, 1, 1, 0)),
    (1, 40, 30, 24, 32, Window(3, 3, 1, 1, 1, 1)),  # several blocks in an image
    (4, 16, 16, 8, 12, Window(3, 3, 2, 2, 1, 1)),
    (8, 20, 20, 16, 24, Window(3, 3, 1, 1, 1, 1)),  # enough work to fork, several partial sums
    (0, 8, 8, 2, 4, Window(3, 3)),
)
# N, H, W, C, window; padding never exceeds half of the kernel
POOL = (
    (2, 6, 8, 3, Window(2, 2, 2, 2)),
    (1, 5, 5, 16, Window(5, 5)),
    (2, 7, 9, 1, Window(3, 3, 2, 2, 1, 1)),  # overlapping windows
    (1, 6, 7, 4, Window(3, 2, 1, 2, 1, 0)),
    (3, 5, 4, 5, Window(1, 1, 2, 2)),
    (0, 4, 4, 2, Window(2, 2, 2, 2)),
)
# N, D, E
AFFINE = ((3, 5, 7), (1, 40, 33), (17, 1, 1), (9, 70, 20), (64, 84, 64), (0, 3, 4))
# S, M, K, N
MATMUL = ((1, 3, 5, 7), (3, 9, 20, 40), (2, 1, 1, 1), (1, 64, 70, 64), (0, 2, 3, 4), (2, 0, 3, 4))
# N, K
SOFTMAX = ((3, 10), (1, 1), (17, 5), (0, 4))
# shapes of all operands; the result has their common shape
ELEMENTWISE = (
    ((2, 3, 4), (2, 3, 4)),
    ((5,), (1,)),
    ((3, 1), (1, 4)),
    ((0, 3), (0, 3)),
    ((0, 3), (1,)),
    ((), ()),
    ((), (2, 3)),
)
# operands of other dtypes than the result
COUNTS = np.array([1, 20, 3], np.uint8)  # 20 · 20 and 3 - 20 do not fit into their dtype
FLAGS = np.array([True, False, True])
INTEGERS = np.array([2, -3, 1])
LENGTHS = (1, 37, 0)

UNARY = ("negative", "exp", "log", "sqrt", "sigmoid", "tanh", "scaled_tanh", "relu")
BINARY = ("add", "subtract", "multiply", "divide", "power")
BINARY += ("sigmoid_grad", "tanh_grad", "scaled_tanh_grad", "relu_grad")


@dataclass(frozen=True)
class Case:
    """One call: arguments, then arrays to fill, as (shape, dtype) or with starting values."""

    operation: str
    label: str
    arguments: tuple[Any, ...]
    results: tuple[tuple[tuple[int, ...], Any], ...] = ()
    starts: tuple[np.ndarray, ...] = ()  # of operations that change arrays in place
    terms: int = 1  # length of the longest sum

    @property
    def work(self) -> int:
        """Multiply-adds of the call, about."""
        return self.terms * sum(np.prod(shape, dtype=int) for shape, _ in self.results)

    @property
    def float_inputs(self) -> tuple[int, ...]:
        """Positions of the arguments that may hold a NaN."""
        return tuple(
            k
            for k, a in enumerate(self.arguments)
            if isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.size
        )

    def outputs(self) -> list[np.ndarray]:
        """Make arrays to fill, poisoned so that what is not written shows."""
        if self.starts:
            return [start.copy() for start in self.starts]
        return [
            np.full(shape, np.nan if np.dtype(dtype).kind == "f" else -7, dtype)
            for shape, dtype in self.results
        ]


def all_cases(dtype: Any) -> tuple[Case, ...]:
    rng = np.random.default_rng(20240607)

    def values(*shape: int) -> np.ndarray:
        return np.asarray(rng.standard_normal(shape), dtype)

    return tuple(
        case
        for rows in (_conv, _pool, _affine, _softmax, _optimiser, _elementwise)
        for case in rows(values, rng, dtype)
    )


def _conv(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for n, h, w, c, o, window in CONV:
        oh, ow = window.output_size(h, w)
        label = f"N{n} {h}x{w} C{c} O{o} {tuple(window)}"
        x, weight, bias = values(n, h, w, c), values(o, c, window.kh, window.kw), values(o)
        grad = values(n, oh, ow, o)
        taps = window.kh * window.kw
        yield Case(
            "conv2d_forward", label, (x, weight, bias, window), ((grad.shape, dtype),),
            terms=taps * c,
        )  # fmt: skip
        yield Case(
            "conv2d_grad_input", label, (grad, weight, window), ((x.shape, dtype),),
            terms=taps * o,
        )  # fmt: skip
        yield Case(
            "conv2d_grad_weight", label, (grad, x, window), ((weight.shape, dtype),),
            terms=n * oh * ow,
        )  # fmt: skip
        yield Case(
            "channel_sum", label, (grad,), ((bias.shape, dtype),),
            terms=n * oh * ow,
        )  # fmt: skip
    yield Case("channel_sum", "matrix", (values(9, 5),), (((5,), dtype),), terms=9)


def _pool(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for n, h, w, c, window in POOL:
        oh, ow = window.output_size(h, w)
        label = f"N{n} {h}x{w} C{c} {tuple(window)}"
        x, grad = values(n, h, w, c).round(), values(n, oh, ow, c)  # rounded: there are ties
        winners = _winners(rng, h, w, window, grad.shape)
        taps = window.kh * window.kw
        small, large = ((grad.shape, dtype),), ((x.shape, dtype),)
        both = (*small, (grad.shape, np.intp))
        yield Case("max_pool2d_forward", label, (x, window), both)
        arguments = (grad, winners, window)
        yield Case("max_pool2d_grad_input", label, arguments, large, terms=taps)
        yield Case("max_pool2d_gather", label, (x, winners), small)
        yield Case("avg_pool2d_forward", label, (x, window), small, terms=taps)
        yield Case("avg_pool2d_grad_input", label, (grad, window), large, terms=taps)


def _winners(rng: Any, h: int, w: int, window: Window, shape: tuple[int, ...]) -> np.ndarray:
    """Draw for each output any pixel under its window."""
    winners = np.empty(shape, np.intp)
    for n, i, j, c in np.ndindex(shape):
        top, left = i * window.sh - window.ph, j * window.sw - window.pw
        row = rng.integers(max(0, top), min(h, top + window.kh))
        winners[n, i, j, c] = row * w + rng.integers(max(0, left), min(w, left + window.kw))
    return winners


def _affine(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for n, d, e in AFFINE:
        label = f"N{n} D{d} E{e}"
        x, weight, bias, grad = values(n, d), values(e, d), values(e), values(n, e)
        y = ((grad.shape, dtype),)
        yield Case("affine_forward", label, (x, weight, bias), y, terms=d)
        dx, dw = ((x.shape, dtype),), ((weight.shape, dtype),)
        yield Case("affine_grad_input", label, (grad, weight), dx, terms=e)
        yield Case("affine_grad_weight", label, (grad, x), dw, terms=n)
    for s, m, k, n in MATMUL:
        arguments = (values(s, m, k), values(s, k, n))
        results = (((s, m, n), dtype),)
        yield Case("matmul", f"{s}x{m}x{k}x{n}", arguments, results, terms=k)


def _softmax(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for n, k in SOFTMAX:
        x, grad, labels = 3 * values(n, k), values(n), rng.integers(0, k, n)
        same, rows = ((x.shape, dtype),), (((n,), dtype),)
        for given in (labels, labels.astype(np.uint8)):
            label = f"N{n} K{k} {given.dtype} labels"
            pair = (x, given)
            yield Case("cross_entropy_forward", label, pair, rows, terms=k)
            triple = (grad, *pair)
            yield Case("cross_entropy_grad", label, triple, same, terms=k)
        yield Case("softmax", f"N{n} K{k}", (x,), same, terms=k)
        yield Case("log_softmax", f"N{n} K{k}", (x,), same, terms=k)
    if np.dtype(dtype).kind == "f":
        rows = np.zeros((5, 3), dtype)
        rows[0, 1], rows[1, 2], rows[2, 0], rows[3], rows[4] = np.nan, np.inf, -np.inf, -np.inf, 500
        yield Case("softmax", "edges", (rows,), ((rows.shape, dtype),))
        yield Case("log_softmax", "edges", (rows,), ((rows.shape, dtype),))


def _optimiser(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for k in LENGTHS:
        for nesterov in (False, True):
            yield Case(
                "sgd_update", f"{k} nesterov={nesterov}",
                (values(k), 0.1, 0.9, 1e-3, nesterov), starts=(values(k), values(k)),
            )  # fmt: skip
        yield Case(
            "adam_update", f"{k}", (values(k), 1e-2, 0.9, 0.999, 1e-8, 1e-3, 3),
            starts=(values(k), values(k), np.abs(values(k))),
        )  # fmt: skip


def _elementwise(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for shapes in ELEMENTWISE:
        out = ((np.broadcast_shapes(*shapes), dtype),)
        for operation in UNARY:
            x = values(*out[0][0])
            x = np.asarray(np.abs(x) + dtype(0.1)) if operation in {"log", "sqrt"} else x
            yield Case(operation, str(shapes[0]), (x,), out)
        for operation in BINARY:
            x, y = (values(*shape) for shape in shapes)
            x = np.asarray(np.abs(x) + dtype(0.1)) if operation == "power" else x
            yield Case(operation, str(shapes), (x, y), out)
    out = (((3,), dtype),)
    for operation in UNARY:
        for x in (COUNTS, FLAGS, INTEGERS):
            yield Case(operation, f"{x.dtype}", (x,), out)
    for operation in BINARY:
        for x, y in ((COUNTS, COUNTS), (FLAGS, FLAGS), (INTEGERS, FLAGS), (COUNTS[::-1], COUNTS)):
            yield Case(operation, f"{x.dtype} {y.dtype}", (np.ascontiguousarray(x), y), out)
        yield Case(operation, "float and int", (np.abs(values(3)), INTEGERS), out)
        yield Case(operation, "bool and float", (FLAGS, np.abs(values(3))), out)

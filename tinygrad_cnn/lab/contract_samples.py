"""Small calls on which a kernel of your own is tried, made from a few shapes.

Shapes that go wrong in other ways than the friendly ones: one image and none, one channel
and more than a vector holds, a stride that does not divide the image, padding, ties.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.kernels.geometry import Convolution, Window

Array = npt.NDArray[Any]
Draw = Callable[..., Array]

# N, H, W, C, O, window
_CONVOLUTIONS = (
    (2, 7, 9, 3, 6, Window(3, 3, 1, 1, 1, 1)),
    (1, 5, 5, 20, 10, Window(5, 5)),
    (2, 8, 7, 1, 33, Window(3, 2, 2, 3, 1, 0)),
    (1, 6, 6, 4, 5, Window(1, 1, 2, 2)),
    (1, 9, 8, 2, 3, Window(3, 3, dh=2, dw=3)),
    (2, 6, 7, 4, 6, Window(3, 3, 1, 1, 1, 1, groups=2)),
    (1, 5, 5, 17, 16, Window(3, 3, 1, 1, 1, 1)),
    (0, 6, 6, 2, 4, Window(3, 3)),
)
# N, H, W, C, window
_POOLINGS = (
    (2, 6, 8, 3, Window(2, 2, 2, 2)),
    (1, 5, 5, 20, Window(5, 5)),
    (2, 7, 9, 1, Window(3, 3, 2, 2, 1, 1)),
    (1, 7, 6, 9, Window(2, 3, 2, 1, 1, 2, 3, 2)),
    (0, 4, 4, 2, Window(2, 2, 2, 2)),
)
# N, D, E
_MATRICES = ((3, 5, 7), (1, 40, 1), (9, 1, 33), (0, 4, 2))
_UNARY = ("negative", "exp", "sigmoid", "tanh", "relu", "abs")
_BINARY = ("add", "subtract", "multiply", "divide", "relu_grad", "sigmoid_grad", "tanh_grad")


@dataclass(frozen=True)
class Sample:
    """One call: the inputs, and shape and element type of what is filled."""

    label: str
    arguments: tuple[Any, ...]
    results: tuple[tuple[tuple[int, ...], Any], ...]
    geometry: Any = None


def samples(operation: str, dtype: Any) -> list[Sample]:
    """Return calls of an operation; an empty list where there are none.

    Examples
    --------
    >>> len(samples("relu", np.float32)), len(samples("dropout", np.float32))
    (3, 0)
    """
    generator = np.random.default_rng(7)

    def draw(*shape: int) -> Array:
        return np.asarray(generator.standard_normal(shape), dtype)

    makers = (_convolutions, _poolings, _matrices, _elementwise)
    return [sample for make in makers for sample in make(operation, draw, dtype)]


def known_operations() -> list[str]:
    """Return the operations that there are samples of."""
    passes = [f"conv2d_{name}" for name in ("forward", "grad_input", "grad_weight")]
    affine = [f"affine_{name}" for name in ("forward", "grad_input", "grad_weight")]
    return sorted([*passes, *affine, "matmul", "max_pool2d_forward", *_UNARY, *_BINARY])


def _convolutions(operation: str, draw: Draw, dtype: Any) -> Iterator[Sample]:
    for n, h, w, c, o, window in _CONVOLUTIONS:
        x, weight = draw(n, h, w, c), draw(o, c // window.groups, window.kh, window.kw)
        grad, bias = draw(n, *window.output_size(h, w), o), draw(o)
        calls: dict[str, tuple[tuple[Any, ...], Array]] = {
            "conv2d_forward": ((x, weight, bias, window), grad),
            "conv2d_grad_input": ((grad, weight, window), x),
            "conv2d_grad_weight": ((grad, x, window), weight),
        }
        if operation in calls:
            arguments, result = calls[operation]
            yield Sample(
                f"images {x.shape}, {o} filters, {window}",
                arguments,
                ((result.shape, dtype),),
                Convolution(n, h, w, c, o, window),
            )


def _poolings(operation: str, draw: Draw, dtype: Any) -> Iterator[Sample]:
    if operation != "max_pool2d_forward":
        return
    for n, h, w, c, window in _POOLINGS:
        x = draw(n, h, w, c).round()  # rounded: there are ties
        shape = (n, *window.output_size(h, w), c)
        for last in (False, True):
            label = f"images {x.shape}, {window}, of ties the {'last' if last else 'first'}"
            yield Sample(label, (x, window, last), ((shape, dtype), (shape, np.intp)), window)


def _matrices(operation: str, draw: Draw, dtype: Any) -> Iterator[Sample]:
    for n, d, e in _MATRICES:
        x, weight, bias, grad = draw(n, d), draw(e, d), draw(e), draw(n, e)
        calls: dict[str, tuple[tuple[Array, ...], Array]] = {
            "affine_forward": ((x, weight, bias), grad),
            "affine_grad_input": ((grad, weight), x),
            "affine_grad_weight": ((grad, x), weight),
            "matmul": ((draw(2, n, d), draw(2, d, e)), draw(2, n, e)),
        }
        if operation in calls:
            arguments, result = calls[operation]
            yield Sample(f"{n} vectors, {d} to {e}", arguments, ((result.shape, dtype),))


def _elementwise(operation: str, draw: Draw, dtype: Any) -> Iterator[Sample]:
    operands = 1 if operation in _UNARY else 2 if operation in _BINARY else 0
    for shape in ((2, 3, 5), (1,), (0, 4)) if operands else ():
        arguments = tuple(draw(*shape) for _ in range(operands))
        yield Sample(f"shape {shape}", arguments, ((shape, dtype),))

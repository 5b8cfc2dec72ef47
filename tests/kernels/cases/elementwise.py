"""Functions of one and of two numbers, with broadcasting and with integers."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .case import Case

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
# the same, longer than the parts in which a call is computed, and the blocks of a spread operand
LONG = (
    ((41_000,), (41_000,)),
    ((41_000,), ()),
    ((1400, 30), (30,)),
    ((30,), (1400, 30)),
    ((41, 1000), (41, 1)),
    ((21, 2000), (2000,)),
    ((3, 50, 1, 100), (50, 3, 1)),
    ((100, 1), (1, 420)),
)
# operands of other dtypes than the result
COUNTS = np.array([1, 20, 3], np.uint8)  # 20 · 20 and 3 - 20 do not fit into their dtype
FLAGS = np.array([True, False, True])
INTEGERS = np.array([2, -3, 1])

UNARY = ("negative", "exp", "log", "sqrt", "sigmoid", "tanh", "scaled_tanh", "relu", "abs")
BINARY = ("add", "subtract", "multiply", "divide", "power")
BINARY += ("sigmoid_grad", "tanh_grad", "scaled_tanh_grad", "relu_grad", "abs_grad")
BINARY += ("leaky_relu", "elu", "hardsigmoid")
TERNARY = ("relu_grad_at_zero", "leaky_relu_grad", "elu_grad", "hardsigmoid_grad")
TERNARY += ("softplus", "softplus_slope")
# Values at which kinks lie, and beyond which exponentials overflow.
STEEP = (0.0, -0.0, 1.0, -1.0, 1000.0, -1000.0, np.inf, -np.inf)


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
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
        for operation in TERNARY:
            x, y, z = (values(*shape) for shape in (*shapes, ()))
            yield Case(operation, f"{shapes} ()", (x, y, z), out)
    for shapes in LONG:
        x, y = (values(*shape) for shape in shapes)
        out = ((np.broadcast_shapes(*shapes), dtype),)
        yield Case("subtract", str(shapes), (x, y), out)
        yield Case("leaky_relu_grad", f"{shapes} (100,)", (x, y, values(out[0][0][-1])), out)
    yield Case("sigmoid", "long", (values(41_000),), (((41_000,), dtype),))
    if np.dtype(dtype).kind == "f":
        yield from _steep(dtype)
    out = (((3,), dtype),)
    for operation in UNARY:
        for x in (COUNTS, FLAGS, INTEGERS):
            yield Case(operation, f"{x.dtype}", (x,), out)
    for operation in BINARY:
        for x, y in ((COUNTS, COUNTS), (FLAGS, FLAGS), (INTEGERS, FLAGS), (COUNTS[::-1], COUNTS)):
            yield Case(operation, f"{x.dtype} {y.dtype}", (np.ascontiguousarray(x), y), out)
        yield Case(operation, "float and int", (np.abs(values(3)), INTEGERS), out)
        yield Case(operation, "bool and float", (FLAGS, np.abs(values(3))), out)
    for operation in TERNARY:
        yield Case(operation, "integers", (COUNTS, INTEGERS, COUNTS), out)
        yield Case(operation, "float and bool", (values(3), INTEGERS, FLAGS), out)


def _steep(dtype: Any) -> Iterator[Case]:
    """Yield rectifiers and sigmoids at their kinks and far away from them."""
    x = np.array(STEEP, dtype)
    out = ((x.shape, dtype),)
    one, part, limit = (np.asarray(v, dtype) for v in (1.0, 0.25, 20.0))
    yield Case("abs", "steep", (x,), out)
    yield Case("abs_grad", "steep", (one, x), out)
    for operation in ("leaky_relu", "elu", "hardsigmoid"):
        yield Case(operation, "steep", (x, part), out)
    for operation in ("relu_grad_at_zero", "leaky_relu_grad", "elu_grad"):
        yield Case(operation, "steep", (one, x, part), out)
    yield Case(
        "hardsigmoid_grad", "steep", (one, np.array([0, 1, 0.5], dtype), part), (((3,), dtype),)
    )
    for operation in ("softplus", "softplus_slope"):
        yield Case(operation, "steep", (x, one, limit), out)
        yield Case(operation, "low threshold", (x, part, -one), out)

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
# operands of other dtypes than the result
COUNTS = np.array([1, 20, 3], np.uint8)  # 20 · 20 and 3 - 20 do not fit into their dtype
FLAGS = np.array([True, False, True])
INTEGERS = np.array([2, -3, 1])

UNARY = ("negative", "exp", "log", "sqrt", "sigmoid", "tanh", "scaled_tanh", "relu")
BINARY = ("add", "subtract", "multiply", "divide", "power")
BINARY += ("sigmoid_grad", "tanh_grad", "scaled_tanh_grad", "relu_grad")


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
    out = (((3,), dtype),)
    for operation in UNARY:
        for x in (COUNTS, FLAGS, INTEGERS):
            yield Case(operation, f"{x.dtype}", (x,), out)
    for operation in BINARY:
        for x, y in ((COUNTS, COUNTS), (FLAGS, FLAGS), (INTEGERS, FLAGS), (COUNTS[::-1], COUNTS)):
            yield Case(operation, f"{x.dtype} {y.dtype}", (np.ascontiguousarray(x), y), out)
        yield Case(operation, "float and int", (np.abs(values(3)), INTEGERS), out)
        yield Case(operation, "bool and float", (FLAGS, np.abs(values(3))), out)

"""Arithmetic as loops over values; see :mod:`~tinygrad_cnn.kernels.cpu.loops.values`."""

import math
from typing import Any

from tinygrad_cnn.kernels.cpu.instructions.elementary import choose, exp, like, log
from tinygrad_cnn.kernels.cpu.loops.values import loop


@loop("add", operands=2)
def add(x: Any, y: Any, z: Any, out: Any, count: int) -> None:
    """out = x + y."""
    for k in range(count):
        out[k] = x[k] + y[k]


@loop("subtract", operands=2)
def subtract(x: Any, y: Any, z: Any, out: Any, count: int) -> None:
    """out = x - y."""
    for k in range(count):
        out[k] = x[k] - y[k]


@loop("multiply", operands=2)
def multiply(x: Any, y: Any, z: Any, out: Any, count: int) -> None:
    """out = x · y."""
    for k in range(count):
        out[k] = x[k] * y[k]


@loop("divide", operands=2)
def divide(x: Any, y: Any, z: Any, out: Any, count: int) -> None:
    """out = x / y."""
    for k in range(count):
        out[k] = x[k] / y[k]


@loop("negative", operands=1)
def negative(x: Any, y: Any, z: Any, out: Any, count: int) -> None:
    """out = -x."""
    for k in range(count):
        out[k] = -x[k]


@loop("sqrt", operands=1)
def sqrt(x: Any, y: Any, z: Any, out: Any, count: int) -> None:
    """out = √x."""
    for k in range(count):
        out[k] = math.sqrt(x[k])


@loop("exp", operands=1, single=True)
def exponential(x: Any, y: Any, z: Any, out: Any, count: int) -> None:
    """out = e^x."""
    for k in range(count):
        out[k] = exp(x[k])


@loop("log", operands=1, single=True)
def logarithm(x: Any, y: Any, z: Any, out: Any, count: int) -> None:
    """out = log x."""
    for k in range(count):
        out[k] = log(x[k])


@loop("abs", operands=1)
def absolute(x: Any, y: Any, z: Any, out: Any, count: int) -> None:
    """out = |x|."""
    for k in range(count):
        out[k] = math.fabs(x[k])


@loop("abs_grad", operands=2)
def absolute_grad(grad: Any, x: Any, z: Any, out: Any, count: int) -> None:
    """out = grad with the sign of x; the derivative at x = 0 is 0, and NaN stays NaN."""
    for k in range(count):
        value, signal = x[k], grad[k]
        zero = like(value, 0.0)
        below = choose(value < zero, -signal, choose(value == zero, zero, value))
        out[k] = choose(value > zero, signal, below)

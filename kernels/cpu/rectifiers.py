"""Piecewise linear activations as loops over values, and their error signals."""

from typing import Any

from tinygrad_cnn.kernels.cpu.instructions.elementary import choose, like
from tinygrad_cnn.kernels.cpu.loops.values import loop


@loop("relu", operands=1)
def relu(z: Any, y: Any, x: Any, out: Any, count: int) -> None:
    """out = max(0, z); NaN stays NaN."""
    for k in range(count):
        out[k] = choose(z[k] <= like(z[k], 0.0), like(z[k], 0.0), z[k])


@loop("relu_grad", operands=2)
def relu_grad(grad: Any, a: Any, z: Any, out: Any, count: int) -> None:
    """out = grad unless a = relu(z) is 0: the derivative at z = 0 is 0."""
    for k in range(count):
        out[k] = choose(a[k] <= like(a[k], 0.0), like(a[k], 0.0), grad[k])


@loop("relu_grad_at_zero", operands=3)
def relu_grad_at_zero(grad: Any, z: Any, at_zero: Any, out: Any, count: int) -> None:
    """out = grad above z = 0, at_zero · grad at it, 0 below."""
    for k in range(count):
        zero = like(z[k], 0.0)
        signal = choose(z[k] == zero, grad[k] * at_zero[k], grad[k])
        out[k] = choose(z[k] < zero, zero, signal)


@loop("leaky_relu", operands=2)
def leaky_relu(z: Any, slope: Any, x: Any, out: Any, count: int) -> None:
    """out = z above 0, else slope · z."""
    for k in range(count):
        out[k] = choose(z[k] > like(z[k], 0.0), z[k], z[k] * slope[k])


@loop("leaky_relu_grad", operands=3)
def leaky_relu_grad(grad: Any, z: Any, slope: Any, out: Any, count: int) -> None:
    """out = grad above z = 0, else slope · grad."""
    for k in range(count):
        out[k] = choose(z[k] > like(z[k], 0.0), grad[k], grad[k] * slope[k])


@loop("hardsigmoid", operands=2)
def hardsigmoid(z: Any, slope: Any, x: Any, out: Any, count: int) -> None:
    """out = slope · z + 1/2 inside 0..1; NaN stays NaN."""
    for k in range(count):
        line = z[k] * slope[k] + like(z[k], 0.5)
        zero, one = like(line, 0.0), like(line, 1.0)
        out[k] = choose(line < zero, zero, choose(line > one, one, line))


@loop("hardsigmoid_grad", operands=3)
def hardsigmoid_grad(grad: Any, a: Any, slope: Any, out: Any, count: int) -> None:
    """out = slope · grad unless a = hardsigmoid(z) is 0 or 1."""
    for k in range(count):
        zero, one = like(a[k], 0.0), like(a[k], 1.0)
        signal = choose(a[k] <= zero, zero, grad[k] * slope[k])
        out[k] = choose(a[k] >= one, zero, signal)

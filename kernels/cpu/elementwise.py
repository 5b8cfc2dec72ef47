"""Arithmetic and activations by NumPy's vectorised loops, a pass over memory for each step.

They serve what the compiled loops decline: float64 where those have no polynomials, integers,
operands of mixed dtypes, the power of two arrays.

NumPy's ufuncs already have the signature of a kernel, operands first and ``out`` last.
Operands of another dtype are converted to that of ``out`` first: left to themselves ufuncs
compute in the dtype of the operands, where a sum of truth values is a truth value, and a
square of small integers overflows.

Overflow, division by zero and invalid operands give infinities and NaNs silently, as IEEE
754 says; NumPy's warnings about them are switched off here and nowhere else.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.registry import implements
from tinygrad_cnn.kernels.scalar.elementwise import SCALED_TANH_AMPLITUDE, SCALED_TANH_SLOPE

_UFUNCS = (
    np.add, np.subtract, np.multiply, np.divide, np.power, np.negative,
    np.exp, np.log, np.sqrt, np.tanh,
)  # fmt: skip


#: From an operation to its kernel here.
NUMPY: dict[str, Callable[..., None]] = {}


def _silent(operation: str) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    def decorate(function: Callable[..., Any]) -> Callable[..., None]:
        def kernel(*arrays: Array) -> None:
            dtype = arrays[-1].dtype
            with np.errstate(all="ignore"):
                for array in arrays:
                    if array.dtype != dtype:
                        arrays = tuple(np.asarray(each, dtype) for each in arrays)
                        break
                function(*arrays)

        kernel.__doc__ = function.__doc__
        implements(operation, device="cpu", variant="numpy", rank=10)(kernel)
        NUMPY[operation] = kernel
        return kernel

    return decorate


for _ufunc in _UFUNCS:
    _silent(_ufunc.__name__)(_ufunc)


@_silent("sigmoid")
def sigmoid(z: Array, out: Array) -> None:
    """out = 1 / (1 + e^-z)."""
    _logistic(z, out)


def _logistic(z: Array, out: Array) -> None:
    """Fill in 1 / (1 + e^-z); e^-|z| never overflows, so small results keep their digits."""
    negative = z < 0
    np.abs(z, out)
    np.negative(out, out)
    np.exp(out, out)
    numerator = np.where(negative, out, 1)
    np.add(out, 1, out)
    np.divide(numerator, out, out)


@_silent("sigmoid_grad")
def sigmoid_grad(grad: Array, a: Array, out: Array) -> None:
    """out = grad · a · (1 - a)."""
    np.subtract(1, a, out)
    np.multiply(out, a, out)
    np.multiply(out, grad, out)


@_silent("tanh_grad")
def tanh_grad(grad: Array, a: Array, out: Array) -> None:
    """out = grad · (1 - a²)."""
    np.multiply(a, a, out)
    np.subtract(1, out, out)
    np.multiply(out, grad, out)


@_silent("scaled_tanh")
def scaled_tanh(z: Array, out: Array) -> None:
    """out = A tanh(S z)."""
    np.multiply(z, SCALED_TANH_SLOPE, out)
    np.tanh(out, out)
    np.multiply(out, SCALED_TANH_AMPLITUDE, out)


@_silent("scaled_tanh_grad")
def scaled_tanh_grad(grad: Array, a: Array, out: Array) -> None:
    """out = grad · S · (A - a² / A)."""
    np.multiply(a, a, out)
    np.divide(out, SCALED_TANH_AMPLITUDE, out)
    np.subtract(SCALED_TANH_AMPLITUDE, out, out)
    np.multiply(out, SCALED_TANH_SLOPE, out)
    np.multiply(out, grad, out)


@_silent("relu")
def relu(z: Array, out: Array) -> None:
    """out = max(0, z); NaN stays NaN."""
    np.maximum(z, 0, out=out)


@_silent("relu_grad")
def relu_grad(grad: Array, a: Array, out: Array) -> None:
    """out = grad unless a = relu(z) is 0: the derivative at z = 0 is 0."""
    np.copyto(out, grad)
    np.copyto(out, 0, where=a <= 0)  # a product with a mask would turn 0 · inf into NaN


@_silent("relu_grad_at_zero")
def relu_grad_at_zero(grad: Array, z: Array, at_zero: Array, out: Array) -> None:
    """out = grad above z = 0, at_zero · grad at it, 0 below."""
    np.multiply(grad, at_zero, out)
    np.copyto(out, grad, where=(z != 0))
    np.copyto(out, 0, where=z < 0)


@_silent("leaky_relu")
def leaky_relu(z: Array, slope: Array, out: Array) -> None:
    """out = z above 0, else slope · z."""
    np.multiply(z, slope, out)
    np.copyto(out, z, where=z > 0)


@_silent("leaky_relu_grad")
def leaky_relu_grad(grad: Array, z: Array, slope: Array, out: Array) -> None:
    """out = grad above z = 0, else slope · grad."""
    np.multiply(grad, slope, out)
    np.copyto(out, grad, where=z > 0)


@_silent("elu")
def elu(z: Array, alpha: Array, out: Array) -> None:
    """out = z above 0, else alpha · (e^z - 1)."""
    np.expm1(z, out)  # overflows for z > 88 in float32, where z itself is taken
    np.multiply(out, alpha, out)
    np.copyto(out, z, where=z > 0)


@_silent("elu_grad")
def elu_grad(grad: Array, z: Array, alpha: Array, out: Array) -> None:
    """out = grad above z = 0, else grad · alpha · e^z."""
    np.exp(z, out)
    np.multiply(out, alpha, out)
    np.multiply(out, grad, out)
    np.copyto(out, grad, where=z > 0)


@_silent("softplus")
def softplus(z: Array, beta: Array, threshold: Array, out: Array) -> None:
    """out = log(1 + e^(beta z)) / beta, and z itself where beta z lies above the threshold."""
    scaled = np.multiply(z, beta)
    np.abs(scaled, out)
    np.negative(out, out)
    np.exp(out, out)  # of no positive number, so nothing overflows
    np.log1p(out, out)
    np.add(out, np.maximum(scaled, 0), out)
    np.divide(out, beta, out)
    np.copyto(out, z, where=scaled > threshold)


@_silent("softplus_slope")
def softplus_slope(z: Array, beta: Array, threshold: Array, out: Array) -> None:
    """out = sigmoid(beta z), and 1 where beta z lies above the threshold."""
    scaled = np.multiply(z, beta)
    _logistic(scaled, out)
    np.copyto(out, 1, where=scaled > threshold)


@_silent("hardsigmoid")
def hardsigmoid(z: Array, slope: Array, out: Array) -> None:
    """out = slope · z + 1/2 inside 0..1; NaN stays NaN."""
    np.multiply(z, slope, out)
    np.add(out, 0.5, out)
    np.maximum(out, 0, out=out)
    np.minimum(out, 1, out=out)


@_silent("hardsigmoid_grad")
def hardsigmoid_grad(grad: Array, a: Array, slope: Array, out: Array) -> None:
    """out = slope · grad unless a = hardsigmoid(z) is 0 or 1."""
    np.multiply(grad, slope, out)
    np.copyto(out, 0, where=(a <= 0) | (a >= 1))


@_silent("abs")
def absolute(x: Array, out: Array) -> None:
    """out = |x|."""
    np.absolute(x, out)


@_silent("abs_grad")
def absolute_grad(grad: Array, x: Array, out: Array) -> None:
    """out = grad with the sign of x; the derivative at x = 0 is 0."""
    np.sign(x, out)
    np.multiply(out, grad, out)
    np.copyto(out, 0, where=x == 0)  # 0 · inf is 0 here

"""Arithmetic and activations by NumPy's vectorised loops.

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
        implements(operation, device="cpu", variant="numpy")(kernel)
        return kernel

    return decorate


for _ufunc in _UFUNCS:
    _silent(_ufunc.__name__)(_ufunc)


@_silent("sigmoid")
def sigmoid(z: Array, out: Array) -> None:
    """out = 1 / (1 + e^-z)."""
    np.negative(z, out)
    np.exp(out, out)
    np.add(out, 1, out)
    np.divide(1, out, out)


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

"""Smooth activations as loops over values, and their error signals.

Those that need e^x are for float32, in which
:mod:`~tinygrad_cnn.kernels.cpu.instructions.elementary` computes; NumPy's serve float64.
"""

from typing import Any

from tinygrad_cnn.kernels.cpu.instructions import elementary
from tinygrad_cnn.kernels.cpu.instructions.elementary import choose, exp, expm1, like, log1p
from tinygrad_cnn.kernels.cpu.loops.values import loop
from tinygrad_cnn.kernels.scalar.elementwise import SCALED_TANH_AMPLITUDE, SCALED_TANH_SLOPE

_sigmoid, _tanh = elementary.sigmoid, elementary.tanh


@loop("sigmoid", operands=1, single=True)
def sigmoid(z: Any, y: Any, x: Any, out: Any, count: int) -> None:
    """out = 1 / (1 + e^-z)."""
    for k in range(count):
        out[k] = _sigmoid(z[k])


@loop("sigmoid_grad", operands=2)
def sigmoid_grad(grad: Any, a: Any, z: Any, out: Any, count: int) -> None:
    """out = grad · a · (1 - a)."""
    for k in range(count):
        out[k] = (like(a[k], 1.0) - a[k]) * a[k] * grad[k]


@loop("tanh", operands=1, single=True)
def tanh(z: Any, y: Any, x: Any, out: Any, count: int) -> None:
    """out = tanh z."""
    for k in range(count):
        out[k] = _tanh(z[k])


@loop("tanh_grad", operands=2)
def tanh_grad(grad: Any, a: Any, z: Any, out: Any, count: int) -> None:
    """out = grad · (1 - a²)."""
    for k in range(count):
        out[k] = (like(a[k], 1.0) - a[k] * a[k]) * grad[k]


@loop("scaled_tanh", operands=1, single=True)
def scaled_tanh(z: Any, y: Any, x: Any, out: Any, count: int) -> None:
    """out = A tanh(S z)."""
    for k in range(count):
        bent = _tanh(z[k] * like(z[k], SCALED_TANH_SLOPE))
        out[k] = bent * like(z[k], SCALED_TANH_AMPLITUDE)


@loop("scaled_tanh_grad", operands=2)
def scaled_tanh_grad(grad: Any, a: Any, z: Any, out: Any, count: int) -> None:
    """out = grad · S · (A - a² / A)."""
    for k in range(count):
        amplitude, slope = like(a[k], SCALED_TANH_AMPLITUDE), like(a[k], SCALED_TANH_SLOPE)
        share = like(a[k], 1.0 / SCALED_TANH_AMPLITUDE)
        out[k] = (amplitude - a[k] * a[k] * share) * slope * grad[k]


@loop("elu", operands=2, single=True)
def elu(z: Any, alpha: Any, x: Any, out: Any, count: int) -> None:
    """out = z above 0, else alpha · (e^z - 1)."""
    for k in range(count):
        zero = like(z[k], 0.0)
        bent = expm1(choose(z[k] > zero, zero, z[k]))
        out[k] = choose(z[k] > zero, z[k], bent * alpha[k])


@loop("elu_grad", operands=3, single=True)
def elu_grad(grad: Any, z: Any, alpha: Any, out: Any, count: int) -> None:
    """out = grad above z = 0, else grad · alpha · e^z."""
    for k in range(count):
        out[k] = choose(z[k] > like(z[k], 0.0), grad[k], exp(z[k]) * alpha[k] * grad[k])


@loop("softplus", operands=3, single=True)
def softplus(z: Any, beta: Any, threshold: Any, out: Any, count: int) -> None:
    """out = log(1 + e^(beta z)) / beta, and z itself where beta z lies above the threshold."""
    for k in range(count):
        scaled, zero = z[k] * beta[k], like(z[k], 0.0)
        # The exponent is never positive, so nothing overflows; log1p keeps the small digits.
        rest = log1p(exp(choose(scaled > zero, -scaled, scaled)))
        bent = (rest + choose(scaled < zero, zero, scaled)) / beta[k]
        out[k] = choose(scaled > threshold[k], z[k], bent)


@loop("softplus_slope", operands=3, single=True)
def softplus_slope(z: Any, beta: Any, threshold: Any, out: Any, count: int) -> None:
    """out = sigmoid(beta z), and 1 where beta z lies above the threshold."""
    for k in range(count):
        scaled = z[k] * beta[k]
        out[k] = choose(scaled > threshold[k], like(z[k], 1.0), _sigmoid(scaled))

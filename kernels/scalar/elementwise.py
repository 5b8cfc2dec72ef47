"""Arithmetic and activations on Python floats.

They follow IEEE 754 as arrays do, where Python itself would raise: dividing by zero gives
an infinity or NaN, an exponential that is too large gives infinity, the logarithm and the
root of a negative number give NaN.
"""

import math
from collections.abc import Callable

from tinygrad_cnn.kernels.registry import implements

_INF, _NAN = math.inf, math.nan

# LeCun et al. 1998, "Gradient-based learning applied to document recognition", appendix A:
# f(z) = A tanh(S z), chosen so that f(1) = 1 and f(-1) = -1.
SCALED_TANH_AMPLITUDE = 1.7159
SCALED_TANH_SLOPE = 2.0 / 3.0


def _register(operation: str) -> Callable[[Callable[..., float]], Callable[..., float]]:
    return implements(operation, device="scalar", variant="python")


@_register("add")
def add(x: float, y: float) -> float:
    """Return x + y."""
    return x + y


@_register("subtract")
def subtract(x: float, y: float) -> float:
    """Return x - y."""
    return x - y


@_register("multiply")
def multiply(x: float, y: float) -> float:
    """Return x * y."""
    return x * y


@_register("divide")
def divide(x: float, y: float) -> float:
    """Return x / y."""
    if y == 0.0:
        return _NAN if x == 0.0 or x != x else math.copysign(_INF, x) * math.copysign(1.0, y)
    return x / y


@_register("power")
def power(x: float, y: float) -> float:
    """Return x to the power y."""
    try:
        return math.pow(x, y)
    except OverflowError:
        odd = y == math.floor(y) and y % 2.0 == 1.0
        return -_INF if x < 0.0 and odd else _INF
    except ValueError:
        if x != 0.0:
            return _NAN
        odd = y == math.floor(y) and y % 2.0 == 1.0  # a zero to a negative power
        return math.copysign(_INF, x) if odd else _INF


@_register("negative")
def negative(x: float) -> float:
    """Return -x."""
    return -x


@_register("exp")
def exp(x: float) -> float:
    """Return e to the power x."""
    try:
        return math.exp(x)
    except OverflowError:
        return _INF


@_register("log")
def log(x: float) -> float:
    """Return the natural logarithm."""
    if x > 0.0:
        return math.log(x)
    return -_INF if x == 0.0 else _NAN


@_register("sqrt")
def sqrt(x: float) -> float:
    """Return the square root."""
    return math.sqrt(x) if x >= 0.0 else _NAN


@_register("sigmoid")
def sigmoid(z: float) -> float:
    """Return 1 / (1 + e^-z); e^-|z| never overflows, so small results keep their digits."""
    small = math.exp(-abs(z))
    return (small if z < 0.0 else 1.0) / (1.0 + small)


@_register("sigmoid_grad")
def sigmoid_grad(grad: float, a: float) -> float:
    """Return grad * a * (1 - a) with a = sigmoid(z)."""
    return grad * a * (1.0 - a)


@_register("tanh")
def tanh(z: float) -> float:
    """Return the hyperbolic tangent."""
    return math.tanh(z)


@_register("tanh_grad")
def tanh_grad(grad: float, a: float) -> float:
    """Return grad * (1 - a²) with a = tanh(z)."""
    return grad * (1.0 - a * a)


@_register("scaled_tanh")
def scaled_tanh(z: float) -> float:
    """Return 1.7159 tanh(2/3 z)."""
    return SCALED_TANH_AMPLITUDE * math.tanh(SCALED_TANH_SLOPE * z)


@_register("scaled_tanh_grad")
def scaled_tanh_grad(grad: float, a: float) -> float:
    """Return grad * S * (A - a² / A) with a = A tanh(S z)."""
    amplitude, slope = SCALED_TANH_AMPLITUDE, SCALED_TANH_SLOPE
    return grad * slope * (amplitude - a * a / amplitude)


@_register("relu")
def relu(z: float) -> float:
    """Return max(0, z); NaN stays NaN."""
    return z if z > 0.0 or z != z else 0.0


@_register("relu_grad")
def relu_grad(grad: float, a: float) -> float:
    """Return grad unless a = relu(z) is 0: the derivative at z = 0 is 0."""
    return 0.0 if a <= 0.0 else grad


@_register("relu_grad_at_zero")
def relu_grad_at_zero(grad: float, z: float, at_zero: float) -> float:
    """Return grad for z > 0, at_zero * grad for z = 0, and 0 below."""
    if z == 0.0:
        return grad * at_zero
    return 0.0 if z < 0.0 else grad


@_register("leaky_relu")
def leaky_relu(z: float, slope: float) -> float:
    """Return z for z > 0, else slope * z."""
    return z if z > 0.0 else z * slope


@_register("leaky_relu_grad")
def leaky_relu_grad(grad: float, z: float, slope: float) -> float:
    """Return grad for z > 0, else slope * grad."""
    return grad if z > 0.0 else grad * slope


@_register("elu")
def elu(z: float, alpha: float) -> float:
    """Return z for z > 0, else alpha * (e^z - 1)."""
    return z if z > 0.0 else alpha * math.expm1(z)


@_register("elu_grad")
def elu_grad(grad: float, z: float, alpha: float) -> float:
    """Return grad for z > 0, else grad * alpha * e^z."""
    return grad if z > 0.0 else grad * (alpha * math.exp(z))


@_register("softplus")
def softplus(z: float, beta: float, threshold: float) -> float:
    """Return log(1 + e^(beta z)) / beta, and z itself where beta z lies above a threshold."""
    scaled = beta * z
    if scaled > threshold:
        return z
    # The exponent is never positive, so nothing overflows; log1p keeps the small digits.
    return divide(max(scaled, 0.0) + math.log1p(math.exp(-abs(scaled))), beta)


@_register("softplus_slope")
def softplus_slope(z: float, beta: float, threshold: float) -> float:
    """Return sigmoid(beta z), and 1 where beta z lies above a threshold."""
    scaled = beta * z
    return 1.0 if scaled > threshold else sigmoid(scaled)


@_register("hardsigmoid")
def hardsigmoid(z: float, slope: float) -> float:
    """Return slope * z + 1/2 inside 0..1; NaN stays NaN."""
    line = slope * z + 0.5
    return 0.0 if line < 0.0 else 1.0 if line > 1.0 else line


@_register("hardsigmoid_grad")
def hardsigmoid_grad(grad: float, a: float, slope: float) -> float:
    """Return slope * grad unless a = hardsigmoid(z) is 0 or 1."""
    return 0.0 if a <= 0.0 or a >= 1.0 else grad * slope


@_register("abs")
def absolute(x: float) -> float:
    """Return |x|."""
    return abs(x)


@_register("abs_grad")
def absolute_grad(grad: float, x: float) -> float:
    """Return grad with the sign of x, and 0 where x is 0."""
    if x == 0.0:
        return 0.0
    return grad * x if x != x else math.copysign(1.0, x) * grad

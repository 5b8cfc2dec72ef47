"""Local response normalisation across channels, and its adjoint, on arrays (..., C)."""

import math

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


def _divisors(row: list[float], size: int, alpha: float, k: float) -> list[float]:
    """Return k + alpha / size · Σ x[c']² over the window of each channel."""
    found = []
    for c in range(len(row)):
        window = row[max(0, c - size // 2) : c + (size - 1) // 2 + 1]
        found.append(k + alpha / size * sum(value * value for value in window))
    return found


def _power(base: float, exponent: float) -> float:
    return base**exponent if base > 0 else math.nan if base != 0 else math.inf


@reference("local_response_norm_forward")
def local_response_norm_forward(
    x: Array, size: int, alpha: float, beta: float, k: float, out: Array
) -> None:
    """out[c] = x[c] · d[c]^-beta, d[c] = k + alpha / size · Σ x[c']² over the window of c."""
    rows = out.reshape(-1, out.shape[-1])
    for n, values in enumerate(x.reshape(rows.shape)):
        row = [float(value) for value in values]
        for c, divisor in enumerate(_divisors(row, size, alpha, k)):
            rows[n, c] = row[c] * _power(divisor, -beta)


@reference("local_response_norm_grad")
def local_response_norm_grad(
    grad: Array, x: Array, size: int, alpha: float, beta: float, k: float, out: Array
) -> None:
    """out[c] = grad[c] · d[c]^-beta - 2 alpha beta / size · x[c] · Σ grad · x · d^(-beta-1).

    The sum is over the channels whose window holds c.
    """
    rows = out.reshape(-1, out.shape[-1])
    pairs = zip(grad.reshape(rows.shape), x.reshape(rows.shape), strict=True)
    for n, (signals, values) in enumerate(pairs):
        signal, row = [float(value) for value in signals], [float(value) for value in values]
        divisors = _divisors(row, size, alpha, k)
        for c, divisor in enumerate(divisors):
            total = 0.0
            for j in range(max(0, c - (size - 1) // 2), min(len(row), c + size // 2 + 1)):
                total += signal[j] * row[j] * _power(divisors[j], -beta - 1)
            own = signal[c] * _power(divisor, -beta)
            rows[n, c] = own - 2 * alpha * beta / size * row[c] * total

"""What every operation means, said once more in float64 and in another way.

Nothing here is shared with the kernels: convolutions are einsums over windows, their
adjoints come from that same einsum by linearity, pooling asks NumPy about each patch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .cases import BINARY, UNARY

Oracle = Callable[..., Any]


def expected(operation: str, arguments: Any, outputs: Any) -> tuple[np.ndarray, ...]:
    """Return what `outputs` should hold; for updates in place they hold the values before."""
    numbers = "fiub" if operation in (*UNARY, *BINARY) else "f"  # elsewhere integers are indices
    exact = [
        a.astype(np.float64) if isinstance(a, np.ndarray) and a.dtype.kind in numbers else a
        for a in arguments
    ]
    before = [o.astype(np.float64) if o.dtype.kind == "f" else o for o in outputs]
    with np.errstate(all="ignore"):
        result = ORACLES[operation](*exact, *before)
    return result if isinstance(result, tuple) else (result,)


def _windows(x: np.ndarray, window: Any) -> np.ndarray:
    """Return (N, OH, OW, C, KH, KW): for each output pixel what lies under the filter."""
    kh, kw, sh, sw, ph, pw = window
    padded = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
    return sliding_window_view(padded, (kh, kw), axis=(1, 2))[:, ::sh, ::sw]


def conv2d_forward(x, weight, bias, window, out):
    return np.einsum("nijcuv,ocuv->nijo", _windows(x, window), weight) + bias


def conv2d_grad_input(grad, weight, window, out):
    """Place δ on a canvas with stride - 1 zeros between, and slide the flipped filter."""
    n, h, w, _ = out.shape
    kh, kw, sh, sw, ph, pw = window
    _, oh, ow, o = grad.shape
    canvas = np.zeros((n, h + 2 * ph + kh - 1, w + 2 * pw + kw - 1, o))
    canvas[:, kh - 1 : kh - 1 + oh * sh : sh, kw - 1 : kw - 1 + ow * sw : sw] = grad
    views = sliding_window_view(canvas, (kh, kw), axis=(1, 2))
    whole = np.einsum("nrqouv,ocuv->nrqc", views, weight[:, :, ::-1, ::-1])
    return whole[:, ph : ph + h, pw : pw + w]


def conv2d_grad_weight(grad, x, window, out):
    return np.einsum("nijo,nijcuv->ocuv", grad, _windows(x, window))


def _patches(x, window):
    kh, kw, sh, sw, ph, pw = window
    _, h, w, _ = x.shape
    oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    for i, j in np.ndindex(oh, ow):
        top, left = i * sh - ph, j * sw - pw
        rows, columns = slice(max(top, 0), top + kh), slice(max(left, 0), left + kw)
        yield i, j, rows, columns


def max_pool2d_forward(x, window, out, winners):
    n, _, w, c = x.shape
    out, winners = np.empty(out.shape), np.empty(winners.shape, np.intp)
    for i, j, rows, columns in _patches(x, window):
        patch = x[:, rows, columns]
        wide = patch.shape[2]
        flat = patch.reshape(n, patch.shape[1] * wide, c)
        first = flat.argmax(axis=1)  # the first of equal values; a NaN counts as largest
        out[:, i, j] = np.take_along_axis(flat, first[:, None], 1)[:, 0]
        winners[:, i, j] = (rows.start + first // wide) * w + columns.start + first % wide
    return out, winners


def max_pool2d_grad_input(grad, winners, window, out):
    n, h, w, c = out.shape
    result = np.zeros((n, h * w, c))
    batch, channel = np.arange(n)[:, None, None, None], np.arange(c)
    np.add.at(result, (batch, winners, channel), grad)
    return result.reshape(out.shape)


def max_pool2d_gather(x, winners, out):
    n, h, w, c = x.shape
    batch, channel = np.arange(n)[:, None, None, None], np.arange(c)
    return x.reshape(n, h * w, c)[batch, winners, channel]


def avg_pool2d_forward(x, window, out):
    return _windows(x, window).sum((-1, -2)) / (window.kh * window.kw)


def avg_pool2d_grad_input(grad, window, out):
    result = np.zeros(out.shape)
    for i, j, rows, columns in _patches(out, window):
        result[:, rows, columns] += grad[:, i : i + 1, j : j + 1] / (window.kh * window.kw)
    return result


def softmax(x, out):
    return np.exp(log_softmax(x, out))


def log_softmax(x, out):
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy_forward(x, labels, out):
    return -log_softmax(x, out)[np.arange(len(x)), labels]


def cross_entropy_grad(grad, x, labels, out):
    return grad[:, None] * (softmax(x, out) - np.eye(x.shape[1])[labels])


def sgd_update(grad, rate, momentum, decay, nesterov, parameter, velocity):
    g = grad + decay * parameter
    velocity = momentum * velocity + g
    return parameter - rate * (g + momentum * velocity if nesterov else velocity), velocity


def adam_update(grad, rate, beta1, beta2, epsilon, decay, step, parameter, mean, square):
    g = grad + decay * parameter
    mean = mean + (1 - beta1) * (g - mean)
    square = square + (1 - beta2) * (g**2 - square)
    unbiased = mean / (1 - beta1**step), square / (1 - beta2**step)
    return parameter - rate * unbiased[0] / (np.sqrt(unbiased[1]) + epsilon), mean, square


def _slope(y: np.ndarray, amplitude: float, slope: float) -> np.ndarray:
    """Return the derivative of A tanh(S z) where it has the value y."""
    return amplitude * slope * (1 - (y / amplitude) ** 2)


ORACLES: dict[str, Oracle] = {
    "conv2d_forward": conv2d_forward,
    "conv2d_grad_input": conv2d_grad_input,
    "conv2d_grad_weight": conv2d_grad_weight,
    "channel_sum": lambda grad, out: np.einsum("ko->o", grad.reshape(-1, out.size)),
    "max_pool2d_forward": max_pool2d_forward,
    "max_pool2d_grad_input": max_pool2d_grad_input,
    "max_pool2d_gather": max_pool2d_gather,
    "avg_pool2d_forward": avg_pool2d_forward,
    "avg_pool2d_grad_input": avg_pool2d_grad_input,
    "affine_forward": lambda x, w, b, out: np.einsum("nd,ed->ne", x, w) + b,
    "affine_grad_input": lambda grad, w, out: np.einsum("ne,ed->nd", grad, w),
    "affine_grad_weight": lambda grad, x, out: np.einsum("ne,nd->ed", grad, x),
    "matmul": lambda a, b, out: np.einsum("smk,skn->smn", a, b),
    "softmax": softmax,
    "log_softmax": log_softmax,
    "cross_entropy_forward": cross_entropy_forward,
    "cross_entropy_grad": cross_entropy_grad,
    "sgd_update": sgd_update,
    "adam_update": adam_update,
    "add": lambda x, y, out: x + y,
    "subtract": lambda x, y, out: x - y,
    "multiply": lambda x, y, out: x * y,
    "divide": lambda x, y, out: x / y,
    "power": lambda x, y, out: np.float_power(x, y),
    "negative": lambda x, out: -x,
    "exp": lambda x, out: np.exp(x),
    "log": lambda x, out: np.log(x),
    "sqrt": lambda x, out: np.sqrt(x),
    "sigmoid": lambda z, out: 0.5 * (1 + np.tanh(z / 2)),
    "sigmoid_grad": lambda grad, a, out: grad * (0.25 - (a - 0.5) ** 2),
    "tanh": lambda z, out: np.tanh(z),
    "tanh_grad": lambda grad, a, out: grad * _slope(a, 1.0, 1.0),
    "scaled_tanh": lambda z, out: 1.7159 * np.tanh(2 * z / 3),
    "scaled_tanh_grad": lambda grad, a, out: grad * _slope(a, 1.7159, 2 / 3),
    "relu": lambda z, out: np.where(z < 0, 0.0, z),
    "relu_grad": lambda grad, a, out: np.where(a <= 0, 0.0, grad),
}

# Arguments that a kernel may multiply by padding, and the variants that do.
MEETS_PADDING = {
    ("conv2d_forward", 1): ("direct", "im2col"),
    ("conv2d_grad_input", 1): ("direct",),
    ("conv2d_grad_weight", 0): ("direct", "im2col"),
}


def nan_reach(
    operation: str, variant: str, position: int, arguments: Any, outputs: Any
) -> tuple[np.ndarray, ...]:
    """Return which values become NaN by those that an argument holds.

    0 · NaN is NaN, so a kernel that multiplies padding makes more of them than one that
    leaves padding out. With NaNs marked by 1, and ones in the other operand, an output is
    reached where the operation gives more than 0; ones in the padding too say what padding
    adds.
    """
    if (operation, position) not in MEETS_PADDING:
        wanted = expected(operation, arguments, outputs)
        return tuple(
            np.isnan(w) if w.dtype.kind == "f" else np.zeros(w.shape, bool) for w in wanted
        )
    marks = np.isnan(arguments[position]).astype(np.float64)
    window, padded = arguments[-1], variant in MEETS_PADDING[operation, position]
    if operation == "conv2d_grad_input":
        if padded:
            return (_met_by_class(marks, window, outputs[0].shape),)
        return (conv2d_grad_input(np.ones(arguments[0].shape), marks, window, outputs[0]) > 0,)
    ones = np.ones(arguments[0 if operation == "conv2d_forward" else 1].shape)
    if padded:
        margins = ((0, 0), (window.ph, window.ph), (window.pw, window.pw), (0, 0))
        ones = np.pad(ones, margins, constant_values=1)
        window = window._replace(ph=0, pw=0)
    if operation == "conv2d_forward":
        return (conv2d_forward(ones, marks, 0, window, None) > 0,)
    return (conv2d_grad_weight(marks, ones, window, None) > 0,)


def _met_by_class(marks: np.ndarray, window: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Tap (u, v) meets every pixel (r, q) with r + ph - u, q + pw - v multiples of the stride."""
    kh, kw, sh, sw, ph, pw = window
    down = (np.arange(shape[1])[:, None] + ph - np.arange(kh)) % sh == 0
    across = (np.arange(shape[2])[:, None] + pw - np.arange(kw)) % sw == 0
    met = np.einsum("ru,qv,ocuv->rqc", down.astype(float), across.astype(float), marks)
    return np.broadcast_to(met > 0, shape)

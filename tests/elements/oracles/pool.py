"""What the poolings compute: gather what lies under each window, then ask NumPy."""

import math
from typing import Any

import numpy as np

from .values import Array, Pair
from .windows import both


def under(
    x: Array,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    border: float = 0.0,
    beyond: float = 0.0,
) -> Array:
    """Return (N, C, OH, OW, m): what lies under each window, in the image, its border, beyond."""
    kernel, gaps, frame = both(kernel_size), both(dilation), both(padding)
    step = kernel if stride is None else both(stride)
    at, far = [], []
    for size, k, s, p, d in zip(x.shape[2:], kernel, step, frame, gaps, strict=True):
        span = d * (k - 1) + 1
        count = (size + 2 * p - span) / s + 1
        starts = s * np.arange(math.ceil(count) if ceil_mode else math.floor(count))
        starts = starts[starts < size + p]  # begins in the image, or in the border before it
        at.append(starts[:, None] + d * np.arange(k))
        far.append(max(0, int(at[-1].max(initial=0)) + 1 - size - 2 * p))
    framed = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in frame)), constant_values=border)
    whole = np.pad(framed, ((0, 0), (0, 0), *((0, f) for f in far)), constant_values=beyond)
    taken = whole[:, :, at[0][:, None, :, None], at[1][None, :, None, :]]
    return taken.reshape(*taken.shape[:4], -1)


def max_pool2d(x: Array, *window: Any, ties: str = "first", **options: Any) -> Array:
    return under(x, *window, **options, border=-np.inf, beyond=-np.inf).max(-1)


def avg_pool2d(
    x: Array,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    window = (kernel_size, stride, padding, 1, ceil_mode)
    counted = under(np.ones((1, 1, *x.shape[2:])), *window, border=float(count_include_pad))
    return under(x, *window).sum(-1) / (divisor_override or counted.sum(-1))


def sum_pool2d(
    x: Array,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
) -> Array:
    return under(x, kernel_size, stride, padding, 1, ceil_mode).sum(-1)


def lp_pool2d(
    x: Array,
    norm_type: float,
    kernel_size: Pair,
    stride: Pair | None = None,
    ceil_mode: bool = False,
    padding: Pair = 0,
) -> Array:
    sizes = np.abs(under(x, kernel_size, stride, padding, 1, ceil_mode))
    return (sizes**norm_type).sum(-1) ** (1 / norm_type)


def adaptive_avg_pool2d(x: Array, output_size: Any) -> Array:
    asked = output_size if isinstance(output_size, tuple) else (output_size,) * 2
    grid = [size or pixels for size, pixels in zip(asked, x.shape[2:], strict=True)]
    cells = [
        [slice(math.floor(i * p / g), math.ceil((i + 1) * p / g)) for i in range(g)]
        for g, p in zip(grid, x.shape[2:], strict=True)
    ]
    return np.stack(
        [
            np.stack([x[:, :, rows, columns].mean((2, 3)) for columns in cells[1]], -1)
            for rows in cells[0]
        ],
        -2,
    )


def global_avg_pool2d(x: Array) -> Array:
    return x.mean((2, 3))


def max_unpool2d(
    x: Array,
    indices: Array,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    output_size: tuple[int, ...] | None = None,
) -> Array:
    kernel, frame = both(kernel_size), both(padding)
    step = kernel if stride is None else both(stride)
    usual = [
        (n - 1) * s - 2 * p + k for n, s, p, k in zip(x.shape[2:], step, frame, kernel, strict=True)
    ]
    size = tuple(output_size or usual)[-2:]
    flat = np.zeros((*x.shape[:2], size[0] * size[1]))
    for n, c in np.ndindex(x.shape[:2]):
        np.add.at(flat[n, c], indices[n, c].ravel(), x[n, c].ravel())
    return flat.reshape(*x.shape[:2], *size)


def windows(x: Array, *window: Any, **options: Any) -> Array:
    return under(x, *window, **options)


def log_mean_exp(x: Array, function: Any, *window: Any, **options: Any) -> Array:
    return np.log(np.exp(under(x, *window, **options)).mean(-1))


def max_pool1d(x: Array, kernel_size: int, **options: Any) -> Array:
    return max_pool2d(x[:, :, None], (1, kernel_size), **_flat(options))[:, :, 0]


def avg_pool1d(x: Array, kernel_size: int, **options: Any) -> Array:
    return avg_pool2d(x[:, :, None], (1, kernel_size), **_flat(options))[:, :, 0]


def _flat(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a line as those of an image one pixel high."""
    least = {"stride": 1, "padding": 0, "dilation": 1}
    return {k: (least[k], v) if k in least else v for k, v in options.items()}

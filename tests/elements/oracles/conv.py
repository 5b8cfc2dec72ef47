"""What the convolutions compute."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .values import Array, Pair
from .windows import both


def conv2d(
    x: Array,
    weight: Array,
    bias: Array = 0.0,
    stride: Pair = 1,
    padding: Any = 0,
    dilation: Pair = 1,
    groups: int = 1,
    flip: bool = False,
) -> Array:
    """Slide a filter with holes, made by putting zeros between its taps, group by group."""
    (sh, sw), (dh, dw) = both(stride), both(dilation)
    o, c, kh, kw = weight.shape
    holed = np.zeros((o, c, (kh - 1) * dh + 1, (kw - 1) * dw + 1))
    holed[:, :, ::dh, ::dw] = weight[:, :, ::-1, ::-1] if flip else weight
    framed = np.pad(x, ((0, 0), (0, 0), *sides(padding, holed.shape[2:])))
    seen = sliding_window_view(framed, holed.shape[2:], axis=(2, 3))[:, :, ::sh, ::sw]
    parts = [
        np.einsum("ncijuv,ocuv->noij", seen[:, g * c : (g + 1) * c], filters)
        for g, filters in enumerate(np.split(holed, groups))
    ]
    return np.concatenate(parts, axis=1) + np.reshape(bias, (-1, 1, 1))


def sides(padding: Any, span: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the padding before and after, of each axis."""
    if padding == "same":
        return [((k - 1) // 2, k // 2) for k in span]
    if padding == "valid":
        return [(0, 0)] * 2
    return [both(side) for side in both(padding)]


def conv1d(
    x: Array,
    weight: Array,
    bias: Array = 0.0,
    stride: int = 1,
    padding: Any = 0,
    dilation: int = 1,
    groups: int = 1,
    flip: bool = False,
) -> Array:
    if not isinstance(padding, str):
        padding = (0, padding[0] if isinstance(padding, tuple) else padding)
    options = ((1, stride), padding, (1, dilation), groups, flip)
    return conv2d(x[:, :, None], weight[:, :, None], bias, *options)[:, :, 0]


def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Array = 0.0,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
) -> Array:
    """Add each pixel's filter where it belongs, then cut off the padding."""
    (sh, sw), (dh, dw), (ph, pw) = both(stride), both(dilation), both(padding)
    n, c, h, w = x.shape
    _, o, kh, kw = weight.shape
    eh, ew = both(output_padding)
    height, width = (h - 1) * sh + dh * (kh - 1) + 1 + eh, (w - 1) * sw + dw * (kw - 1) + 1 + ew
    out = np.zeros((n, groups, o, height, width))
    pixels = x.reshape(n, groups, c // groups, h, w)
    filters = weight.reshape(groups, c // groups, o, kh, kw)
    for i, j, u, v in np.ndindex(h, w, kh, kw):
        spread = np.einsum("ngc,gco->ngo", pixels[..., i, j], filters[..., u, v])
        out[..., i * sh + u * dh, j * sw + v * dw] += spread
    out = out[..., ph : height - ph, pw : width - pw].reshape(n, groups * o, height - 2 * ph, -1)
    return out + np.reshape(bias, (-1, 1, 1))

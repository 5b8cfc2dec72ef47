"""What lies under each position of a window."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def windows(x: np.ndarray, window: Any) -> np.ndarray:
    """Return (N, OH, OW, C, KH, KW): for each output pixel what lies under the filter."""
    kh, kw, sh, sw, ph, pw = window[:6]
    padded = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
    return sliding_window_view(padded, (kh, kw), axis=(1, 2))[:, ::sh, ::sw]


def patches(x: np.ndarray, window: Any) -> Iterator[tuple[int, int, slice, slice]]:
    """Yield (i, j, rows, columns): output pixels with what their window covers of the image."""
    kh, kw, sh, sw, ph, pw = window[:6]
    _, h, w, _ = x.shape
    oh, ow = (h + 2 * ph - kh) // sh + 1, (w + 2 * pw - kw) // sw + 1
    for i, j in np.ndindex(oh, ow):
        top, left = i * sh - ph, j * sw - pw
        rows, columns = slice(max(top, 0), top + kh), slice(max(left, 0), left + kw)
        yield i, j, rows, columns

"""What lies under the windows that slide over an image."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .values import Array, Pair


def both(value: Pair) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def windows(x: Array, kernel: tuple[int, int], stride: Pair, padding: Pair, fill: float) -> Array:
    """Return (N, C, OH, OW, KH, KW): what lies under each window of a padded image."""
    (sh, sw), (ph, pw) = both(stride), both(padding)
    framed = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    return sliding_window_view(framed, kernel, axis=(2, 3))[:, :, ::sh, ::sw]

"""Random masks, and the product of an array with one."""

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference


@reference("dropout")
def dropout(x: Array, mask: Array, scale: float, out: Array) -> None:
    """out = x · scale where mask is set, x · 0 elsewhere: a NaN stays a NaN."""
    for k in np.ndindex(out.shape):
        out[k] = float(x[k]) * (scale if mask[k] else 0.0)


@reference("dropout_mask")
def dropout_mask(key: int, threshold: int, out: Array) -> None:
    """out[k] = whether the 32-bit random number at place k lies below a threshold of 0 … 2^32.

    Places k, k + 64, k + 128 and k + 192 of a group of 256 share a counter.
    """
    flat = out.reshape(-1)
    for k in range(flat.size):
        group, place = divmod(k, 256)
        flat[k] = _philox(group * 64 + place % 64, key)[place // 64] < threshold


def _philox(counter: int, key: int) -> tuple[int, int, int, int]:
    """Encipher a counter: Philox 4x32 with seven rounds."""
    a, b, c, d = counter % 2**32, counter >> 32, 0, 0
    low, high = key % 2**32, key >> 32
    for _ in range(7):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (q >> 32) ^ b ^ low, q % 2**32, (p >> 32) ^ d ^ high, p % 2**32
        low, high = (low + 0x9E3779B9) % 2**32, (high + 0xBB67AE85) % 2**32
    return a, b, c, d

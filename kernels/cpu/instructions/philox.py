"""Philox 4x32: random numbers that are a function of a key and a counter alone.

A *counter-based* generator enciphers a counter under a key, and has no state between two
numbers. So numbers can be drawn in any order, many at once in a vector register, and by any
number of threads, and are the same. Each round multiplies two of four 32-bit words by
constants, and mixes the halves of the products; seven rounds are the fewest that pass all
tests of BigCrush.

References
----------
.. [1] J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
   SC 2011, sections 3.3 and 4.2.
"""

import numpy as np

from tinygrad_cnn.kernels.jit import compiled

__all__ = ["philox"]

_ROUNDS = 7
_FIRST, _SECOND = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)  # what words are multiplied by
_KEY_LOW_STEP, _KEY_HIGH_STEP = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)  # of each round
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)

Word = np.uint64  # of 32 bits; the others are zero


@compiled(forceinline=True)
def philox(
    a: Word, b: Word, c: Word, d: Word, key_low: Word, key_high: Word
) -> tuple[Word, Word, Word, Word]:
    """Encipher the counter (a, b, c, d), all words of 32 bits kept in 64."""
    low, high = key_low, key_high
    for _ in range(_ROUNDS):
        p, q = _FIRST * a, _SECOND * c
        a, b, c, d = (q >> _HALF) ^ b ^ low, q & _LOW, (p >> _HALF) ^ d ^ high, p & _LOW
        low, high = (low + _KEY_LOW_STEP) & _LOW, (high + _KEY_HIGH_STEP) & _LOW
    return a, b, c, d

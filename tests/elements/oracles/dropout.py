"""What dropout computes, with the masks that it draws."""

import numpy as np

from .values import Array


def words(key: int, count: int) -> list[int]:
    """Return the random numbers of places 0, 1, … under a key: Philox 4x32, seven rounds."""
    numbers = [0] * (-(-count // 256) * 256)
    for counter in range(len(numbers) // 4):
        block = [counter, 0, 0, 0]
        for turn in range(7):
            left, right = block[2] * 0xCD9E8D57, block[0] * 0xD2511F53
            keys = key + turn * 0x9E3779B9, (key >> 32) + turn * 0xBB67AE85
            block = [
                (left >> 32 ^ block[1] ^ keys[0]) % 2**32, left % 2**32,
                (right >> 32 ^ block[3] ^ keys[1]) % 2**32, right % 2**32,
            ]  # fmt: skip
        first = counter // 64 * 256 + counter % 64
        numbers[first : first + 256 : 64] = block
    return numbers[:count]


def mask(shape: tuple[int, ...], p: float, seed: int) -> Array:
    """Draw a key, and a number for each value; those of images lie in the order N, H, W, C."""
    key = int.from_bytes(np.random.default_rng(seed).bytes(8), "little")
    kept = (np.array(words(key, int(np.prod(shape)))) < 2**32 * (1 - p)).astype(float)
    if len(shape) != 4:
        return kept.reshape(shape)
    n, c, h, w = shape
    return kept.reshape(n, h, w, c).transpose(0, 3, 1, 2)


def dropout(x: Array, p: float, seed: int) -> Array:
    return x * mask(x.shape, p, seed) / (1 - p)


def dropout2d(x: Array, p: float, seed: int) -> Array:
    return x * mask((*x.shape[:2], 1, 1), p, seed) / (1 - p)

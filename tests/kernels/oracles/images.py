"""Stored pixels: what is cut out lies in an image with a wide border."""

import numpy as np

from .norm import philox


def normalise_images(x, mean, deviation, out):
    return x.astype(np.float64) / deviation - mean / deviation


def crop_images(x, corners, flips, repeat, out):
    reach = 1 + max(out.shape[1:3]) + np.abs(corners).max(initial=0)
    border = [(0, 0), (reach, reach), (reach, reach), (0, 0)]
    wide = np.pad(x, border, "edge") if repeat and x.size else np.pad(x, border)
    result = np.empty_like(out)
    for image, (top, left), flip, target in zip(wide, corners, flips, result, strict=True):
        down, across = slice(reach + top, None), slice(reach + left, None)
        window = image[down, across][: out.shape[1], : out.shape[2]]
        target[...] = window[:, ::-1] if flip else window
    return result


def cutout_images(x, corners, size, out):
    result = x.copy()
    for image, (top, left) in zip(result, corners, strict=True):
        image[max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0
    return result


def smooth_images(x, weights, out):
    """Each tap moves the whole image, and leaves behind what comes from outside."""
    reach = len(weights) // 2

    def along(axis, values):
        total = np.zeros_like(values)
        for u, weight in enumerate(weights):
            ahead = u - reach
            count = max(values.shape[axis] - abs(ahead), 0)
            target, source = max(-ahead, 0), max(ahead, 0)
            into, of = [slice(None)] * 4, [slice(None)] * 4
            into[axis], of[axis] = slice(target, target + count), slice(source, source + count)
            total[tuple(into)] += weight * values[tuple(of)]
        return total

    return along(1, along(2, x))


def warp_images(x, field, repeat, out):
    """The four neighbours are taken from an image with a border that is marked."""
    count, height, width, _ = x.shape
    n, i, j = np.ogrid[:count, :height, :width]
    row, column = i + field[..., 0], j + field[..., 1]
    lost = np.isnan(row) | np.isnan(column)
    row, column = np.where(lost, 0, row), np.where(lost, 0, column)
    if repeat:
        row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
    row, column = np.clip(row, -2, height + 1), np.clip(column, -2, width + 1)
    border = [(0, 0), (2, 4), (2, 4), (0, 0)]
    wide, inside = np.pad(x, border), np.pad(np.ones_like(x, bool), border)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, across = (row - top)[..., None], (column - left)[..., None]
    near = (row > -1) & (row < height) & (column > -1) & (column < width)
    total = np.zeros_like(x)
    for r, q, share in (
        (0, 0, (1 - down) * (1 - across)),
        (0, 1, (1 - down) * across),
        (1, 0, down * (1 - across)),
        (1, 1, down * across),
    ):
        place = n, top + r + 2, left + q + 2
        total += np.where(near[..., None] & inside[place], share * wide[place], 0)
    return np.where(lost[..., None], np.nan, total)


def random_words(key, first, examples, out):
    counters = -(-out.shape[1] // 4)
    words = np.zeros((4, len(out), counters), np.uint64)
    number = np.uint64(first) + np.arange(counters, dtype=np.uint64)
    words[1], words[0] = np.divmod(number, np.uint64(2**32))
    words[3], words[2] = np.divmod(examples.astype(np.uint64)[:, None], np.uint64(2**32))
    drawn = philox(words.reshape(4, -1), key).reshape(4, len(out), counters)
    return (
        drawn.transpose(1, 2, 0)
        .reshape(len(out), 4 * counters)[:, : out.shape[1]]
        .astype(np.uint32)
    )


ORACLES = {
    "normalise_images": normalise_images,
    "crop_images": crop_images,
    "cutout_images": cutout_images,
    "smooth_images": smooth_images,
    "warp_images": warp_images,
    "random_words": random_words,
}

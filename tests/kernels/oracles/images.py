"""Stored pixels: what is cut out lies in an image with a wide border."""

import numpy as np


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


ORACLES = {"normalise_images": normalise_images, "crop_images": crop_images}

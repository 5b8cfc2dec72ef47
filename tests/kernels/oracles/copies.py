"""Copies, by NumPy's own ways to arrange arrays."""

import numpy as np


def join_channels(*arrays):
    return np.concatenate(arrays[:-1], -1)


def _chosen(box, sizes):
    return np.ix_(*(f + s * np.arange(size) for (f, s), size in zip(box, sizes, strict=True)))


def pick_box(x, box, out):
    return x[_chosen(box, out.shape)]


def place_box(x, box, out):
    result = np.zeros(out.shape)
    np.add.at(result, _chosen(box, x.shape), x)
    return result


def transpose_matrices(x, out):
    return np.einsum("nrk->nkr", x)


ORACLES = {
    "join_channels": join_channels,
    "pick_box": pick_box,
    "place_box": place_box,
    "transpose_matrices": transpose_matrices,
}

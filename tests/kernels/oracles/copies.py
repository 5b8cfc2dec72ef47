"""Copies, by NumPy's own ways to arrange arrays."""

import numpy as np


def join_channels(*arrays):
    return np.concatenate(arrays[:-1], -1)


def slice_channels(x, first, out):
    return np.split(x, (first, first + out.shape[-1]), -1)[1]


def transpose_matrices(x, out):
    return np.einsum("nrk->nkr", x)


ORACLES = {
    "join_channels": join_channels,
    "slice_channels": slice_channels,
    "transpose_matrices": transpose_matrices,
}

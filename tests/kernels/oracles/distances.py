"""Squared distances by broadcasting."""

import numpy as np

ORACLES = {
    "squared_distances": lambda x, w, out: np.sum((x[:, None] - w[None]) ** 2, 2),
    "squared_distances_grad": lambda grad, x, w, out: (
        2 * np.einsum("nk,nkj->nj", grad, x[:, None] - w[None])
    ),
}

"""Affine maps and matrix products as einsums."""

import numpy as np

ORACLES = {
    "affine_forward": lambda x, w, b, out: np.einsum("nd,ed->ne", x, w) + b,
    "affine_grad_input": lambda grad, w, out: np.einsum("ne,ed->nd", grad, w),
    "affine_grad_weight": lambda grad, x, out: np.einsum("ne,nd->ed", grad, x),
    "matmul": lambda a, b, out: np.einsum("smk,skn->smn", a, b),
}

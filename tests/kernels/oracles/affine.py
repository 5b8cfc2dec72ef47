"""Affine maps and matrix products as einsums."""

import numpy as np


def affine_forward(x, weight, bias, out):
    return np.einsum("nd,ed->ne", x, weight) + bias


ORACLES = {
    "affine_forward": affine_forward,
    "affine_relu_forward": lambda *arrays: np.maximum(affine_forward(*arrays), 0),
    "affine_grad_input": lambda grad, w, out: np.einsum("ne,ed->nd", grad, w),
    "affine_grad_weight": lambda grad, x, out: np.einsum("ne,nd->ed", grad, x),
    "matmul": lambda a, b, out: np.einsum("smk,skn->smn", a, b),
}

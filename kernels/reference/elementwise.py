"""Arithmetic and activations: the scalar function of the same name, element by element."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_cnn.kernels.layout import Array
from tinygrad_cnn.kernels.reference import reference
from tinygrad_cnn.kernels.registry import MODULES, variants


def _loop(operation: str) -> Callable[..., None]:
    scalar = variants(operation, "scalar")[0].function

    def kernel(*arrays: Any) -> None:
        """Fill out[k] = f(x[k], ...) for every index k, operands broadcast to out."""
        *operands, out = arrays
        spread: list[Array] = [np.broadcast_to(operand, out.shape) for operand in operands]
        for k in np.ndindex(out.shape):
            out[k] = scalar(*(float(operand[k]) for operand in spread))

    return kernel


for _operation in MODULES["elementwise"]:
    reference(_operation)(_loop(_operation))

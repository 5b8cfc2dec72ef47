"""Rows of arithmetic: value by value, with broadcasting, and between types."""

from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.arithmetic import CastElement

from .row import BROADCASTS, POINTWISE, Case, Twins, apart, case, positive


def cast_to_double(x: Any) -> Any:
    return CastElement(np.dtype(np.float64))(x)


BINARY = [
    case(name, id, function, (make(*x), make(*y)), oracle)
    for name, function, make, oracle in (
        ("add", F.add, apart, np.add),
        ("subtract", F.subtract, apart, np.subtract),
        ("multiply", F.multiply, apart, np.multiply),
        ("divide", F.divide, positive, np.divide),
        ("power", F.power, positive, np.power),
    )
    for id, (x, y) in BROADCASTS.items()
]
UNARY = [
    case(name, id, function, (make(*shape),), oracle, batched=(0,) if shape else ())
    for name, function, make, oracle in (
        ("negative", F.negative, apart, np.negative),
        ("exp", F.exp, apart, np.exp),
        ("log", F.log, positive, np.log),
        ("sqrt", F.sqrt, positive, np.sqrt),
        ("abs", F.abs, apart, np.abs),
    )
    for id, shape in POINTWISE
]
CASTS = [case("cast", "double", cast_to_double, [(2, 3)], np.array, keeps_dtype=False)]

CASES: tuple[Case, ...] = (*BINARY, *UNARY, *CASTS)
RECORDED_BACKWARD_OF = {"abs_grad": "abs"}
NOT_IN_TORCH = frozenset({"cast"})


def in_torch() -> Twins:
    import torch

    return {
        F.add: torch.add,
        F.subtract: torch.subtract,
        F.multiply: torch.multiply,
        F.divide: torch.divide,
        F.power: torch.pow,
        F.negative: torch.negative,
        F.exp: torch.exp,
        F.log: torch.log,
        F.sqrt: torch.sqrt,
        F.abs: torch.abs,
    }

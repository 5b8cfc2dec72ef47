"""One row: what provokes a message, and what it says; and values to provoke it with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_cnn as tg


@dataclass(frozen=True)
class Refusal:
    """One row: a call, the class of its error, and words that its message must contain."""

    id: str
    call: Callable[[], Any]
    error: type[Exception]
    match: str


def zeros(*shape: int, **options: Any) -> tg.Tensor:
    return tg.Tensor(np.zeros(shape, options.pop("dtype", np.float32)), **options)


def ints(*shape: int) -> tg.Tensor:
    return zeros(*shape, dtype=np.int64)


def flags(*shape: int) -> tg.Tensor:
    return zeros(*shape, dtype=np.bool_)


def leaf(*shape: int) -> tg.Tensor:
    return zeros(*shape, requires_grad=True, name="w")


def refusal(id: str, call: Callable[[], Any], error: type[Exception], match: str) -> Refusal:
    return Refusal(id, call, error, match)

"""One row: a layer, its inputs, and what it computes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import nn

IMAGES, ROWS = (2, 3, 6, 6), (4, 3)


@dataclass(frozen=True)
class Case:
    """One row."""

    make: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]  # of the inputs; () stands for labels 0..2
    function: Callable[..., Any]  # of the layer and the inputs: what it computes in its mode
    printed: str
    modes_differ: bool = False  # whether it computes something else in evaluation
    random: bool = False  # whether it draws from the default generator

    def __str__(self) -> str:
        return self.printed.split("\n")[0]

    def draw(self) -> list[Any]:
        generator = np.random.default_rng(1)
        return [
            tg.Tensor(generator.normal(size=shape), requires_grad=True, dtype=np.float32)
            if shape
            else generator.integers(3, size=ROWS[0])
            for shape in self.shapes
        ]

    def call(self, computes: Callable[..., Any], *inputs: Any) -> Any:
        """Call a layer or a function; one that draws finds the same random numbers each time."""
        if self.random:
            tg.manual_seed(0)
        return computes(*inputs)

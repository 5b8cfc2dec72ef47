"""One row: what to call, with what, and what it equals.

Values are drawn away from kinks and ties, so that every derivative exists.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Shape = tuple[int, ...]
Maker = Callable[[np.random.Generator], Any]
Twins = dict[Callable[..., Any], Callable[..., Any]]  # our functions and those of PyTorch


@dataclass(frozen=True)
class Drawn:
    """An input: how its values are drawn, and whether they carry a gradient."""

    kind: str
    shape: Shape
    classes: int = 0

    def draw(self, generator: np.random.Generator) -> Any:
        if self.kind == "normal":
            return generator.normal(size=self.shape)
        if self.kind == "positive":
            return generator.uniform(0.5, 2.0, self.shape)
        if self.kind == "labels":
            return generator.integers(self.classes, size=self.shape)
        if self.kind == "signs":
            return 2 * generator.integers(2, size=self.shape) - 1
        # "apart": no two values closer than 0.1, none closer to zero than 0.05
        size = int(np.prod(self.shape))
        steps = generator.permutation(size) - size // 2 + 0.5
        return (0.1 * steps + generator.uniform(-0.02, 0.02, size)).reshape(self.shape)


def positive(*shape: int) -> Drawn:
    return Drawn("positive", shape)


def apart(*shape: int) -> Drawn:
    return Drawn("apart", shape)


def labels(count: int, classes: int) -> Drawn:
    return Drawn("labels", (count,), classes)


def signs(*shape: int) -> Drawn:
    return Drawn("signs", shape)


@dataclass(frozen=True)
class Case:
    """One row."""

    elements: str  # the elements that it covers, separated by spaces
    id: str
    function: Callable[..., Any]
    inputs: tuple[Drawn, ...]
    oracle: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)
    batched: tuple[int, ...] = ()  # the inputs whose first axis is the batch
    twice: bool = True  # check second derivatives; off where another row is the smaller twin
    multiply_adds: int = 0
    keeps_dtype: bool = True

    def draw(self, seed: int = 1) -> list[Any]:
        generator = np.random.default_rng(seed)
        return [drawn.draw(generator) for drawn in self.inputs]

    def run(self, *values: Any) -> Any:
        return self.function(*values, **self.options)

    def expect(self, *values: Any) -> Any:
        return self.oracle(*values, **self.options)

    def __str__(self) -> str:
        return f"{self.elements.split()[0]}-{self.id}"


def case(
    elements: str,
    id: str,
    function: Callable[..., Any],
    inputs: Sequence[Drawn | Shape],
    oracle: Callable[..., Any],
    options: dict[str, Any] | None = None,
    **facts: Any,
) -> Case:
    drawn = tuple(i if isinstance(i, Drawn) else Drawn("normal", i) for i in inputs)
    return Case(elements, id, function, drawn, oracle, options or {}, **facts)


# Inputs of elements that work value by value: of two inputs, and of one.
BROADCASTS = {
    "equal": ((2, 3), (2, 3)),
    "row": ((2, 3), (3,)),
    "column": ((2, 3), (2, 1)),
    "both": ((2, 1), (1, 3)),
    "number": ((), (2, 2)),
    "images-and-channels": ((2, 3, 2, 2), (3, 1, 1)),
}
POINTWISE = (("vector", (5,)), ("number", ()), ("images", (2, 3, 2, 2)))

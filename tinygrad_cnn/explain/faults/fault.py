"""What a fault is: a mistake in the chain rule, as data, and where it is put into the engine."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tinygrad_cnn.explain.rendering.notebook import Printed

KINDS = ("rule", "sum", "step")  # of an element, at a fan-in, of the training step


@dataclass(frozen=True)
class Exchange:
    """One method that a fault exchanges.

    Parameters
    ----------
    owner : type
        The class that defines it.
    method : str
        Its name.
    wrong : callable
        ``wrong(right, self, *arguments)``: what runs in its place; `right` is the method itself.
    """

    owner: type
    method: str
    wrong: Callable[..., Any]


@dataclass(frozen=True)
class Fault(Printed):
    """A mistake that can be switched on.

    Parameters
    ----------
    name : str
    kind : {"rule", "sum", "step"}
        Whether the rule of an element is wrong, the sum at a fan-in, or the training step.
    says : str
        What is wrong, in one sentence.
    mistake : str
        What one typically writes, in code of one's own.
    right, wrong : str
        The equation as it is and as the fault has it.
    touches : tuple of str
        The elements, or the part of a training step. A name stands for those with an activation
        behind them too: "conv2d" and "relu" both touch "conv2d_relu".
    exchanges : tuple of Exchange
    unseen : str
        Where the fault changes nothing.
    """

    name: str
    kind: str
    says: str
    mistake: str
    right: str
    wrong: str
    touches: tuple[str, ...]
    exchanges: tuple[Exchange, ...] = field(repr=False)
    unseen: str = ""

    def __str__(self) -> str:
        lines = [
            f"{self.name}: {self.says}",
            f"  right    {self.right}",
            f"  wrong    {self.wrong}",
            f"  mistake  {self.mistake}",
            f"  touches  {', '.join(self.touches)}",
        ]
        return "\n".join(lines + ([f"  unseen   {self.unseen}"] if self.unseen else []))

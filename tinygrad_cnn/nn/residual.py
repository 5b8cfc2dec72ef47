"""The sum where a shortcut meets the branch beside it."""

from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.activated import require_activation
from tinygrad_cnn.nn.module import Module
from tinygrad_cnn.tensor import Tensor


class Add(Module):
    """Add two tensors, and rectify the sum where that is asked for.

    Parameters
    ----------
    activation : {None, "relu"}
        "relu" makes it one element, :func:`tinygrad_cnn.functional.add_relu`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.nn.Add("relu")(tg.Tensor([1.0, -3.0]), tg.Tensor([1.0, 2.0])).tolist()
    [2.0, 0.0]
    """

    activations = ("relu",)

    def __init__(self, activation: str | None = None) -> None:
        super().__init__()
        require_activation("Add", activation, self.activations)
        self.activation = activation

    def forward(self, x: Tensor, y: Tensor) -> Any:
        """Add."""
        return x + y if self.activation is None else F.add_relu(x, y)

    def options(self) -> str:
        return self.activation or ""

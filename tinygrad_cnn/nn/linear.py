"""The affine layer."""

from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.activated import require_activation
from tinygrad_cnn.nn import init
from tinygrad_cnn.nn.module import Module, Parameter
from tinygrad_cnn.nn.requirements import require_positive
from tinygrad_cnn.tensor import Tensor


class Linear(Module):
    """The affine layer z = W x + b.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of x and z; weight is (out_features, in_features).
    bias : bool
        Whether there is a b.
    activation : {None, "relu", "sigmoid", "tanh"}
        What is applied to the result in the same element.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> nn.Linear(400, 120).count_parameters()
    48120
    """

    activations = ("relu", "sigmoid", "tanh")

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        require_activation("Linear", activation, self.activations)
        self.activation = activation
        require_positive("Linear", in_features=in_features, out_features=out_features)
        self.weight = Parameter(np.empty((out_features, in_features), np.float32))
        self.bias = Parameter(np.empty(out_features, np.float32)) if bias else None
        self.fan_in = in_features
        init.fan_in_uniform_(self.weight, self.fan_in)
        init.fan_in_uniform_(self.bias, self.fan_in)

    @property
    def in_features(self) -> int:
        """Size of x."""
        return self.weight.shape[1]

    @property
    def out_features(self) -> int:
        """Size of z."""
        return self.weight.shape[0]

    def forward(self, x: Tensor) -> Any:
        """Map (..., in_features) to (..., out_features)."""
        return F.linear(x, self.weight, self.bias, activation=self.activation)

    def options(self) -> str:
        words = f"{self.weight.shape[1]}, {self.weight.shape[0]}"
        return f"{words}, activation {self.activation}" if self.activation else words

"""Activation layers."""

from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn.nn.module import Module
from tinygrad_cnn.tensor import Tensor


class Sigmoid(Module):
    """a = 1 / (1 + exp(-z))."""

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.sigmoid(z)


class Tanh(Module):
    """a = tanh(z)."""

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.tanh(z)


class ScaledTanh(Module):
    """a = 1.7159 tanh(2/3 z)."""

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.scaled_tanh(z)


class ReLU(Module):
    """a = max(0, z)."""

    def forward(self, z: Tensor) -> Any:
        """Apply to each element."""
        return F.relu(z)

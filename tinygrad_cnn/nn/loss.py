"""Losses as layers."""

from typing import Any

from tinygrad_cnn import functional as F
from tinygrad_cnn.nn.module import Module
from tinygrad_cnn.tensor import Tensor


class CrossEntropyLoss(Module):
    """Softmax and negative log-likelihood; see :func:`tinygrad_cnn.functional.cross_entropy`."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, x: Tensor, labels: Any) -> Any:
        """Compare scores (N, K) with labels (N,)."""
        return F.cross_entropy(x, labels, self.reduction)

    def options(self) -> str:
        return f"reduction={self.reduction}" if self.reduction != "mean" else ""


class MSELoss(Module):
    """Mean squared error; see :func:`tinygrad_cnn.functional.mse_loss`."""

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, a: Tensor, y: Tensor) -> Any:
        """Compare predictions with targets of the same shape."""
        return F.mse_loss(a, y, self.reduction)

    def options(self) -> str:
        return f"reduction={self.reduction}" if self.reduction != "mean" else ""

"""The affine map of one number and its adjoints."""

from tinygrad_cnn.kernels.registry import implements


@implements("affine_forward", device="scalar", variant="python")
def affine_forward(x: float, weight: float, bias: float) -> float:
    """Return weight * x + bias."""
    return weight * x + bias


@implements("affine_grad_input", device="scalar", variant="python")
def affine_grad_input(grad: float, weight: float) -> float:
    """Return weight * grad."""
    return weight * grad


@implements("affine_grad_weight", device="scalar", variant="python")
def affine_grad_weight(grad: float, x: float) -> float:
    """Return grad * x."""
    return grad * x

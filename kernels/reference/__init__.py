"""The operations on arrays as plain loops: short, slow, and the definition to read first.

They run without Numba, in float32 or float64, as the variant ``reference`` of device
``cpu``: ``with kernels.use(conv2d_forward="reference"): ...``.
"""

from collections.abc import Callable
from typing import Any

from tinygrad_cnn.kernels.registry import implements


def reference(operation: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the plain-loop kernel of an operation; it is tried after all others."""
    return implements(operation, device="cpu", variant="reference", rank=100)

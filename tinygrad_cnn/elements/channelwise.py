"""What elements share that compute along channels: memory in which channels are neighbours."""

import math
from typing import Any

from tinygrad_cnn.element import ArrayElement
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.kernels import layout


def as_images(shape: Shape) -> Shape:
    """Return (N, C, ...) as the shape that has a channels-last form: (N, C) or (N, C, H, W)."""
    return shape if len(shape) in (2, 4) else (*shape[:2], 1, math.prod(shape[2:]))


class ChannelwiseElement(ArrayElement):
    """Common part: arrays (N, C, ...) as kernels read and write them."""

    def channels_last(self, x: Any) -> Any:
        """Return a (N, C, ...) array as the kernels read it, (N, H, W, C) or (N, C)."""
        return layout.channels_last(x.reshape(as_images(x.shape)))

    def empty_like(self, x: Any) -> Any:
        """Allocate a result of the shape of x for a kernel to fill through `channels_last`."""
        return self.device.empty_activation(as_images(x.shape), x.dtype)

    def api_view(self, out: Any, shape: Shape) -> Any:
        """Return a result in the shape that the user sees."""
        return out if out.shape == shape else layout.contiguous(out.reshape(shape))

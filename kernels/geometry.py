"""Sliding windows, and the letters that shapes are written with.

======  ==========================================  =======  =========================
letter  meaning                                     letter   meaning
======  ==========================================  =======  =========================
N       images in the batch                         KH, KW   kernel height and width
C       input channels                              SH, SW   stride down and across
O       output channels                             PH, PW   zero padding, each side
H, W    input height and width                      DH, DW   dilation down and across
OH, OW  output height and width                     EH, EW   further reach at the far side
K       classes                                     D, E     features in and out
======  ==========================================  =======  =========================

Loops use one letter each: ``n`` image, ``o`` output channel, ``c`` input channel, ``i`` and
``j`` output row and column, ``r`` and ``q`` input row and column, ``u`` and ``v`` kernel row
and column.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from tinygrad_cnn.errors import OptionError

Pair = tuple[int, int]


class Window(NamedTuple):
    """A two-dimensional sliding window, in pixels.

    It is a tuple of plain integers, so it travels unchanged from the public function down
    into a compiled kernel.

    Parameters
    ----------
    kh, kw : int
        Kernel size.
    sh, sw : int
        Stride.
    ph, pw : int
        Padding at the top and at the left, and as much at the bottom and at the right.
    dh, dw : int
        Dilation: pixels from one tap of the kernel to the next.
    eh, ew : int
        Rows and columns that the last windows may reach beyond that padding: more at the
        bottom than at the top, or, in pooling, what rounding the output size up takes.
        Negative where the far side has less padding than the near one.
    groups : int
        Of a convolution: parts that channels are divided into, each with its own filters.

    Examples
    --------
    >>> Window(kh=11, kw=11, sh=4, sw=4).output_size(227, 227)
    (55, 55)
    >>> Window(kh=3, kw=3, dh=2, dw=2).output_size(7, 7)
    (3, 3)
    """

    kh: int
    kw: int
    sh: int = 1
    sw: int = 1
    ph: int = 0
    pw: int = 0
    dh: int = 1
    dw: int = 1
    eh: int = 0
    ew: int = 0
    groups: int = 1

    def span(self) -> Pair:
        """Return the rows and columns from the first tap to the last, gaps included."""
        return self.dh * (self.kh - 1) + 1, self.dw * (self.kw - 1) + 1

    def output_size(self, height: int, width: int) -> Pair:
        """Return (OH, OW) with ``OH = floor((H + 2 PH + EH - span) / SH) + 1``, OW likewise."""
        down, across = self.span()
        return (
            (height + 2 * self.ph + self.eh - down) // self.sh + 1,
            (width + 2 * self.pw + self.ew - across) // self.sw + 1,
        )


# Where the images and the filters stand among the arrays of a pass, the result last.
_IMAGES_AND_FILTERS = {"forward": (0, 1), "grad_input": (-1, 1), "grad_weight": (1, -1)}


class Convolution(NamedTuple):
    """A whole convolution layer: all that decides which variant of a kernel serves it.

    Parameters
    ----------
    images, height, width, channels : int
        Shape of the images (N, H, W, C).
    filters : int
        Output channels, of all groups.
    window : Window
    """

    images: int
    height: int
    width: int
    channels: int
    filters: int
    window: Window

    @staticmethod
    def of(operation: str, arrays: Sequence[Any], window: Window) -> "Convolution":
        """Read it off the arrays of one of the three passes, in the order of its kernels.

        Examples
        --------
        >>> import numpy as np
        >>> x, weight, grad = np.empty((2, 9, 9, 3)), np.empty((6, 3, 5, 5)), np.empty((2, 5, 5, 6))
        >>> layer = Convolution.of("conv2d_grad_weight", (grad, x, weight), Window(5, 5))
        >>> layer.images, layer.channels, layer.filters
        (2, 3, 6)
        """
        image, weight = _images_and_filters(operation)
        return _layer(arrays[image].shape, arrays[weight].shape[0], window)


@lru_cache(maxsize=4096)
def _layer(image: tuple[int, int, int, int], filters: int, window: Window) -> Convolution:
    """Return the layer of these shapes: the same object each time, which is found faster."""
    return Convolution(*image, filters, window)


@lru_cache(maxsize=256)
def _images_and_filters(operation: str) -> Pair:
    for suffix, places in _IMAGES_AND_FILTERS.items():
        if operation.endswith(suffix):
            return places
    raise OptionError(
        f"Convolution.of: a pass ends in {', '.join(_IMAGES_AND_FILTERS)}; got {operation!r}"
    )

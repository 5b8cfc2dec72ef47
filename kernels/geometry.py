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

from typing import NamedTuple

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

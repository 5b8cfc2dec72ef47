"""Sliding windows, and the letters that shapes are written with.

======  ==========================================  =======  =========================
letter  meaning                                     letter   meaning
======  ==========================================  =======  =========================
N       images in the batch                         KH, KW   kernel height and width
C       input channels                              SH, SW   stride down and across
O       output channels                             PH, PW   zero padding, each side
H, W    input height and width                      K        classes
OH, OW  output height and width                     D, E     features in and out
======  ==========================================  =======  =========================

Loops use one letter each: ``n`` image, ``o`` output channel, ``c`` input channel, ``i`` and
``j`` output row and column, ``r`` and ``q`` input row and column, ``u`` and ``v`` kernel row
and column.
"""

from typing import NamedTuple

Pair = tuple[int, int]


class Window(NamedTuple):
    """Kernel size, stride and zero padding of a two-dimensional sliding window, in pixels.

    It is a tuple of plain integers, so it travels unchanged from the public function down
    into a compiled kernel.

    Examples
    --------
    >>> Window(kh=11, kw=11, sh=4, sw=4).output_size(227, 227)
    (55, 55)
    """

    kh: int
    kw: int
    sh: int = 1
    sw: int = 1
    ph: int = 0
    pw: int = 0

    def output_size(self, height: int, width: int) -> Pair:
        """Return (OH, OW) with ``OH = floor((H + 2 PH - KH) / SH) + 1``, OW likewise."""
        return (
            (height + 2 * self.ph - self.kh) // self.sh + 1,
            (width + 2 * self.pw - self.kw) // self.sw + 1,
        )

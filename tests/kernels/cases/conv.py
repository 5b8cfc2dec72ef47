"""Convolutions, their adjoints, and the gradient of their bias."""

from collections.abc import Iterator
from typing import Any

from tinygrad_cnn.kernels.geometry import Window

from .case import Case

# N, H, W, C, O, window
CONV = (
    (2, 7, 9, 3, 6, Window(3, 3, 1, 1, 1, 1)),
    (2, 9, 9, 1, 6, Window(5, 5)),
    (1, 5, 5, 16, 10, Window(5, 5)),  # the kernel is as large as the image
    (3, 4, 4, 2, 1, Window(4, 4)),
    (3, 9, 8, 1, 6, Window(5, 3, 2, 3, 2, 1)),
    (2, 6, 6, 5, 33, Window(1, 1, 2, 2)),  # three of four pixels lie under no tap
    (2, 6, 7, 4, 3, Window(3, 2, 1, 2, 0, 3)),  # more padding than kernel
    (1, 8, 8, 20, 40, Window(2, 2, 3, 3, 1, 0)),
    (40, 4, 4, 3, 5, Window(3, 3, 1, 1, 1, 1)),  # several images in a block
    (1, 3, 1, 17, 16, Window(3, 1, 1, 1, 1, 0)),
    (1, 40, 30, 24, 32, Window(3, 3, 1, 1, 1, 1)),  # several blocks in an image
    (4, 16, 16, 8, 12, Window(3, 3, 2, 2, 1, 1)),
    (8, 20, 20, 16, 24, Window(3, 3, 1, 1, 1, 1)),  # enough work to fork, several partial sums
    (0, 8, 8, 2, 4, Window(3, 3)),
    # 3x3 with enough channels and pixels for Winograd's weight gradient
    (8, 4, 4, 16, 16, Window(3, 3, 1, 1, 1, 1)),  # an image is one tile
    (6, 6, 6, 16, 17, Window(3, 3)),  # ... without padding
    (8, 7, 5, 33, 17, Window(3, 3, 1, 1, 1, 1)),  # tiles that reach beyond the image
    (4, 5, 9, 48, 16, Window(3, 3, 1, 1, 2, 2)),
    (1, 14, 15, 16, 20, Window(3, 3, 1, 1, 2, 0, eh=-1, ew=2)),  # an uneven far side
    (4, 8, 8, 144, 160, Window(3, 3, 1, 1, 1, 1)),  # several sets of channels
    (40, 12, 12, 17, 33, Window(3, 3, 1, 1, 1, 1)),  # enough work to fork, several partial sums
    (21, 5, 5, 9, 40, Window(3, 3, 1, 1, 1, 1)),  # the last block has fewer images
    (19, 12, 11, 3, 20, Window(3, 3, 1, 1, 1, 1)),  # so it has where pixels spread their shares
    (40, 14, 14, 6, 16, Window(5, 5)),
    (1, 3, 3, 24, 600, Window(3, 3, 1, 1, 1, 1)),  # a task packs several panels
    # dilation, alone and against the stride
    (2, 9, 8, 3, 5, Window(3, 3, dh=2, dw=3)),
    (1, 9, 11, 5, 7, Window(3, 2, 1, 1, 2, 1, 1, 2)),
    (2, 10, 9, 2, 3, Window(3, 4, 2, 3, 2, 4, 3, 2)),
    (1, 11, 12, 4, 3, Window(3, 3, 2, 6, 1, 2, 2, 4)),  # strides and dilations with a factor
    (1, 9, 9, 2, 2, Window(2, 3, 4, 3, 3, 3, 2, 3)),  # some pixels lie under no tap
    (6, 20, 18, 16, 24, Window(3, 3, 1, 1, 2, 2, 2, 2)),  # enough work to fork
    # few filters on one channel: pixels fill the vectors
    (2, 20, 21, 1, 6, Window(5, 5)),
    (2, 19, 52, 1, 10, Window(3, 3, 2, 1, 0, 0, 2, 2)),  # several tiles in a row
    (3, 9, 36, 1, 1, Window(2, 5)),
    (20, 30, 30, 1, 6, Window(5, 5)),  # enough work to fork
    # more padding at the far side, and less
    (2, 6, 5, 3, 4, Window(2, 4, ph=0, pw=1, eh=1, ew=1)),
    (2, 6, 7, 3, 4, Window(3, 3, 2, 2, 2, 3, eh=-2, ew=-3)),
    (1, 5, 6, 2, 3, Window(3, 3, 1, 2, 0, 0, 2, 1, 4, 3)),
    # groups
    (2, 6, 7, 4, 6, Window(3, 3, 1, 1, 1, 1, groups=2)),
    (2, 5, 5, 6, 3, Window(2, 2, groups=3)),
    (2, 7, 6, 6, 4, Window(1, 1, 2, 1, groups=2)),
    (2, 8, 9, 6, 9, Window(3, 2, 2, 3, 1, 2, 2, 2, 1, -1, 3)),  # all of it at once
    (3, 16, 17, 40, 56, Window(3, 3, 1, 1, 1, 1, groups=2)),
    (6, 20, 18, 64, 64, Window(3, 3, 1, 1, 1, 1, groups=8)),  # enough work to fork
    (0, 5, 5, 4, 4, Window(3, 3, groups=2)),
    # each channel by itself: one filter for each, or several
    (2, 7, 6, 5, 5, Window(3, 3, 1, 1, 1, 1, groups=5)),
    (1, 6, 6, 3, 6, Window(3, 3, groups=3)),
    (2, 9, 8, 37, 37, Window(3, 3, 2, 2, 1, 1, groups=37)),
    (1, 9, 10, 3, 9, Window(2, 4, 3, 2, 2, 3, 2, 2, -1, 1, 3)),
    (2, 9, 9, 17, 34, Window(5, 5, 1, 2, 2, 2, groups=17)),
    (1, 4, 4, 2, 2, Window(1, 1, 2, 2, groups=2)),
    (8, 30, 28, 96, 96, Window(3, 3, 1, 1, 1, 1, groups=96)),  # enough work to fork
    (0, 5, 5, 4, 4, Window(3, 3, groups=4)),
    # 3x3 filters with enough channels, pixels and images for Winograd
    (2, 24, 20, 16, 16, Window(3, 3, 1, 1, 1, 1)),
    (16, 8, 8, 17, 33, Window(3, 3, 1, 1, 1, 1)),
    (9, 7, 7, 32, 32, Window(3, 3, 1, 1, 1, 1)),  # tiles that reach beyond the result
    (40, 4, 4, 32, 32, Window(3, 3, 1, 1, 1, 1)),  # one tile ...
    (60, 3, 4, 32, 32, Window(3, 3, 1, 1, 1, 1)),  # ... and less
    (16, 9, 8, 32, 48, Window(3, 3)),
    (12, 6, 6, 32, 32, Window(3, 3, 1, 1, 2, 2)),
    (12, 8, 8, 32, 32, Window(3, 3, 1, 1, 3, 3)),  # more padding than filter
    (12, 9, 8, 32, 32, Window(3, 3, 1, 1, 0, 2, eh=2, ew=-1)),
    (20, 4, 4, 160, 288, Window(3, 3, 1, 1, 1, 1)),  # several sets of filters
    (12, 17, 16, 64, 64, Window(3, 3, 1, 1, 1, 1)),  # enough work to fork
    (0, 8, 8, 32, 32, Window(3, 3, 1, 1, 1, 1)),
)


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for n, h, w, c, o, window in CONV:
        oh, ow = window.output_size(h, w)
        label = f"N{n} {h}x{w} C{c} O{o} {tuple(window)}"
        channels, filters = c // window.groups, o // window.groups
        x, bias = values(n, h, w, c), values(o)
        weight = values(o, channels, window.kh, window.kw)
        grad = values(n, oh, ow, o)
        taps = window.kh * window.kw
        for operation in ("conv2d_forward", "conv2d_relu_forward"):
            yield Case(
                operation, label, (x, weight, bias, window), ((grad.shape, dtype),),
                terms=taps * channels,
            )  # fmt: skip
        yield Case(
            "conv2d_grad_input", label, (grad, weight, window), ((x.shape, dtype),),
            terms=taps * filters,
        )  # fmt: skip
        yield Case(
            "conv2d_grad_weight", label, (grad, x, window), ((weight.shape, dtype),),
            terms=n * oh * ow,
        )  # fmt: skip
        yield Case(
            "channel_sum", label, (grad,), ((bias.shape, dtype),),
            terms=n * oh * ow,
        )  # fmt: skip
    yield Case("channel_sum", "matrix", (values(9, 5),), (((5,), dtype),), terms=9)

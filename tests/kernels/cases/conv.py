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
)


def cases(values: Any, rng: Any, dtype: Any) -> Iterator[Case]:
    for n, h, w, c, o, window in CONV:
        oh, ow = window.output_size(h, w)
        label = f"N{n} {h}x{w} C{c} O{o} {tuple(window)}"
        x, weight, bias = values(n, h, w, c), values(o, c, window.kh, window.kw), values(o)
        grad = values(n, oh, ow, o)
        taps = window.kh * window.kw
        yield Case(
            "conv2d_forward", label, (x, weight, bias, window), ((grad.shape, dtype),),
            terms=taps * c,
        )  # fmt: skip
        yield Case(
            "conv2d_grad_input", label, (grad, weight, window), ((x.shape, dtype),),
            terms=taps * o,
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

"""Convolution and pooling of small images, forward and backward, number by number.

Run it: python demos/04_convolution_and_pooling.py
"""

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F

IMAGE = [[1, 2, 3, 4, 5], [2, 1, 0, 1, 2], [3, 0, 1, 1, 0], [1, 4, 1, 1, 2], [2, 1, 1, 0, 0]]
FILTER = [[1, 0, 1], [1, 0, 1], [0, 1, 0]]


def as_batch(rows: list[list[int]], **options: bool) -> tg.Tensor:
    """Return rows of numbers as a batch of one image with one channel."""
    return tg.Tensor(np.array([[rows]], np.float64), **options)


def show(title: str, images: tg.Tensor, expected: list[list[float]] | None = None) -> None:
    """Print the one image of a batch, and stop where it is not what is expected."""
    print(f"\n{title}")
    for row in images.tolist()[0][0]:
        print("  " + " ".join(f"{value:6g}" for value in row))
    if expected is not None and images.tolist()[0][0] != expected:
        raise SystemExit(f"{title}: expected {expected}")


# -- convolution -------------------------------------------------------------------------
image, filter_ = as_batch(IMAGE, requires_grad=True), as_batch(FILTER, requires_grad=True)
show("image", image)
show("filter", filter_)
z = F.conv2d(image, filter_)
show("image ⋆ filter, stride 1", z, [[6, 9, 11], [10, 4, 4], [7, 7, 4]])
show("image ⋆ filter, stride 2", F.conv2d(image, filter_, stride=2), [[6, 11], [7, 4]])

# An error signal of 1 at every output: each pixel hears from the filter weights it met.
z.backward(gradient=tg.Tensor(np.ones(z.shape)))
show("δ(image): how many weights, and which, each pixel met", image.grad)
show("∇filter: the sum of the pixels that each weight met", filter_.grad)

# -- pooling -----------------------------------------------------------------------------
small = as_batch([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]], requires_grad=True)
show("a 4x4 image", small)
signal = as_batch([[10, 20], [30, 40]])
for pool, pooled in ((F.max_pool2d, [[6, 8], [3, 4]]), (F.avg_pool2d, [[3.25, 5.25], [2, 2]])):
    small.zero_grad()
    with tg.explain.record():
        y = pool(small, 2)
        y.backward(gradient=signal)
    show(f"{pool.__name__} 2x2", y, pooled)
    show(f"δ upsampled through {pool.__name__}, from 10 20 / 30 40", small.grad)

# -- of equal values, the first wins -------------------------------------------------------
tie = as_batch([[7, 7], [7, 7]], requires_grad=True)
F.max_pool2d(tie, 2).backward(gradient=as_batch([[1]]))
show("δ of four equal pixels under a maximum", tie.grad, [[1, 0], [0, 0]])

# -- a residual connection -----------------------------------------------------------------
branch = as_batch([[32, -12, 22], [-10, -41, 1], [-30, 10, -2]], requires_grad=True)
skip = as_batch([[20, 3, 8], [41, 19, 21], [5, 52, 12]], requires_grad=True)
with tg.explain.record():
    a = F.relu(branch + skip)
    a.backward(gradient=tg.Tensor(np.ones(a.shape)))
show("relu(F(x) + x)", a, [[52, 0, 30], [31, 0, 22], [0, 62, 10]])
show("δ reaches the branch and the skip alike", skip.grad)
print("\n" + tg.explain.story(a))

from itertools import product

import numpy as np
import pytest

from tinygrad_cnn.kernels.cpu.conv import _forward_plan
from tinygrad_cnn.kernels.cpu.products.taps import Axis, backward_axis, forward_axis, kinds
from tinygrad_cnn.kernels.geometry import Window

AXES = [  # image, kernel, stride, padding, dilation
    axis
    for axis in product((1, 4, 9), (1, 2, 3, 5), (1, 2, 3), (0, 1, 3), (1, 2, 3))
    if axis[0] + 2 * axis[3] >= axis[4] * (axis[1] - 1) + 1
]


def meetings(axis: Axis) -> set[tuple[int, int, int]]:
    """Return (pixel, tap, place in the source) of all that meet."""
    return {
        (pixel, axis.order[axis.first[pixel] + k], axis.start[pixel] + k * axis.move)
        for pixel in range(len(axis.taps))
        for k in range(axis.taps[pixel])
    }


@pytest.mark.parametrize(("image", "kernel", "stride", "padding", "dilation"), AXES)
def test_both_axes_list_the_taps_that_lie_on_the_image(image, kernel, stride, padding, dilation):
    out = (image + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    places = {(i, u, i * stride + u * dilation - padding) for i, u in np.ndindex(out, kernel)}
    places = {(i, u, r) for i, u, r in places if 0 <= r < image}
    forward = forward_axis(image, out, kernel, stride, padding, dilation)
    backward = backward_axis(out, image, kernel, stride, padding, dilation)
    assert meetings(forward) == places
    assert meetings(backward) == {(r, u, i) for i, u, r in places}
    assert sorted(forward.order) == sorted(backward.order) == list(range(kernel))


def test_kinds_divide_the_pixels_by_what_they_meet():
    axis = forward_axis(6, 6, 3, 1, 1, 1)
    found = [(kind.first, kind.taps, kind.pixels.tolist()) for kind in kinds(axis)]
    assert found == [(0, 2, [5]), (0, 3, [1, 2, 3, 4]), (1, 2, [0])]


def test_the_plan_of_a_large_image_is_no_larger_than_a_few_bands_of_it():
    shape = (1, 2048, 2048, 4)
    plan = _forward_plan(shape, (4, 4, 3, 3), shape, Window(3, 3, 1, 1, 1, 1), False, np.float32)
    assert plan.size < 2048 * 100

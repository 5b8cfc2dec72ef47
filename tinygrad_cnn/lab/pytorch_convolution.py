"""The three passes of a convolution as PyTorch runs them, in both of its layouts."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.kernels.geometry import Window
from tinygrad_cnn.lab.machine import pytorch

Array = npt.NDArray[Any]

LAYOUTS = ("NCHW", "channels-last")


def pytorch_calls(
    operation: str, operands: Sequence[Array], shape: tuple[int, ...], window: Window
) -> dict[str, Callable[[], Any]]:
    """Return a call for each layout; none where PyTorch has no such convolution.

    Parameters
    ----------
    operation : {"conv2d_forward", "conv2d_grad_input", "conv2d_grad_weight"}
    operands : sequence of ndarray
        What our kernel takes, images as (N, H, W, C). Each layout gets them in its own way,
        before anything is timed.
    shape : tuple of int
        Of our result.
    window : Window
    """
    if window.eh or window.ew:  # PyTorch pads both sides alike
        return {}
    make = _forward if operation == "conv2d_forward" else _backward
    return {
        f"pytorch, {layout}": make(operation, operands, shape, window, layout) for layout in LAYOUTS
    }


def _tensor(array: Array, is_images: bool, layout: str) -> Any:
    torch = pytorch()
    value = torch.from_numpy(array)
    if value.ndim < 4:
        return value
    value = value.permute(0, 3, 1, 2) if is_images else value
    form = torch.channels_last if layout == LAYOUTS[1] else torch.contiguous_format
    return value.contiguous(memory_format=form)


def _options(window: Window) -> tuple[list[int], list[int], list[int]]:
    return [window.sh, window.sw], [window.ph, window.pw], [window.dh, window.dw]


def _forward(
    operation: str,
    operands: Sequence[Array],
    shape: tuple[int, ...],
    window: Window,
    layout: str,
) -> Callable[[], Any]:
    torch = pytorch()
    x, weight, bias = (_tensor(array, k == 0, layout) for k, array in enumerate(operands))
    options = (*_options(window), window.groups)

    def run() -> Any:
        with torch.no_grad():
            return torch.nn.functional.conv2d(x, weight, bias, *options)

    return run


def _backward(
    operation: str,
    operands: Sequence[Array],
    shape: tuple[int, ...],
    window: Window,
    layout: str,
) -> Callable[[], Any]:
    """Ask for one gradient; of what it is the gradient of, PyTorch sees shape and layout."""
    torch = pytorch()
    of_input = operation == "conv2d_grad_input"
    grad = _tensor(operands[0], True, layout)
    other = _tensor(operands[1], not of_input, layout)
    wanted = _tensor(np.zeros(shape, np.float32), of_input, layout)
    x, weight = (wanted, other) if of_input else (other, wanted)
    options = (None, *_options(window), False, [0, 0], window.groups)
    mask = [of_input, not of_input, False]

    def run() -> Any:
        with torch.no_grad():
            gradients = torch.ops.aten.convolution_backward(grad, x, weight, *options, mask)
        return gradients[0 if of_input else 1]

    return run

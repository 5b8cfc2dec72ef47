"""Pictures that look different in every epoch: cut out at random places, mirrored.

:mod:`tinygrad_cnn.data` does it, with its own random numbers: what a picture becomes depends on
seed, epoch and the picture's position in the data set of a ``DataLoader``, whatever the batch,
the order and the worker threads. Outside of a loader the default generator is drawn from.
"""

from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import data
from tinygrad_cnn.compat.picture_transforms import picture, require_picture
from tinygrad_cnn.data.examples import example_draws
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.random import default_generator

_ANY_SEED = 1 << 63


class _Random:
    """Common part: a transform of batches applied to one picture of Pillow's, or one tensor."""

    transform: Any

    def __call__(self, shown: Any) -> Any:
        """Return what becomes of it this time."""
        draws = example_draws()
        if draws is None:
            draws = data.Draws(int(default_generator().integers(_ANY_SEED)), 0, [0])
        if isinstance(shown, tg.Tensor):
            return tg.Tensor(self.transform(shown.numpy()[None], draws)[0])
        require_picture(type(self).__name__, shown)
        pixels = np.asarray(shown.convert("RGB") if shown.mode == "P" else shown)
        planes = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
        return picture(self.transform(planes[None], draws)[0])

    def __repr__(self) -> str:
        return repr(self.transform)


class RandomCrop(_Random):
    """Cut a window out at a random place; see :class:`tinygrad_cnn.data.RandomCrop`.

    Parameters
    ----------
    size : int or (int, int), in pixels
        Height and width; one number is a square.
    padding : int, optional, in pixels
        How far the window may reach out of the picture on each side.
    pad_if_needed : False
        Not built.
    fill : 0
        Of what the padding is.
    padding_mode : {"constant", "edge"}
        Whether there are zeros around the picture, or its nearest pixel.

    Raises
    ------
    OptionError
        If an option is out of range or not built, or, on calling, the window does not fit.

    Examples
    --------
    >>> RandomCrop(4, padding=2)(tg.ones(3, 4, 4)).shape
    (3, 4, 4)
    """

    def __init__(
        self,
        size: int | tuple[int, int],
        padding: int | None = None,
        pad_if_needed: bool = False,
        fill: float = 0,
        padding_mode: str = "constant",
    ) -> None:
        if pad_if_needed or fill != 0 or padding_mode not in ("constant", "edge"):
            raise OptionError(
                'RandomCrop: pad_if_needed is False, fill 0 and padding_mode "constant" or "edge"; '
                f"got {pad_if_needed!r}, {fill!r} and {padding_mode!r}"
            )
        self.transform = data.RandomCrop(size, padding or 0, repeat=padding_mode == "edge")


class RandomHorizontalFlip(_Random):
    """Exchange left and right, with a probability; see :class:`tinygrad_cnn.data.RandomFlip`.

    Parameters
    ----------
    p : float

    Raises
    ------
    OptionError
        If that is no probability.

    Examples
    --------
    >>> RandomHorizontalFlip(p=1)(tg.tensor([[[1.0, 2.0]]])).tolist()
    [[[2.0, 1.0]]]
    """

    def __init__(self, p: float = 0.5) -> None:
        self.transform = data.RandomFlip(p)

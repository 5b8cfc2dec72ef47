"""Windows cut out of images, mirror images, and squares that are covered.

What is shown a little higher, or looks to the other side, is still the same thing. Networks do
not know that beforehand, and training images cut out at another place in every epoch tell them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.compose import require_images, require_size, require_whole
from tinygrad_cnn.data.draws import Draws
from tinygrad_cnn.data.transforms import cut_out
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.kernels.registry import lookup

__all__ = ["CentreCrop", "Cutout", "RandomCrop", "RandomFlip", "ten_crops"]

_Images = npt.NDArray[Any]


class RandomCrop:
    """Cut a window out of each image at a random place, all places being equally likely.

    ``RandomCrop(padding=4)`` and a :class:`RandomFlip` are what CIFAR-10 is trained with [2]_;
    ``RandomCrop(227)`` of images of 256x256 is AlexNet's [1]_; and
    ``RandomCrop(padding=2, repeat=True)`` shifts digits by up to two pixels.

    Parameters
    ----------
    size : int or (int, int), optional, in pixels
        Height and width of the window; by default those of the image.
    padding : int, in pixels
        How far the window may reach out of the image on each side.
    repeat : bool
        Outside of the image repeat the nearest pixel, where else there are zeros.

    Raises
    ------
    OptionError
        If an option is out of range, or, on calling, the window does not fit.

    References
    ----------
    .. [1] A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep
       convolutional neural networks", NIPS 2012, section 4.1.
    .. [2] K. He et al., "Deep residual learning for image recognition", CVPR 2016, section 4.2.

    Examples
    --------
    >>> from tinygrad_cnn.data import Draws
    >>> image = np.arange(9).reshape(1, 1, 3, 3)
    >>> RandomCrop(padding=1)(image, Draws(seed=0, epoch=0, examples=[2]))[0, 0]
    array([[3, 4, 5],
           [6, 7, 8],
           [0, 0, 0]])
    """

    def __init__(
        self, size: int | tuple[int, int] | None = None, padding: int = 0, repeat: bool = False
    ) -> None:
        self.size = None if size is None else require_size("RandomCrop", size)
        self.padding = require_whole("RandomCrop", "padding", padding, 0)
        self.repeat = repeat

    def __call__(self, images: _Images, draws: Draws) -> _Images:
        """Return the windows, shape (N, C, height, width)."""
        require_images("RandomCrop", images, draws)
        height, width = self.size or images.shape[2:]
        most = tuple(
            side + 2 * self.padding - cut
            for side, cut in zip(images.shape[2:], (height, width), strict=True)
        )
        if min(most) < 0:
            raise OptionError(
                "RandomCrop: the window is no larger than the image and its padding; got "
                f"images of {images.shape[2]}x{images.shape[3]}, padding {self.padding} and "
                f"size {height}x{width}"
            )
        top, left = (draws.integers(0, free + 1) - self.padding for free in most)
        unflipped = np.zeros(len(images), np.bool_)
        corners = np.stack([top, left], 1)
        return cut_out(images, corners, unflipped, self.repeat, (height, width))

    def __repr__(self) -> str:
        return f"RandomCrop(size={self.size}, padding={self.padding}, repeat={self.repeat})"


class RandomFlip:
    """Mirror some of the images, left and right exchanged. Digits have no mirror image.

    Parameters
    ----------
    probability : float
        0 to 1.

    Raises
    ------
    OptionError
        If that is no probability.

    Examples
    --------
    >>> from tinygrad_cnn.data import Draws
    >>> image = np.arange(4).reshape(1, 1, 2, 2)
    >>> RandomFlip(probability=1.0)(image, Draws(0, 0, [0]))[0, 0]
    array([[1, 0],
           [3, 2]])
    """

    def __init__(self, probability: float = 0.5) -> None:
        if not 0.0 <= probability <= 1.0:
            raise OptionError(f"RandomFlip: probability lies in [0, 1]; got {probability}")
        self.probability = probability

    def __call__(self, images: _Images, draws: Draws) -> _Images:
        """Return the images, some of them mirrored."""
        require_images("RandomFlip", images, draws)
        in_place = np.zeros((len(images), 2), np.intp)
        return cut_out(images, in_place, draws.chance(self.probability))

    def __repr__(self) -> str:
        return f"RandomFlip(probability={self.probability})"


class CentreCrop:
    """Cut the middle out of each image.

    Parameters
    ----------
    size : int or (int, int), in pixels

    Raises
    ------
    OptionError
        If `size` is no size, or, on calling, larger than the image.

    Examples
    --------
    >>> CentreCrop(2)(np.arange(16).reshape(1, 1, 4, 4))[0, 0]
    array([[ 5,  6],
           [ 9, 10]])
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = require_size("CentreCrop", size)

    def __call__(self, images: _Images, draws: Draws | None = None) -> _Images:
        """Return the middles of images of shape (..., H, W), as a copy."""
        top, left = _free("CentreCrop", images, self.size)
        height, width = self.size
        top, left = top // 2, left // 2
        return images[..., top : top + height, left : left + width].copy()

    def __repr__(self) -> str:
        return f"CentreCrop(size={self.size})"


def ten_crops(images: _Images, size: int | tuple[int, int]) -> _Images:
    """Cut out the four corners and the middle of each image, and their mirror images.

    AlexNet is tested with these: the probabilities that it gives to the ten are averaged [1]_.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W)
    size : int or (int, int), in pixels

    Returns
    -------
    ndarray, shape (N, 10, C, height, width)
        Upper left, upper right, lower left, lower right, middle; then the same mirrored.

    Raises
    ------
    ShapeError
        If images do not have four axes.
    OptionError
        If `size` is no size, or larger than the images.

    References
    ----------
    .. [1] A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep
       convolutional neural networks", NIPS 2012, section 4.1.

    Examples
    --------
    >>> ten_crops(np.arange(9).reshape(1, 1, 3, 3), 1)[0, :, 0, 0, 0]
    array([0, 2, 6, 8, 4, 0, 2, 6, 8, 4])
    """
    require_images("ten_crops", images)
    height, width = require_size("ten_crops", size)
    bottom, right = _free("ten_crops", images, (height, width))
    corners = ((0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2))
    crops = np.stack([images[..., t : t + height, q : q + width] for t, q in corners], 1)
    return np.concatenate([crops, crops[..., ::-1]], 1)


def _free(operation: str, images: _Images, size: tuple[int, int]) -> tuple[int, int]:
    """Return how many pixels are left over, down and across."""
    rows, columns = (side - cut for side, cut in zip(images.shape[-2:], size, strict=True))
    if min(rows, columns) < 0:
        raise OptionError(
            f"{operation}: the window is no larger than the image; got images of "
            f"{images.shape[-2]}x{images.shape[-1]} and size {size[0]}x{size[1]}"
        )
    return rows, columns


class Cutout:
    """Cover a square of each image with zeros, around a random pixel [1]_.

    The network has to find what else tells a class. All pixels are equally likely as the
    middle, so that the square may reach out of the image. Normalise before: zero is the mean
    then.

    Parameters
    ----------
    size : int, in pixels
        Side of the square; 16 for CIFAR-10, 8 for CIFAR-100 in the paper, section 4.3.

    Raises
    ------
    OptionError
        If `size` is not a whole number from 1 up.

    References
    ----------
    .. [1] T. DeVries, G. W. Taylor, "Improved regularization of convolutional neural networks
       with Cutout", 2017, arXiv:1708.04552, section 3.

    Examples
    --------
    >>> from tinygrad_cnn.data import Draws
    >>> Cutout(2)(np.ones((1, 1, 3, 3), int), Draws(seed=0, epoch=0, examples=[0]))[0, 0]
    array([[1, 0, 0],
           [1, 0, 0],
           [1, 1, 1]])
    """

    def __init__(self, size: int) -> None:
        self.size = require_whole("Cutout", "size", size, 1)

    def __call__(self, images: _Images, draws: Draws) -> _Images:
        """Return the images, each with a square of zeros."""
        require_images("Cutout", images, draws)
        count, channels, height, width = images.shape
        if not images.size:
            return images.copy()
        row, column = draws.integers(0, height), draws.integers(0, width)
        corners = np.repeat(np.stack([row, column], 1) - self.size // 2, channels, 0)
        planes = np.ascontiguousarray(images).reshape(count * channels, height, width, 1)
        covered = np.empty(images.shape, images.dtype)
        kernel = lookup("cutout_images", dtype=images.dtype).function
        kernel(planes, corners, self.size, covered.reshape(planes.shape))
        return covered

    def __repr__(self) -> str:
        return f"Cutout(size={self.size})"

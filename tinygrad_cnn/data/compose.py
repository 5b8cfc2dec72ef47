"""What a transform of a batch is, and several of them one after the other.

A transform is anything that can be called with the images of a batch, (N, C, H, W), and the
:class:`~tinygrad_cnn.data.Draws` of its examples, and returns images as a new array. One that
draws nothing does without the second: ``Normalise`` and the like serve for test images too.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from tinygrad_cnn.data.draws import Draws
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError

__all__ = ["Compose", "Transform"]

Transform = Callable[[npt.NDArray[Any], Draws], npt.NDArray[Any]]


class Compose:
    """Apply transforms one after the other, each with draws of its own.

    Parameters
    ----------
    transforms : sequence of callables
        See :mod:`tinygrad_cnn.data.compose` for what they take.

    Raises
    ------
    DTypeError
        If one cannot be called.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_cnn.data import Draws, Normalise, RandomCrop, RandomFlip
    >>> transform = Compose([RandomCrop(padding=4), RandomFlip(), Normalise(128.0, 64.0)])
    >>> images = np.full((2, 3, 32, 32), 192, np.uint8)
    >>> transform(images, Draws(0, 0, [5, 6]))[0, 0, 16, 14:17]
    array([1., 1., 1.], dtype=float32)
    """

    def __init__(self, transforms: Sequence[Any]) -> None:
        for transform in transforms:
            if not callable(transform):
                raise DTypeError(
                    "Compose: a transform is called with images and draws; got "
                    f"{type(transform).__name__}"
                )
        self.transforms = tuple(transforms)

    def __call__(self, images: npt.NDArray[Any], draws: Draws | None = None) -> npt.NDArray[Any]:
        """Return the images transformed; without draws if none of the transforms draws."""
        for place, transform in enumerate(self.transforms):
            drawn = () if draws is None else (draws.branch(place),)
            images = transform(images, *drawn)
        return images

    def __repr__(self) -> str:
        return f"Compose([{', '.join(map(repr, self.transforms))}])"


def require_images(operation: str, images: npt.NDArray[Any], draws: Draws | None = None) -> None:
    """Refuse what is no batch of images, or not the one that the draws are for."""
    if images.ndim != 4:
        raise ShapeError(f"{operation}: images have shape (N, C, H, W); got {images.shape}")
    if draws is not None and len(draws) != len(images):
        raise ShapeError(
            f"{operation}: there are draws for each image; "
            f"got {len(images)} images and draws for {len(draws)} examples"
        )


def require_whole(operation: str, name: str, number: Any, least: int) -> int:
    """Return an option that is a whole number of at least some size, or refuse it."""
    whole = hasattr(number, "__index__") and not isinstance(number, bool)
    if not whole or int(number) < least:
        raise OptionError(f"{operation}: {name} is a whole number from {least} up; got {number!r}")
    return int(number)


def require_size(operation: str, size: Any) -> tuple[int, int]:
    """Return a size, one number for a square or (height, width), as two numbers."""
    pair = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(pair) != 2:
        raise OptionError(f"{operation}: size is one number or (height, width); got {size!r}")
    height, width = (require_whole(operation, "size", side, 1) for side in pair)
    return height, width

"""What is done to a picture before a network sees it: pictures of Pillow's, arrays, tensors.

These work on one picture, as scripts write them. Those of :mod:`tinygrad_cnn.data` work on
batches, and draw random numbers that do not depend on who comes first.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError

_LARGEST_PIXEL = 255


class Compose:
    """Apply transforms one after the other.

    Examples
    --------
    >>> double = Lambda(lambda x: 2 * x)
    >>> Compose([double, double])(3)
    12
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        for transform in transforms:
            _require_callable("Compose", transform)
        self.transforms = list(transforms)

    def __call__(self, picture: Any) -> Any:
        """Return what the last transform makes of it."""
        for transform in self.transforms:
            picture = transform(picture)
        return picture

    def __repr__(self) -> str:
        return f"Compose({self.transforms!r})"


class Lambda:
    """Apply a function of your own.

    Examples
    --------
    >>> Lambda(abs)(-1)
    1
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = _require_callable("Lambda", function)

    def __call__(self, picture: Any) -> Any:
        """Return what the function makes of it."""
        return self.function(picture)

    def __repr__(self) -> str:
        return f"Lambda({getattr(self.function, '__name__', self.function)})"


class ToTensor:
    """Make a picture a tensor (C, H, W) of numbers from 0 to 1.

    A picture of Pillow's, or an array (H, W) or (H, W, C): bytes are divided by 255, other
    arrays keep their numbers.

    Raises
    ------
    DTypeError
        If it is neither.
    ShapeError
        If an array has another number of axes.

    Examples
    --------
    >>> ToTensor()(np.full((1, 2), 255, np.uint8)).tolist()
    [[[1.0, 1.0]]]
    """

    def __call__(self, picture: Any) -> tg.Tensor:
        """Return the tensor."""
        if isinstance(picture, np.ndarray):
            pixels = picture
        else:
            require_picture("ToTensor", picture)
            if picture.mode == "P":  # numbers of colours in a palette
                picture = picture.convert("RGB")
            pixels = np.asarray(picture)
        if pixels.ndim not in (2, 3):
            raise ShapeError(f"ToTensor: an array is (H, W) or (H, W, C); got {pixels.shape}")
        planes = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
        if pixels.dtype == np.uint8:
            return tg.Tensor(_from_bytes(planes))
        return tg.Tensor(planes.astype(np.float32) if pixels.dtype == np.bool_ else planes)

    def __repr__(self) -> str:
        return "ToTensor()"


class Normalize:
    """Take a mean off each channel of a tensor, and divide by a deviation.

    Raises
    ------
    OptionError
        If a deviation is 0.
    DTypeError
        If it is given no tensor.
    ShapeError
        If there is a number for each of another count of channels.

    Examples
    --------
    >>> Normalize((0.5,), (0.25,))(tg.ones(1, 1, 1)).tolist()
    [[[2.0]]]
    """

    def __init__(self, mean: Any, std: Any, inplace: bool = False) -> None:
        self.mean, self.std = (np.atleast_1d(np.asarray(v, np.float32)) for v in (mean, std))
        if (self.std == 0).any():
            raise OptionError(f"Normalize: deviations are not 0; got {std}")

    def __call__(self, x: Any) -> tg.Tensor:
        """Return ``(x - mean) / std``."""
        if not isinstance(x, tg.Tensor):
            raise DTypeError(
                f"Normalize: it takes tensors (C, H, W); got {type(x).__name__}. Put ToTensor() "
                "before it"
            )
        counts = {len(self.mean), len(self.std), 1}
        if len(x.shape) < 3 or not counts <= {1, x.shape[-3]}:
            raise ShapeError(
                "Normalize: there is one mean and deviation, or one for each channel; got "
                f"{len(self.mean)} and {len(self.std)} for shape {x.shape}"
            )
        return (x - self.mean[:, None, None]) / self.std[:, None, None]

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean.tolist()}, std={self.std.tolist()})"


class Resize:
    """Bring a picture to a size by Pillow's bilinear interpolation.

    Parameters
    ----------
    size : int or (int, int), in pixels
        Height and width; one number is the shorter side, and the other follows.

    Examples
    --------
    >>> from PIL import Image
    >>> Resize((4, 6))(Image.new("L", (28, 28))).size  # width and height
    (6, 4)
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = _size("Resize", size)

    def __call__(self, picture: Any) -> Any:
        """Return the picture at its new size."""
        from PIL import Image

        require_picture("Resize", picture)
        width, height = picture.size
        if len(self.size) == 2:
            down, across = self.size
        else:
            shorter = min(width, height)
            down, across = (side * self.size[0] // shorter for side in (height, width))
        return picture.resize((across, down), Image.Resampling.BILINEAR)

    def __repr__(self) -> str:
        return f"Resize({self.size})"


class CenterCrop:
    """Cut the middle out of a picture.

    Parameters
    ----------
    size : int or (int, int), in pixels
        Height and width; one number is a square.

    Examples
    --------
    >>> from PIL import Image
    >>> CenterCrop(20)(Image.new("L", (28, 24))).size
    (20, 20)
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = _size("CenterCrop", size)

    def __call__(self, picture: Any) -> Any:
        """Return the middle."""
        require_picture("CenterCrop", picture)
        down, across = self.size * 2 if len(self.size) == 1 else self.size
        width, height = picture.size
        if down > height or across > width:
            raise ShapeError(
                f"CenterCrop: the part is not larger than the picture; got {down}x{across} of "
                f"{height}x{width}. Put Resize before it"
            )
        left, top = round((width - across) / 2), round((height - down) / 2)
        return picture.crop((left, top, left + across, top + down))

    def __repr__(self) -> str:
        return f"CenterCrop({self.size})"


class Grayscale:
    """Make a picture grey, in one channel or in three equal ones.

    Examples
    --------
    >>> from PIL import Image
    >>> Grayscale()(Image.new("RGB", (2, 2))).mode
    'L'
    """

    def __init__(self, num_output_channels: int = 1) -> None:
        if num_output_channels not in (1, 3):
            raise OptionError(
                f"Grayscale: num_output_channels is 1 or 3; got {num_output_channels!r}"
            )
        self.num_output_channels = num_output_channels

    def __call__(self, picture: Any) -> Any:
        """Return the grey picture."""
        require_picture("Grayscale", picture)
        grey = picture.convert("L")
        return grey if self.num_output_channels == 1 else grey.convert("RGB")

    def __repr__(self) -> str:
        return f"Grayscale({self.num_output_channels})"


class ToPILImage:
    """Make a tensor (C, H, W) of numbers from 0 to 1, or of bytes, a picture of Pillow's.

    Examples
    --------
    >>> ToPILImage()(tg.ones(3, 4, 6)).size
    (6, 4)
    """

    def __call__(self, x: Any) -> Any:
        """Return the picture."""
        array: npt.NDArray[Any] = np.asarray(x)
        if array.ndim != 3 or len(array) not in (1, 3, 4):
            raise ShapeError(f"ToPILImage: a picture is (C, H, W); got shape {array.shape}")
        if array.dtype != np.uint8:
            array = (array * _LARGEST_PIXEL).astype(np.uint8)
        return picture(array)

    def __repr__(self) -> str:
        return "ToPILImage()"


def picture(image: npt.NDArray[np.uint8]) -> Any:
    """Return an image (C, H, W) as one of Pillow's, grey or in colours.

    Examples
    --------
    >>> picture(np.zeros((1, 4, 6), np.uint8)).size  # width and height
    (6, 4)
    """
    from PIL import Image

    return Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, -1))


def several(transform: Any) -> Callable[[npt.NDArray[np.uint8]], npt.NDArray[Any]] | None:
    """Return what a transform does to a batch of images (N, C, H, W), in one pass; None if unknown.

    It is known of ``ToTensor()``, and of ``Normalize`` behind it: most scripts have no other.
    """
    first, *rest = transform.transforms if isinstance(transform, Compose) else [transform]
    if not isinstance(first, ToTensor) or not all(isinstance(each, Normalize) for each in rest):
        return None

    def together(images: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        x: Any = tg.Tensor(_from_bytes(images))
        for normalise in rest:
            x = normalise(x)
        return np.asarray(x)

    return together


def _from_bytes(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.divide(pixels, _LARGEST_PIXEL, dtype=np.float32)


def _require_callable(operation: str, transform: Any) -> Any:
    if not callable(transform):
        raise DTypeError(
            f"{operation}: a transform is called with a picture; got {type(transform).__name__}"
        )
    return transform


def require_picture(operation: str, picture: Any) -> None:
    """Refuse what is no picture of Pillow's."""
    if not hasattr(picture, "convert"):  # asked this way, so that Pillow is not loaded
        raise DTypeError(
            f"{operation}: it takes pictures of Pillow's; got {type(picture).__name__}. Put it "
            "before ToTensor()"
        )


def _size(operation: str, size: Any) -> tuple[int, ...]:
    sides = tuple(size) if isinstance(size, tuple | list) else (size,)
    if len(sides) not in (1, 2) or not all(type(side) is int and side > 0 for side in sides):
        raise OptionError(
            f"{operation}: size is a number of pixels, or (height, width); got {size!r}"
        )
    return sides

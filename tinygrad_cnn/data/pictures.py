"""Image files that somebody brings, made into what a network for a data set takes.

A network has seen one kind of picture. Whoever shows it another size, or a digit in a corner
of a sheet, has to do first what the makers of the data set did:

=================  =========================================================================
digits             the ink's box fills the field of 8x8 blocks, centred [1]_
mnist, emnist      the ink's box is brought into 20x20 pixels, its centre of mass into the
                   middle of 28x28 [2]_, [3]_
fashion_mnist      the margin is trimmed, the longer side becomes 28 pixels, centred [4]_
kmnist             as Fashion-MNIST
cifar, folder      the shorter side is scaled to the size, the middle is cut out
=================  =========================================================================

All but the last row are light strokes on a dark ground; ink on paper has to be inverted.

References
----------
.. [1] E. Alpaydin, C. Kaynak, "Optical recognition of handwritten digits", UCI, 1998.
.. [2] Y. LeCun et al., "Gradient-based learning applied to document recognition", 1998,
   section III.A.
.. [3] G. Cohen et al., "EMNIST: an extension of MNIST to handwritten letters", 2017,
   section II.B (which leaves a border of two pixels; here MNIST's rule serves both).
.. [4] H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", 2017, arXiv:1708.07747, section 2.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.digits import upsample
from tinygrad_cnn.data.folder import IMAGE_SUFFIXES, open_image
from tinygrad_cnn.data.resize import Resize
from tinygrad_cnn.data.transforms import pad, to_float
from tinygrad_cnn.errors import DataError, MissingDataError, ShapeError, TinygradCnnError

__all__ = ["Picture", "find_pictures", "read_picture"]

Pixels = npt.NDArray[np.float32]


class _Strokes(NamedTuple):
    """How the makers of a data set placed what was drawn: pixels of side, of box, and where."""

    side: int
    box: int
    by_mass: bool = False


_STROKES = {
    "digits": _Strokes(8, 8),
    "emnist": _Strokes(28, 20, by_mass=True),
    "fashion_mnist": _Strokes(28, 28),
    "kmnist": _Strokes(28, 28),
    "mnist": _Strokes(28, 20, by_mass=True),
}
_PHOTOGRAPHS = {"cifar10": 32, "cifar100": 32}
_INK = 0.3  # of the way from the ground to the lightest pixel: paper and shadows stay below


class Picture(NamedTuple):
    """An image file as a network sees it.

    Attributes
    ----------
    pixels : ndarray of float32, shape (C, H, W)
        Standardised.
    looks_inverted : bool
        Whether its border is light, where the data set is light on a dark ground.
    """

    pixels: Pixels
    looks_inverted: bool


def find_pictures(
    places: Iterable[str | os.PathLike[str]],
) -> tuple[list[Path], list[TinygradCnnError]]:
    """Return the image files that are named, and those in folders that are.

    Parameters
    ----------
    places : iterable of path
        Files and folders; of a folder all image files in it and below, sorted.

    Returns
    -------
    paths : list of Path
    mistakes : list of TinygradCnnError
        One for each place that is not there, or is a folder without images.

    Examples
    --------
    >>> find_pictures(["nowhere.png"])[1]
    [MissingDataError('find_pictures: a file or folder exists; got none at nowhere.png')]
    """
    paths: list[Path] = []
    mistakes: list[TinygradCnnError] = []
    for place in map(Path, places):
        if not place.is_dir():
            if place.exists():
                paths.append(place)
            else:
                mistakes.append(
                    MissingDataError(f"find_pictures: a file or folder exists; got none at {place}")
                )
            continue
        found = sorted(
            path
            for path in place.rglob("*")
            if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
        )
        paths += found
        if not found:
            mistakes.append(
                DataError(
                    f"find_pictures: a folder holds image files, {', '.join(IMAGE_SUFFIXES)}; "
                    f"got none in {place}"
                )
            )
    return paths, mistakes


def read_picture(
    path: str | os.PathLike[str],
    data: str,
    shape: tuple[int, ...],
    standardise: Callable[[Any], Pixels] | None = None,
    invert: bool = False,
) -> Picture:
    """Read an image file as a network for a data set takes it.

    Colours become grey where the data set is grey, and grey becomes three equal channels where
    it is in colour. What is transparent becomes ground. An image of the data set's own size is
    taken as it is; any other is placed as the table above says.

    Parameters
    ----------
    path : str or path
    data : str
        Name of the data set that the network was trained on.
    shape : (int, int, int)
        Channels, height and width of what the network takes.
    standardise : callable, optional
        The data set's, see :func:`load`.
    invert : bool
        Exchange light and dark.

    Returns
    -------
    Picture

    Raises
    ------
    MissingDataError, DataError
        If there is no such file, or it is damaged or no image.
    ShapeError
        If `shape` is no image's.
    OptionError
        If Pillow is not installed.

    Examples
    --------
    >>> read_picture("seven.jpg", "mnist", (1, 32, 32), invert=True)  # doctest: +SKIP
    """
    if len(shape) != 3 or shape[0] not in (1, 3) or shape[1] != shape[2]:
        raise ShapeError(
            "read_picture: a network takes square images of one or three channels, (C, H, H); "
            f"got {shape}"
        )
    size, strokes = shape[1], _STROKES.get(data)
    if strokes is None:
        pixels = _photograph(path, shape[0], _PHOTOGRAPHS.get(data, size), invert)
        light = False
    else:
        grey = _grey(path, invert)
        light = float(np.median(_border(grey))) > 0.5
        if grey.shape != (strokes.side, strokes.side):
            grey = _placed(grey, strokes)
        pixels = grey[None]
    if data == "digits" and size != pixels.shape[1]:
        pixels = upsample(pixels[None], size)[0]
    pixels = pad(pixels, size)
    return Picture(pixels if standardise is None else standardise(pixels[None])[0], light)


def _photograph(path: str | os.PathLike[str], channels: int, side: int, invert: bool) -> Pixels:
    image = open_image(path, "RGB" if channels == 3 else "L")
    from PIL import Image, ImageOps

    pixels = _scaled(ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR), invert)
    channels_last = pixels[..., None] if pixels.ndim == 2 else pixels
    return np.ascontiguousarray(channels_last.transpose(2, 0, 1))


def _grey(path: str | os.PathLike[str], invert: bool) -> Pixels:
    """Return grey pixels of 0..1, dark ground below what is transparent."""
    image = open_image(path, "RGBA")
    from PIL import Image

    ground = Image.new("RGBA", image.size, "white" if invert else "black")
    return _scaled(Image.alpha_composite(ground, image).convert("L"), invert)


def _scaled(image: Any, invert: bool) -> Pixels:
    pixels = to_float(np.asarray(image))
    return np.float32(1) - pixels if invert else pixels


def _border(grey: Pixels) -> Pixels:
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _placed(grey: Pixels, strokes: _Strokes) -> Pixels:
    """Bring what is drawn into the box, and the box into the middle of the field."""
    ground, lightest = float(np.median(_border(grey))), float(grey.max())
    if lightest - ground > 0.1:  # else there is nothing lighter than the ground
        grey = np.clip((grey - ground) / np.float32(lightest - ground), 0, 1)
        rows, columns = (np.flatnonzero((grey > _INK).any(axis)) for axis in (1, 0))
        grey = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    longer = max(grey.shape)
    height, width = (max(1, round(side * strokes.box / longer)) for side in grey.shape)
    ink: Pixels = Resize((height, width))(grey)
    field = np.zeros((strokes.side, strokes.side), np.float32)
    top, left = (_corner(ink.sum(1 - axis), strokes.side, strokes.by_mass) for axis in (0, 1))
    field[top : top + height, left : left + width] = ink
    return field


def _corner(ink: Pixels, side: int, by_mass: bool) -> int:
    """Return where the box begins along an axis, given the ink of each of its lines."""
    middle = len(ink) / 2
    if by_mass and ink.sum() > 0:
        middle = float(np.average(np.arange(len(ink)) + 0.5, weights=ink))
    return min(max(round(side / 2 - middle), 0), side - len(ink))

"""Data sets, the batches cut from them, and what is done to pixels before.

``load(name)`` returns a data set ready for LeNet-5:

>>> train, test = load("digits")
>>> train.images.shape, train.images.dtype, test.labels[:3]
((1438, 1, 32, 32), dtype('float32'), array([4, 9, 4]))

===============  ====================================================================
`dataset`        Dataset, to subclass; ArrayDataset and Split: images and labels as arrays
`subsets`        Subset, random_split, ConcatDataset
`loader`         DataLoader: batches, in order or shuffled, made by `workers`
`examples`       read one by one, and made into a batch: collate
`digits`         1,797 handwritten digits that come with the package
`mnist`          MNIST and Fashion-MNIST: found, fetched, checked
`idx`            reader of the file format of both
`transforms`     to_float, pad, crop_and_flip, Standardise
`compose`        what a transform of a batch is; Compose
`draws`          random numbers that depend on seed, epoch and example alone
`crops`          RandomCrop, RandomFlip, CentreCrop, ten_crops, Cutout
`colour`         Normalise, PCAColourJitter; `distortion` ElasticDistortion; `resize` Resize
===============  ====================================================================
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.colour import Normalise, PCAColourJitter
from tinygrad_cnn.data.compose import Compose, Transform
from tinygrad_cnn.data.crops import CentreCrop, Cutout, RandomCrop, RandomFlip, ten_crops
from tinygrad_cnn.data.dataset import ArrayDataset, Dataset, Split
from tinygrad_cnn.data.digits import LARGEST_PIXEL, SPLITS, load_digits, upsample
from tinygrad_cnn.data.distortion import ElasticDistortion
from tinygrad_cnn.data.draws import Draws
from tinygrad_cnn.data.examples import collate
from tinygrad_cnn.data.idx import read_idx
from tinygrad_cnn.data.loader import DataLoader
from tinygrad_cnn.data.mnist import (
    FASHION_MNIST,
    MNIST,
    IdxSource,
    load_idx_source,
    load_mnist,
)
from tinygrad_cnn.data.resize import Resize
from tinygrad_cnn.data.subsets import ConcatDataset, Subset, random_split
from tinygrad_cnn.data.transforms import Standardise, crop_and_flip, pad, to_float
from tinygrad_cnn.errors import OptionError, unknown_name

__all__ = [
    "FASHION_MNIST",
    "MNIST",
    "ArrayDataset",
    "CentreCrop",
    "Compose",
    "ConcatDataset",
    "Cutout",
    "DataLoader",
    "Dataset",
    "Draws",
    "ElasticDistortion",
    "IdxSource",
    "Normalise",
    "PCAColourJitter",
    "RandomCrop",
    "RandomFlip",
    "Resize",
    "Split",
    "Standardise",
    "Subset",
    "Transform",
    "collate",
    "crop_and_flip",
    "load",
    "load_digits",
    "load_idx_source",
    "load_mnist",
    "names",
    "pad",
    "random_split",
    "read_idx",
    "ten_crops",
    "to_float",
    "upsample",
]

_Pixels = npt.NDArray[np.float32]
_DataDir = str | os.PathLike[str] | None


@dataclass(frozen=True)
class _Recipe:
    """How :func:`load` makes a data set: read it, scale it, bring it to a size.

    ``enlarge`` draws the images at another size, before mean and deviation are measured;
    without it they get a border, which does not count for them.
    """

    read: Callable[[_DataDir, str, bool], Split]
    splits: tuple[str, ...]
    largest_pixel: int
    enlarge: Callable[[_Pixels, int], _Pixels] | None = None


def _read_digits(data_dir: _DataDir, split: str, download: bool) -> Split:
    return load_digits(split)


def _read_idx_source(source: IdxSource, data_dir: _DataDir, split: str, download: bool) -> Split:
    return load_idx_source(source, data_dir, download)


_RECIPES = {
    "digits": _Recipe(_read_digits, SPLITS, LARGEST_PIXEL, enlarge=upsample),
    "fashion_mnist": _Recipe(partial(_read_idx_source, FASHION_MNIST), ("published",), 255),
    "mnist": _Recipe(partial(_read_idx_source, MNIST), ("published",), 255),
}


def names() -> tuple[str, ...]:
    """Return the names that :func:`load` knows, sorted.

    Examples
    --------
    >>> names()
    ('digits', 'fashion_mnist', 'mnist')
    """
    return tuple(sorted(_RECIPES))


def load(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int = 32,
    split: str | None = None,
    download: bool = True,
) -> Split:
    """Return a data set by name, sized and standardised for a network.

    Pixels are scaled to 0..1. Digits are enlarged to `image_size` by :func:`upsample`;
    the 28x28 pixels of MNIST and Fashion-MNIST get a border by :func:`pad`. Then the mean
    is taken off and the deviation divided out, both measured over the training images (for
    MNIST before the border is added: the well-known 0.1307 and 0.3081).

    Parameters
    ----------
    name : {"digits", "fashion_mnist", "mnist"}
    data_dir : str or path, optional
        Where files are looked for first and fetched to, see :func:`load_mnist`; digits
        need none.
    image_size : int, in pixels
        Height and width. The size as published, 8 or 28, leaves the images as they are.
    split : str, optional
        For digits "interleaved" (the default) or "writers", see :func:`load_digits`; the
        others have the "published" one.
    download : bool
        Fetch missing files.

    Returns
    -------
    Split
        Of images as float32, shape (N, 1, image_size, image_size). Both parts record the
        class names, and mean and deviation under ``standardise``.

    Raises
    ------
    UnknownNameError
        If there is no data set of that name.
    OptionError
        If there is no such split, or the images cannot be brought to that size.
    MissingDataError
        If files are not here and cannot be fetched.
    DataError
        If a file is damaged.

    Examples
    --------
    >>> train, test = load("digits", image_size=8)
    >>> train.images.shape, round(train.standardise.mean, 4)
    ((1438, 1, 8, 8), 0.3058)
    """
    if name not in _RECIPES:
        raise unknown_name("data.load", name, names())
    recipe = _RECIPES[name]
    split = recipe.splits[0] if split is None else split
    if split not in recipe.splits:
        raise OptionError(
            f"data.load: split of {name} is one of {', '.join(recipe.splits)}; got {split!r}"
        )
    raw = recipe.read(data_dir, split, download)
    train, test = (to_float(part.images, recipe.largest_pixel) for part in raw)
    native = train.shape[-1]
    if recipe.enlarge is not None and image_size != native:
        train, test = recipe.enlarge(train, image_size), recipe.enlarge(test, image_size)
    standardise = Standardise.fit(train)

    def finish(images: _Pixels, part: ArrayDataset) -> ArrayDataset:
        sized: Any = pad(images, image_size)
        return ArrayDataset(standardise(sized), part.labels, part.class_names, standardise)

    return Split(finish(train, raw.train), finish(test, raw.test))

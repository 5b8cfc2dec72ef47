"""Data sets by name: loaded ready for a network, or fetched.

A row of the table says how a data set is read, in which arrangements it comes, and how its
images are brought to a size.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data import cifar, digits, emnist, mnist, own_images
from tinygrad_cnn.data.colour import Normalise
from tinygrad_cnn.data.dataset import ArrayDataset, Split
from tinygrad_cnn.data.download import Progress
from tinygrad_cnn.data.places import DataDir, obtain
from tinygrad_cnn.data.source import Source
from tinygrad_cnn.data.transforms import Standardise, pad, to_float
from tinygrad_cnn.errors import OptionError, unknown_name

__all__ = ["fetch", "load", "names", "row_of"]

_Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """How a data set is read, described and brought to a size.

    ``forms`` gives, for each split, the published forms of which one has to be here; none for
    a data set that comes with the package. ``enlarge`` draws the images at another size, before
    mean and deviation are measured; without it they get a border, which does not count for them.
    """

    read: Callable[[DataDir, str, bool, int], Split]
    forms: Mapping[str, tuple[Source, ...]]
    largest_pixel: int = 255
    enlarge: Callable[[_Pixels, int], _Pixels] | None = None


def _read_digits(data_dir: DataDir, split: str, download: bool, image_size: int) -> Split:
    return digits.load_digits(split)


def _read_idx(
    source: mnist.IdxSource, data_dir: DataDir, split: str, download: bool, image_size: int
) -> Split:
    return mnist.load_idx_source(source, data_dir, download)


def _read_emnist(data_dir: DataDir, split: str, download: bool, image_size: int) -> Split:
    return emnist.load_emnist(data_dir, download, split)


def _read_own_images(data_dir: DataDir, split: str, download: bool, image_size: int) -> Split:
    return own_images.load_own_images(data_dir, image_size, split)


def _read_cifar10(data_dir: DataDir, split: str, download: bool, image_size: int) -> Split:
    return cifar.load_cifar10(data_dir, download)


def _read_cifar100(data_dir: DataDir, split: str, download: bool, image_size: int) -> Split:
    return cifar.load_cifar100(data_dir, download, split)


_ROWS = {
    "cifar10": Row(_read_cifar10, {"published": cifar.CIFAR10}),
    "cifar100": Row(_read_cifar100, dict.fromkeys(cifar.CIFAR100_LABELS, cifar.CIFAR100)),
    "digits": Row(
        _read_digits,
        dict.fromkeys(digits.SPLITS, ()),
        digits.LARGEST_PIXEL,
        enlarge=digits.upsample,
    ),
    "emnist": Row(_read_emnist, {split: (source,) for split, source in emnist.EMNIST.items()}),
    "folder": Row(_read_own_images, dict.fromkeys(own_images.MODES, ())),
    **{
        source.name: Row(partial(_read_idx, source), {"published": (source,)})
        for source in (mnist.FASHION_MNIST, mnist.KMNIST, mnist.MNIST)
    },
}


def names() -> tuple[str, ...]:
    """Return the names that :func:`load` knows, sorted.

    Examples
    --------
    >>> names()
    ('cifar10', 'cifar100', 'digits', 'emnist', 'fashion_mnist', 'folder', 'kmnist', 'mnist')
    """
    return tuple(sorted(_ROWS))


def row_of(operation: str, name: str, split: str | None) -> tuple[Row, str]:
    """Return the row of a data set, and the split that is meant where none is named.

    Raises
    ------
    UnknownNameError
        If there is no data set of that name.
    OptionError
        If there is no such split.
    """
    if name not in _ROWS:
        raise unknown_name(operation, name, names())
    row = _ROWS[name]
    splits = tuple(row.forms)
    split = splits[0] if split is None else split
    if split not in splits:
        raise OptionError(
            f"{operation}: split of {name} is one of {', '.join(splits)}; got {split!r}"
        )
    return row, split


def load(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int = 32,
    split: str | None = None,
    download: bool = True,
) -> Split:
    """Return a data set by name, sized and standardised for a network.

    Pixels are scaled to 0..1. Digits are enlarged to `image_size` by :func:`upsample`; the
    28x28 pixels of MNIST and its kin get a border by :func:`pad`, and so do the 32x32 of CIFAR
    where more are asked for; one's own images are scaled and cut, see :func:`load_own_images`.
    Then the mean is taken off and the deviation divided out, both measured over the training
    images (before the border is added: for MNIST the well-known 0.1307 and 0.3081), of colour
    images for each channel.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    data_dir : str or path, optional
        Where files are looked for first and fetched to, see :func:`load_mnist`; digits
        need none. Of "folder" the folder itself.
    image_size : int, in pixels
        Height and width. The size as published, 8, 28 or 32, leaves the images as they are.
    split : str, optional
        For digits "interleaved" (the default) or "writers", see :func:`load_digits`; for
        EMNIST one of its six, see :func:`load_emnist`; for CIFAR-100 which labels, "fine"
        (the default) or "coarse"; for a folder "colour" (the default) or "grey". The others
        have the "published" one.
    download : bool
        Fetch missing files.

    Returns
    -------
    Split
        Of images as float32, shape (N, C, image_size, image_size), C = 1 or 3. Both parts
        record the class names, and mean and deviation under ``standardise``.

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
    row, split = row_of("data.load", name, split)
    raw = row.read(data_dir, split, download, image_size)
    if raw.train.images.shape[1] > 1:
        return _in_colour(raw, image_size, row.largest_pixel)
    train, test = (to_float(part.images, row.largest_pixel) for part in raw)
    native = train.shape[-1]
    if row.enlarge is not None and image_size != native:
        train, test = row.enlarge(train, image_size), row.enlarge(test, image_size)
    standardise = Standardise.fit(train)

    def finish(images: _Pixels, part: ArrayDataset) -> ArrayDataset:
        sized: Any = pad(images, image_size)
        return ArrayDataset(standardise(sized), part.labels, part.class_names, standardise)

    return Split(finish(train, raw.train), finish(test, raw.test))


def _in_colour(raw: Split, image_size: int, largest_pixel: int) -> Split:
    # In one pass from bytes to standardised floats: CIFAR's take 0.7 GB, once is enough.
    of_bytes = Normalise.fit(raw.train.images)
    mean, deviation = (
        [number / largest_pixel for number in numbers]
        for numbers in (of_bytes.mean, of_bytes.deviation)
    )
    standardise = Normalise(mean, deviation)

    def finish(part: ArrayDataset) -> ArrayDataset:
        sized = part.images
        if sized.shape[2:] != (image_size, image_size):
            sized = pad(sized, image_size)
        return ArrayDataset(of_bytes(sized), part.labels, part.class_names, standardise)

    return Split(finish(raw.train), finish(raw.test))


def fetch(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    split: str | None = None,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Bring the files of a data set here, unless they are here already.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    data_dir : str or path, optional
        As for :func:`load`.
    split : str, optional
        As for :func:`load`; of EMNIST the files of one split are unpacked.
    progress : callable, optional
        Called as ``progress(file_name, bytes_here, bytes_in_all)`` while a file is fetched;
        the last is None where it is not known.

    Returns
    -------
    tuple of Path
        The files; none for the digits, which come with the package, and for a folder of
        one's own.

    Raises
    ------
    UnknownNameError
        If there is no data set of that name.
    OptionError
        If there is no such split.
    MissingDataError
        If the files cannot be fetched or written.
    DataError
        If an archive is damaged.

    Examples
    --------
    >>> fetch("digits")
    ()
    >>> fetch("cifar10", "~/data")  # doctest: +SKIP
    """
    row, split = row_of("data.fetch", name, split)
    forms = row.forms[split]
    return obtain(forms, data_dir, progress=progress)[1] if forms else ()

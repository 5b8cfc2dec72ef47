"""Data sets by name: loaded ready for a network, described, or fetched.

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

from tinygrad_cnn.data import cifar, digits, emnist, mnist
from tinygrad_cnn.data.colour import Normalise
from tinygrad_cnn.data.dataset import ArrayDataset, Split
from tinygrad_cnn.data.download import Progress
from tinygrad_cnn.data.places import DataDir, find, folders, obtain
from tinygrad_cnn.data.source import Source
from tinygrad_cnn.data.transforms import Standardise, pad, to_float
from tinygrad_cnn.errors import OptionError, unknown_name

__all__ = ["Description", "describe", "fetch", "load", "names"]

_Pixels = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Recipe:
    """How a data set is read, described and brought to a size.

    ``forms`` gives, for each split, the published forms of which one has to be here; none for
    a data set that comes with the package. ``enlarge`` draws the images at another size, before
    mean and deviation are measured; without it they get a border, which does not count for them.
    """

    read: Callable[[DataDir, str, bool], Split]
    forms: Mapping[str, tuple[Source, ...]]
    largest_pixel: int = 255
    enlarge: Callable[[_Pixels, int], _Pixels] | None = None


def _read_digits(data_dir: DataDir, split: str, download: bool) -> Split:
    return digits.load_digits(split)


def _read_idx(source: mnist.IdxSource, data_dir: DataDir, split: str, download: bool) -> Split:
    return mnist.load_idx_source(source, data_dir, download)


def _read_emnist(data_dir: DataDir, split: str, download: bool) -> Split:
    return emnist.load_emnist(data_dir, download, split)


def _read_cifar10(data_dir: DataDir, split: str, download: bool) -> Split:
    return cifar.load_cifar10(data_dir, download)


def _read_cifar100(data_dir: DataDir, split: str, download: bool) -> Split:
    return cifar.load_cifar100(data_dir, download, split)


_RECIPES = {
    "cifar10": _Recipe(_read_cifar10, {"published": cifar.CIFAR10}),
    "cifar100": _Recipe(_read_cifar100, dict.fromkeys(cifar.CIFAR100_LABELS, cifar.CIFAR100)),
    "digits": _Recipe(
        _read_digits,
        dict.fromkeys(digits.SPLITS, ()),
        digits.LARGEST_PIXEL,
        enlarge=digits.upsample,
    ),
    "emnist": _Recipe(_read_emnist, {split: (source,) for split, source in emnist.EMNIST.items()}),
    **{
        source.name: _Recipe(partial(_read_idx, source), {"published": (source,)})
        for source in (mnist.FASHION_MNIST, mnist.KMNIST, mnist.MNIST)
    },
}


def names() -> tuple[str, ...]:
    """Return the names that :func:`load` knows, sorted.

    Examples
    --------
    >>> names()
    ('cifar10', 'cifar100', 'digits', 'emnist', 'fashion_mnist', 'kmnist', 'mnist')
    """
    return tuple(sorted(_RECIPES))


def _recipe(operation: str, name: str, split: str | None) -> tuple[_Recipe, str]:
    if name not in _RECIPES:
        raise unknown_name(operation, name, names())
    recipe = _RECIPES[name]
    splits = tuple(recipe.forms)
    split = splits[0] if split is None else split
    if split not in splits:
        raise OptionError(
            f"{operation}: split of {name} is one of {', '.join(splits)}; got {split!r}"
        )
    return recipe, split


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
    where more are asked for. Then the mean is taken off and the deviation divided out, both
    measured over the training images (before the border is added: for MNIST the well-known
    0.1307 and 0.3081), of colour images for each channel.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    data_dir : str or path, optional
        Where files are looked for first and fetched to, see :func:`load_mnist`; digits
        need none.
    image_size : int, in pixels
        Height and width. The size as published, 8, 28 or 32, leaves the images as they are.
    split : str, optional
        For digits "interleaved" (the default) or "writers", see :func:`load_digits`; for
        EMNIST one of its six, see :func:`load_emnist`; for CIFAR-100 which labels, "fine"
        (the default) or "coarse". The others have the "published" one.
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
    recipe, split = _recipe("data.load", name, split)
    raw = recipe.read(data_dir, split, download)
    if raw.train.images.shape[1] > 1:
        return _in_colour(raw, image_size, recipe.largest_pixel)
    train, test = (to_float(part.images, recipe.largest_pixel) for part in raw)
    native = train.shape[-1]
    if recipe.enlarge is not None and image_size != native:
        train, test = recipe.enlarge(train, image_size), recipe.enlarge(test, image_size)
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


@dataclass(frozen=True)
class Description:
    """What is known about a data set before it is read.

    Parameters
    ----------
    name, title : str
    splits : tuple of str
        The arrangements it comes in, the default first.
    split : str
        The one that is described.
    counts : tuple of int
        Of training and of test images.
    shape : tuple of int
        Of an image: channels, height, width.
    class_names : tuple of str
    licence, citation : str
    download_size : int, optional
        In bytes; 0 for what comes with the package, None if nobody states it.
    unmeasured : tuple of str
        Names of fetched files whose checksum is somebody's word: with who states it.
    looked_in : tuple of Path
        The folders in which its files are looked for.
    found_in : Path, optional
        The folder in which they are; None if they are not here.
    """

    name: str
    title: str
    splits: tuple[str, ...]
    split: str
    counts: tuple[int, int]
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    licence: str
    citation: str
    download_size: int | None = 0
    unmeasured: tuple[str, ...] = ()
    looked_in: tuple[Path, ...] = ()
    found_in: Path | None = None


def describe(
    name: str, data_dir: str | os.PathLike[str] | None = None, split: str | None = None
) -> Description:
    """Say what a data set is and where its files lie; nothing is fetched or read.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    data_dir : str or path, optional
        As for :func:`load`.
    split : str, optional
        As for :func:`load`.

    Returns
    -------
    Description

    Raises
    ------
    UnknownNameError
        If there is no data set of that name.
    OptionError
        If there is no such split.

    Examples
    --------
    >>> about = describe("cifar10")
    >>> about.title, about.counts, about.shape, about.class_names[:2]
    ('CIFAR-10', (50000, 10000), (3, 32, 32), ('airplane', 'automobile'))
    >>> about.download_size
    170498071
    """
    recipe, split = _recipe("data.describe", name, split)
    forms = recipe.forms[split]
    splits = tuple(recipe.forms)
    if not forms:
        return _describe_digits(splits, split)
    here = (find(form, data_dir) for form in forms)
    paths = next((paths for paths in here if paths is not None), None)
    looked_in = [folder for form in forms for folder in folders(form, data_dir)]
    source = forms[0]
    class_names = source.class_names
    if name == "cifar100":
        class_names = cifar.CIFAR100_LABELS[split]
    return Description(
        name=name,
        title=source.title,
        splits=splits,
        split=split,
        counts=source.counts,
        shape=source.shape,
        class_names=class_names,
        licence=source.licence,
        citation=source.citation,
        download_size=source.download_size,
        unmeasured=tuple(
            f"{file.name}: {file.checksum}, stated by {file.stated_by}"
            for file in source.fetched
            if not file.measured
        ),
        looked_in=tuple(dict.fromkeys(looked_in)),
        found_in=paths[0].parent if paths else None,
    )


def _describe_digits(splits: tuple[str, ...], split: str) -> Description:
    train, test = digits.load_digits(split)
    return Description(
        name="digits",
        title="Optical Recognition of Handwritten Digits",
        splits=splits,
        split=split,
        counts=(len(train), len(test)),
        shape=train.images.shape[1:],
        class_names=train.class_names,
        licence="CC BY 4.0, as others quote it; see DIGITS_ATTRIBUTION.txt",
        citation="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine "
        "Learning Repository, 1998",
        found_in=Path(digits.__file__).parent,
    )


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
        The files; none for the digits, which come with the package.

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
    recipe, split = _recipe("data.fetch", name, split)
    forms = recipe.forms[split]
    return obtain(forms, data_dir, progress=progress)[1] if forms else ()

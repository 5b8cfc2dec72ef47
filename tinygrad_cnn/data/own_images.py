"""A data set of one's own image files, ready to train on: found, divided, cut to one size.

::

    root/train/cat/1.jpg        or, where nobody divided them,     root/cat/1.jpg
    root/test/cat/2.jpg                                            root/cat/2.jpg

Without the folders ``train`` and ``test`` every fifth image of a class is a test image.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_cnn.data.dataset import Split
from tinygrad_cnn.data.folder import ImageFolder
from tinygrad_cnn.errors import DataError, MissingDataError, OptionError

__all__ = ["MODES", "find_own_images", "load_own_images"]

MODES = {"colour": "RGB", "grey": "L"}
_TEST_FOLDERS = ("test", "val", "valid", "validation")
_EVERY = 5


def load_own_images(
    root: str | os.PathLike[str] | None, image_size: int = 32, mode: str = "colour"
) -> Split:
    """Read image files in one folder for each class, all brought to one size.

    An image is scaled until its shorter side is `image_size`, and its middle is cut out.

    Parameters
    ----------
    root : str or path
        Holds the classes' folders, or ``train`` and one of ``test``, ``val``, ``valid``,
        ``validation`` that hold them.
    image_size : int, in pixels
        Height and width.
    mode : {"colour", "grey"}
        Three channels or one; images of other kinds are turned into that.

    Returns
    -------
    Split
        Of images as uint8, shape (N, 3, image_size, image_size) or (N, 1, ...).

    Raises
    ------
    OptionError
        If `image_size` or `mode` makes no sense, or Pillow is not installed.
    MissingDataError
        If there is no such folder.
    DataError
        If an image is damaged, there are fewer than two classes, a class has no image to
        learn from or none to be judged by, or the classes of the two parts differ.

    Examples
    --------
    >>> train, test = load_own_images("~/flowers", image_size=64)  # doctest: +SKIP
    """
    if image_size < 1:
        raise OptionError(f"load_own_images: image_size is 1 pixel or more; got {image_size}")
    train, test = find_own_images(root, mode, _cut_to(image_size))
    return Split(train.in_memory(), test.in_memory())


def find_own_images(
    root: str | os.PathLike[str] | None,
    mode: str = "colour",
    transform: Callable[[Any], Any] | None = None,
) -> tuple[ImageFolder, ImageFolder]:
    """Find the files of :func:`load_own_images` without reading them.

    Parameters
    ----------
    root : str or path
    mode : {"colour", "grey"}
    transform : callable, optional
        See :class:`ImageFolder`.

    Returns
    -------
    train, test : ImageFolder

    Raises
    ------
    OptionError, MissingDataError, DataError
        As :func:`load_own_images`, but for damaged images.
    """
    if mode not in MODES:
        raise OptionError(f"load_own_images: mode is one of {', '.join(MODES)}; got {mode!r}")
    if not root:
        raise MissingDataError(
            "load_own_images: images lie in a folder; got none. Name it with --data-dir"
        )
    root = Path(root).expanduser()
    tests = [root / name for name in _TEST_FOLDERS if (root / name).is_dir()]
    if (root / "train").is_dir() and tests:
        train, test = (
            ImageFolder(folder, transform, mode=MODES[mode])
            for folder in (root / "train", tests[0])
        )
        if train.classes != test.classes:
            odd = sorted({*train.classes} ^ {*test.classes})
            raise DataError(
                f"load_own_images: {train.root} and {test.root} have folders for the same classes; "
                f"got {', '.join(odd)} in one of them"
            )
    else:
        train, test = (ImageFolder(root, transform, mode=MODES[mode]) for _ in range(2))
        train.samples, test.samples = _divide(train)
        for part in (train, test):
            part.targets = [label for _, label in part.samples]
    if len(train.classes) < 2:
        raise DataError(
            "load_own_images: there are at least two classes to tell apart; got only "
            f"{train.classes[0]} in {train.root}"
        )
    return train, test


def _divide(folder: ImageFolder) -> tuple[list[tuple[Path, int]], list[tuple[Path, int]]]:
    parts: tuple[list[tuple[Path, int]], list[tuple[Path, int]]] = ([], [])
    for label, name in enumerate(folder.classes):
        of_class = [sample for sample in folder.samples if sample[1] == label]
        if len(of_class) < _EVERY:
            raise DataError(
                f"load_own_images: every {_EVERY}th image of a class becomes a test image; got "
                f"{len(of_class)} of {name} in {folder.root}. Add images, or divide them yourself "
                "into the folders train and test"
            )
        for place, sample in enumerate(of_class):
            parts[place % _EVERY == _EVERY - 1].append(sample)
    return parts


def _cut_to(size: int) -> Callable[[Any], Any]:
    def cut(image: Any) -> Any:
        from PIL import Image, ImageOps

        pixels = np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR))
        return (pixels[..., None] if pixels.ndim == 2 else pixels).transpose(2, 0, 1)

    return cut

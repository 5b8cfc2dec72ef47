"""Images in folders, one folder for each class, as photographs are usually kept.

::

    root/cat/one.jpg
    root/cat/two.png
    root/dog/deeper/three.jpg

The classes are numbered by the alphabet of their folders' names, as in torchvision. Reading
image files takes Pillow: ``pip install 'tinygrad_cnn[images]'``.
"""

import operator
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.dataset import ArrayDataset, Dataset
from tinygrad_cnn.errors import DataError, MissingDataError, OptionError, ShapeError

__all__ = ["IMAGE_SUFFIXES", "ImageFolder", "open_image"]

# As in torchvision, pytorch/vision, torchvision/datasets/folder.py.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
_MODES = {"RGB": 3, "L": 1}


class ImageFolder(Dataset):
    """A data set of image files in one folder for each class; each is read when it is asked for.

    Parameters
    ----------
    root : str or path
    transform : callable, optional
        Given the Pillow image, returns what a network is fed with. Without it an image is an
        array of uint8, shape (C, H, W).
    mode : {"RGB", "L"}
        What every image is turned into: three channels, or one of grey. An alpha channel is
        left out, a palette is looked up.

    Attributes
    ----------
    classes : list of str
        Names of the folders, sorted.
    class_to_idx : dict
        From name to number.
    samples : list of tuple of (Path, int)
        Each file with its class, sorted by class, folder and name; folders in folders are
        searched too.
    targets : list of int
        The class of each file.

    Raises
    ------
    MissingDataError
        If there is no such folder.
    DataError
        If it has no folders, or one of them holds no image.
    OptionError
        If `mode` is another one, or Pillow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as root:
    ...     for animal, grey in (("cat", 10), ("dog", 20)):
    ...         Path(root, animal).mkdir()
    ...         Image.new("L", (4, 3), grey).save(Path(root, animal, "one.png"))
    ...     dataset = ImageFolder(root)
    ...     image, label = dataset[1]
    >>> dataset.class_to_idx, image.shape, label
    ({'cat': 0, 'dog': 1}, (3, 3, 4), 1)
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
        *,
        mode: str = "RGB",
    ) -> None:
        if mode not in _MODES:
            raise OptionError(f"ImageFolder: mode is one of {', '.join(_MODES)}; got {mode!r}")
        _pillow()
        self.root = Path(root).expanduser()
        self.transform, self.mode = transform, mode
        self.classes, self.samples = _search(self.root)
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self.targets = [label for _, label in self.samples]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, as other data sets call them."""
        return tuple(self.classes)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: SupportsIndex) -> tuple[Any, int]:
        position = operator.index(index)
        if not -len(self) <= position < len(self):
            # IndexError itself ends a for loop over the data set.
            raise IndexError(
                f"ImageFolder: an index lies in [-{len(self)}, {len(self)}); got {position}"
            )
        path, label = self.samples[position]
        image = open_image(path, self.mode)
        return (_array(image) if self.transform is None else self.transform(image)), label

    def __repr__(self) -> str:
        return (
            f"ImageFolder({str(self.root)!r}, images={len(self)}, classes={len(self.classes)}, "
            f"mode={self.mode!r})"
        )

    def in_memory(self) -> ArrayDataset:
        """Read all images now, which have to be of one size.

        Returns
        -------
        ArrayDataset
            Of images as uint8, shape (N, C, H, W), or as `transform` makes them, if it makes
            arrays.

        Raises
        ------
        ShapeError
            If two images are of different sizes.
        DataError
            If an image is damaged.
        """
        first = np.asarray(self[0][0])
        images = np.empty((len(self), *first.shape), first.dtype)
        for position, (path, _) in enumerate(self.samples):
            image = np.asarray(self[position][0])
            if image.shape != first.shape:
                raise ShapeError(
                    f"ImageFolder.in_memory: images are of one size; got {first.shape} in "
                    f"{self.samples[0][0]} and {image.shape} in {path}. Give a transform that "
                    "resizes them"
                )
            images[position] = image
        return ArrayDataset(images, self.targets, self.classes)


def open_image(path: str | os.PathLike[str], mode: str = "RGB") -> Any:
    """Read an image file with Pillow, whole.

    Parameters
    ----------
    path : str or path
    mode : {"RGB", "L"}
        What the image is turned into.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    MissingDataError
        If there is no such file.
    DataError
        If it is damaged, no image, has more than 8 bits for each channel, or so many pixels
        that it looks like an attack on memory.
    OptionError
        If Pillow is not installed.
    """
    pillow = _pillow()
    if not os.path.isfile(path):
        raise MissingDataError(f"open_image: the file exists; got no file at {path}")
    try:
        with pillow.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise _damage(path, "a channel has 8 bits", f"pixels of mode {image.mode}")
            if image.mode == "P" and "transparency" in image.info:
                return image.convert("RGBA").convert(mode)
            return image.convert(mode)
    except DataError:
        raise
    except pillow.UnidentifiedImageError:
        raise _damage(path, "an image file is of a known format", "another one") from None
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as reason:
        raise _damage(path, "an image has a bearable size", str(reason)) from None
    # Pillow raises whatever its readers meet in a damaged file.
    except (OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, EOFError) as reason:
        raise _damage(path, "an image file is read without error", str(reason)) from None


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise OptionError(
            "ImageFolder: image files are read by Pillow; got an installation without it. "
            "Install it: pip install 'tinygrad_cnn[images]'"
        ) from None
    return Image


def _search(root: Path) -> tuple[list[str], list[tuple[Path, int]]]:
    if not root.is_dir():
        raise MissingDataError(f"ImageFolder: the folder exists; got no folder at {root}")
    classes = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    if not classes:
        raise DataError(
            f"ImageFolder: there is one folder for each class; got none in {root}. "
            "Move the images of each class into a folder of its own"
        )
    samples: list[tuple[Path, int]] = []
    for label, name in enumerate(classes):
        found = list(_images(root / name))
        if not found:
            raise DataError(
                f"ImageFolder: each class has an image, {', '.join(IMAGE_SUFFIXES)}; got none in "
                f"{root / name}"
            )
        samples += [(path, label) for path in found]
    return classes, samples


def _images(folder: Path) -> Iterable[Path]:
    # Those of a folder first, then those of the folders in it, as torchvision numbers them.
    for parent, _, files in sorted(os.walk(folder, followlinks=True)):
        for name in sorted(files):
            if name.lower().endswith(IMAGE_SUFFIXES):
                yield Path(parent, name)


def _array(image: Any) -> npt.NDArray[np.uint8]:
    pixels = np.asarray(image)
    channels_last = pixels[..., None] if pixels.ndim == 2 else pixels
    return np.ascontiguousarray(channels_last.transpose(2, 0, 1))


def _damage(path: str | os.PathLike[str], rule: str, got: str) -> DataError:
    return DataError(f"open_image: {rule}; got {got} in {os.fspath(path)}")

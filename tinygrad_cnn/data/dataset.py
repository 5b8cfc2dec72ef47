"""What a data set is, and images and labels as arrays: what the training loop reads."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data.colour import Normalise
from tinygrad_cnn.data.transforms import Standardise
from tinygrad_cnn.errors import DataError, DTypeError, ShapeError

__all__ = ["ArrayDataset", "Dataset", "Images", "Labels", "Split"]

Images = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]


class Dataset(ABC):
    """Numbered examples. Subclass it, and say how many there are and what one of them is.

    An example is a pair of image and label by custom; arrays, numbers, tensors and tuples or
    dictionaries of these can be made batches of. A data set that can read several examples
    faster than one by one may have a method ``batch(indices) -> (images, labels)``. Worker
    threads of a :class:`~tinygrad_cnn.data.DataLoader` read several examples at once.

    Examples
    --------
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 3
    ...
    ...     def __getitem__(self, index):
    ...         return np.full((1, 2, 2), index, np.float32), index**2
    >>> from tinygrad_cnn.data import DataLoader
    >>> for images, labels in DataLoader(Squares(), batch_size=2):
    ...     print(images.shape, labels)
    (2, 1, 2, 2) [0 1]
    (1, 1, 2, 2) [4]
    """

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of examples."""

    @abstractmethod
    def __getitem__(self, index: int) -> Any:
        """Return an example, index being from 0 to the length less one."""


class ArrayDataset(Dataset):
    """Examples held in two arrays, one of images and one of labels.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W) or (N, features)
        Integers or floats. Kept as given: neither copied nor scaled.
    labels : array of int, shape (N,)
        The class of each image, counted from 0. Kept as int64.
    class_names : sequence of str, optional
        Name of each class; labels have to stay below their number.
    standardise : Standardise or Normalise, optional
        The mean and deviation that were applied to the images, as a record.

    Raises
    ------
    ShapeError
        If the shapes are not these, or the counts differ.
    DTypeError
        If images are not real numbers or labels not integers.
    DataError
        If a label names no class.

    Examples
    --------
    >>> dataset = ArrayDataset(np.zeros((3, 1, 8, 8), np.float32), [2, 0, 1])
    >>> len(dataset)
    3
    >>> image, label = dataset[0]
    >>> image.shape, label
    ((1, 8, 8), 2)
    """

    def __init__(
        self,
        images: npt.ArrayLike,
        labels: npt.ArrayLike,
        class_names: Sequence[str] = (),
        standardise: Standardise | Normalise | None = None,
    ) -> None:
        image_array, label_array = np.asarray(images), np.asarray(labels)
        self.class_names = tuple(class_names)
        self.standardise = standardise
        _check(image_array, label_array, self.class_names)
        # In this machine's byte order, as compiled code reads numbers; files may have the other.
        native = np.dtype(image_array.dtype.type)
        self.images: Images = image_array.astype(native, copy=False)
        self.labels: Labels = label_array.astype(np.int64)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: SupportsIndex) -> tuple[Images, int]:
        position = operator.index(index)
        if not -len(self) <= position < len(self):
            # IndexError itself ends a for loop over the data set.
            raise IndexError(
                f"ArrayDataset: an index lies in [-{len(self)}, {len(self)}); got {position}"
            )
        return self.images[position], int(self.labels[position])

    def __repr__(self) -> str:
        return (
            f"ArrayDataset(images={self.images.shape} {self.images.dtype}, "
            f"labels={self.labels.shape}, classes={len(self.class_names) or 'unnamed'})"
        )

    def batch(self, indices: npt.ArrayLike) -> tuple[Images, Labels]:
        """Return the images and labels at several positions, as copies.

        Parameters
        ----------
        indices : array of int, shape (B,)

        Returns
        -------
        images : ndarray, shape (B, C, H, W) or (B, features)
        labels : ndarray of int64, shape (B,)

        Raises
        ------
        DTypeError
            If the indices are not integers.
        IndexError
            If one lies outside the data set.

        Examples
        --------
        >>> dataset = ArrayDataset(np.zeros((3, 1, 8, 8), np.float32), [2, 0, 1])
        >>> images, labels = dataset.batch([2, 0])
        >>> images.shape, labels
        ((2, 1, 8, 8), array([1, 2]))
        """
        positions = np.asarray(indices)
        if positions.size == 0:
            positions = positions.astype(np.intp)  # NumPy reads an empty list as floats
        if positions.dtype.kind not in "iu":
            raise DTypeError(
                f"ArrayDataset.batch: indices are integers; got {positions.dtype}. "
                "Turn a mask into indices with numpy.flatnonzero(mask)."
            )
        return self.images[positions], self.labels[positions]

    def subset(self, indices: npt.ArrayLike) -> "ArrayDataset":
        """Return a data set of the examples at several positions.

        Parameters
        ----------
        indices : array of int, shape (B,)

        Returns
        -------
        ArrayDataset
            With the same class names and the same record of the standardisation.

        Examples
        --------
        >>> dataset = ArrayDataset(np.zeros((3, 1, 8, 8), np.float32), [2, 0, 1])
        >>> dataset.subset(range(2)).labels
        array([2, 0])
        """
        images, labels = self.batch(indices)
        return ArrayDataset(images, labels, self.class_names, self.standardise)


def _check(images: Images, labels: npt.NDArray[Any], class_names: tuple[str, ...]) -> None:
    if images.dtype.kind not in "uif":
        raise DTypeError(f"ArrayDataset: images are real numbers; got {images.dtype}")
    if labels.size and labels.dtype.kind not in "ui":
        raise DTypeError(
            f"ArrayDataset: labels are integers, the class numbers; got {labels.dtype}"
        )
    if images.ndim not in (2, 4):
        channel = "; add the channel axis with images[:, None]" if images.ndim == 3 else ""
        raise ShapeError(
            "ArrayDataset: images have shape (N, C, H, W), or (N, features); "
            f"got {images.shape}{channel}"
        )
    if labels.ndim != 1:
        raise ShapeError(f"ArrayDataset: labels have shape (N,); got {labels.shape}")
    if len(images) != len(labels):
        raise ShapeError(
            "ArrayDataset: there is one label for each image; "
            f"got {len(images)} images and {len(labels)} labels"
        )
    if not len(labels):
        return
    smallest, largest = int(labels.min()), int(labels.max())
    if smallest < 0 or (class_names and largest >= len(class_names)):
        last = str(len(class_names) - 1) if class_names else "their number less one"
        raise DataError(
            f"ArrayDataset: labels count the classes from 0 to {last}; "
            f"got labels from {smallest} to {largest}"
        )


class Split(NamedTuple):
    """A data set in two parts: one to learn from and one to be judged by.

    Attributes
    ----------
    train, test : ArrayDataset

    Examples
    --------
    >>> dataset = ArrayDataset(np.zeros((3, 1, 8, 8), np.float32), [2, 0, 1])
    >>> train, test = Split(dataset.subset([0, 1]), dataset.subset([2]))
    >>> len(train), len(test)
    (2, 1)
    """

    train: ArrayDataset
    test: ArrayDataset

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their numbers."""
        return self.train.class_names

    @property
    def standardise(self) -> Standardise | Normalise | None:
        """The mean and deviation applied to both parts, if any were."""
        return self.train.standardise

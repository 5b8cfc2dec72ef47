"""Published data sets and folders of pictures, one picture at a time as scripts want them."""

import os
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

import tinygrad_cnn as tg
from tinygrad_cnn import data as sources
from tinygrad_cnn.compat.picture_transforms import picture, several
from tinygrad_cnn.data.examples import one_by_one

Transform = Callable[[Any], Any] | None


class _Published(sources.Dataset):
    """The training or the test images of a published data set.

    Parameters
    ----------
    root : str or path
        Folder whose files are read; where they are missing, they are looked for as
        :func:`tinygrad_cnn.data.load_mnist` does.
    train : bool
        Whether it is the images to learn from, or those to be judged by.
    transform : callable, optional
        Makes a picture (an image of Pillow's) what the network takes: ``ToTensor()``.
    target_transform : callable, optional
        The same for labels.
    download : bool
        Fetch missing files.

    Raises
    ------
    MissingDataError, DataError
        If files are missing or damaged.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Transform = None,
        target_transform: Transform = None,
        download: bool = False,
    ) -> None:
        parts = self._read(root, download)
        self.examples = parts.train if train else parts.test
        self.root, self.train = root, train
        self.transform, self.target_transform = transform, target_transform

    def _read(self, root: str | os.PathLike[str], download: bool) -> sources.Split:
        """Return both parts, as this package reads them."""
        raise NotImplementedError  # abstract

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        image, label = self.examples[index]
        shown = picture(image)
        return (
            shown if self.transform is None else self.transform(shown),
            label if self.target_transform is None else self.target_transform(label),
        )

    def batch(self, indices: Any) -> Any:
        """Return several examples at once, where the transform takes several."""
        together = several(self.transform)
        if together is None or self.target_transform is not None:
            return one_by_one(self, np.asarray(indices))
        images, labels = self.examples.batch(indices)
        return together(images), labels

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of their numbers."""
        return list(self.examples.class_names)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Numbers of the classes by their names."""
        return {name: number for number, name in enumerate(self.classes)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} images, train={self.train})"


class _Grey(_Published):
    """Images of one channel, whose bytes scripts read as tensors."""

    @cached_property
    def data(self) -> tg.Tensor:
        """All images as they are stored, whatever the transform: uint8, shape (N, H, W)."""
        return tg.Tensor(self.examples.images[:, 0])

    @cached_property
    def targets(self) -> tg.Tensor:
        """All labels: int64, shape (N,)."""
        return tg.Tensor(self.examples.labels)

    @property
    def train_data(self) -> tg.Tensor:
        """The same as `data`, as old scripts call it."""
        return self.data

    @property
    def train_labels(self) -> tg.Tensor:
        """The same as `targets`, as old scripts call it."""
        return self.targets

    test_data, test_labels = train_data, train_labels


class MNIST(_Grey):
    """MNIST as it was published: 60,000 and 10,000 handwritten digits, 28x28 pixels."""

    def _read(self, root: str | os.PathLike[str], download: bool) -> sources.Split:
        return sources.load_mnist(root, download)


class FashionMNIST(_Grey):
    """Fashion-MNIST as it was published: 60,000 and 10,000 articles of clothing, 28x28 pixels."""

    def _read(self, root: str | os.PathLike[str], download: bool) -> sources.Split:
        return sources.load_mnist(root, download, "fashion_mnist")


class KMNIST(_Grey):
    """Kuzushiji-MNIST as it was published: 60,000 and 10,000 syllables, 28x28 pixels."""

    def _read(self, root: str | os.PathLike[str], download: bool) -> sources.Split:
        return sources.load_mnist(root, download, "kmnist")


class EMNIST(_Grey):
    """A split of EMNIST, digits and letters of 28x28 pixels; here upright, and counted from 0.

    torchvision hands the images out as they are stored, with rows and columns exchanged, and
    counts the classes of "letters" from 1.
    """

    def __init__(self, root: str | os.PathLike[str], split: str, **options: Any) -> None:
        self.split = split
        super().__init__(root, **options)

    def _read(self, root: str | os.PathLike[str], download: bool) -> sources.Split:
        return sources.load_emnist(root, download, self.split)


class CIFAR10(_Published):
    """CIFAR-10 as it was published: 50,000 and 10,000 photographs, 32x32 pixels in colours."""

    def _read(self, root: str | os.PathLike[str], download: bool) -> sources.Split:
        return sources.load_cifar10(root, download)

    @cached_property
    def data(self) -> npt.NDArray[np.uint8]:
        """All images as they are stored, whatever the transform: uint8, shape (N, H, W, C)."""
        return np.moveaxis(self.examples.images, 1, -1)

    @cached_property
    def targets(self) -> list[int]:
        """All labels."""
        labels: list[int] = self.examples.labels.tolist()
        return labels


class CIFAR100(CIFAR10):
    """CIFAR-100 as it was published, with its hundred fine classes."""

    def _read(self, root: str | os.PathLike[str], download: bool) -> sources.Split:
        return sources.load_cifar100(root, download)

"""Published data sets and folders of pictures, one picture at a time as scripts want them."""

import os
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import tinygrad_cnn as tg
from tinygrad_cnn import data as sources
from tinygrad_cnn.compat.picture_transforms import picture, several

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

    source: ClassVar[str]

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Transform = None,
        target_transform: Transform = None,
        download: bool = False,
    ) -> None:
        parts = sources.load_mnist(root, download, self.source)
        self.examples = parts.train if train else parts.test
        self.root, self.train = root, train
        self.transform, self.target_transform = transform, target_transform

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
            return sources.collate([self[index] for index in indices], indices)
        images, labels = self.examples.batch(indices)
        return together(images), labels

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


class MNIST(_Published):
    """MNIST as it was published: 60,000 and 10,000 handwritten digits, 28x28 pixels."""

    source = "mnist"


class FashionMNIST(_Published):
    """Fashion-MNIST as it was published: 60,000 and 10,000 articles of clothing, 28x28 pixels."""

    source = "fashion_mnist"

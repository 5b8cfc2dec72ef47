"""Folders of pictures, one for each class, as scripts read them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinygrad_cnn import data


class ImageFolder(data.ImageFolder):
    """Pictures in one folder for each class; see :class:`tinygrad_cnn.data.ImageFolder`.

    Parameters
    ----------
    root : str or path
    transform : callable, optional
        Makes a picture, an image of Pillow's in colours, what the network takes; without it the
        example is the picture.
    target_transform : callable, optional
        The same for labels.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__(root, _as_it_is if transform is None else transform)
        self.target_transform = target_transform

    def __getitem__(self, index: Any) -> tuple[Any, Any]:
        picture, label = super().__getitem__(index)
        return picture, label if self.target_transform is None else self.target_transform(label)

    @property
    def imgs(self) -> list[tuple[Path, int]]:
        """The same as `samples`."""
        return self.samples


def _as_it_is(picture: Any) -> Any:
    return picture

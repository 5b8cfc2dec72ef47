"""What a run was asked to do, as plain values that are written down with its results."""

import dataclasses
import os
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_cnn.data import Split
from tinygrad_cnn.train.input_format import InputFormat
from tinygrad_cnn.train.recipe import Recipe
from tinygrad_cnn.version import __version__

__all__ = ["RunConfiguration", "fingerprint"]


def fingerprint(split: Split) -> str:
    """Return a short sum over all images and labels, to recognise a data set by.

    Examples
    --------
    >>> from tinygrad_cnn.data import ArrayDataset
    >>> dataset = ArrayDataset(np.zeros((2, 1, 2, 2), np.float32), [0, 1])
    >>> fingerprint(Split(dataset, dataset))
    '6bcb76e7'
    """
    value = 0
    for part in split:
        for array in (part.images, part.labels):
            value = zlib.crc32(np.ascontiguousarray(array).data.cast("B"), value)
    return f"{value:08x}"


@dataclass(frozen=True)
class RunConfiguration:
    """All that decides what a run computes.

    Parameters
    ----------
    model : str
        Name of the network in :mod:`tinygrad_cnn.models`.
    data : str
        Name of the data set in :mod:`tinygrad_cnn.data`.
    recipe : Recipe
    seed : int
        Starts the random generator: weights, order of the images, shifts.
    model_options : dict
        What the network's builder was given besides.
    split : str, optional
        Which images are for the test, where there is a choice.
    data_dir : str, optional
        Where the files lie.
    data_fingerprint : str
        See :func:`fingerprint`.
    input_format : InputFormat, optional
        What the images are like; None of a run that was begun before runs kept it.
    version : str
        Of this package.
    """

    model: str
    data: str
    recipe: Recipe
    seed: int
    model_options: dict[str, Any] = field(default_factory=dict)
    split: str | None = None
    data_dir: str | None = None
    data_fingerprint: str = ""
    input_format: InputFormat | None = None
    version: str = __version__

    def __post_init__(self) -> None:
        if self.data_dir is not None:
            # The run may be continued from another folder.
            absolute = os.path.abspath(os.path.expanduser(self.data_dir))
            object.__setattr__(self, "data_dir", absolute)

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries, texts and numbers."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RunConfiguration":
        """Rebuild what :meth:`to_json` returned."""
        kept = values.get("input_format")
        return cls(
            **{
                **values,
                "recipe": Recipe(**values["recipe"]),
                "input_format": None if kept is None else InputFormat.from_json(kept),
            }
        )

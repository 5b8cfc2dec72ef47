"""State dictionaries in files: ``torch.save`` and ``torch.load`` without pickle.

Whatever the name of the file, it holds safetensors: a table of names, types and shapes, and the
numbers. Nothing in it can be run. A file that PyTorch wrote is read too, as
:func:`tinygrad_cnn.models.read_weights` does, if it holds a state dictionary.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn.atomic import write_atomically
from tinygrad_cnn.errors import DTypeError

_REMEDY = "Write torch.save(model.state_dict(), path), one file for each state dictionary"


def save(state: Any, path: str | os.PathLike[str]) -> None:
    """Write a state dictionary; the file that was there is replaced when the new one is whole.

    Parameters
    ----------
    state : mapping of str to Tensor, ndarray or number
        ``model.state_dict()`` or ``optimiser.state_dict()``.
    path : str or path

    Raises
    ------
    DTypeError
        If it is anything else.
    RunDirectoryError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save({"bias": tg.Tensor([1.0, 2.0])}, Path(folder, "weights.pt"))
    ...     load(Path(folder, "weights.pt"))
    {'bias': Tensor([1., 2.])}
    """
    if not isinstance(state, Mapping):
        raise DTypeError(
            f"save: it writes state dictionaries; got {type(state).__name__}. {_REMEDY}"
        )
    arrays = {}
    for name, value in state.items():
        array = (
            np.asarray(value) if isinstance(value, tg.Tensor | np.ndarray | float | int) else None
        )
        if not isinstance(name, str) or array is None or array.dtype.kind not in "fiub":
            raise DTypeError(
                "save: a state dictionary holds arrays of numbers by name; got "
                f"{type(value).__name__} for {name!r}. {_REMEDY}"
            )
        arrays[name] = np.ascontiguousarray(array).reshape(array.shape)
    from safetensors.numpy import save as to_bytes

    write_atomically(Path(path), to_bytes(arrays))


def load(
    path: str | os.PathLike[str], map_location: Any = None, *, weights_only: bool = True
) -> dict[str, tg.Tensor]:
    """Read a state dictionary.

    Parameters
    ----------
    path : str or path
    map_location, weights_only : optional
        Stand where PyTorch has them: everything goes to the CPU, and nothing but weights is
        read.

    Returns
    -------
    dict of Tensor

    Raises
    ------
    MissingDataError
        If there is no such file.
    CheckpointError
        If it holds anything but a state dictionary.
    """
    return {name: tg.Tensor(array) for name, array in tg.models.read_weights(path).items()}

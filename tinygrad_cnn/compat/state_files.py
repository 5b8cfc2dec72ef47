"""State dictionaries in files: ``torch.save`` and ``torch.load`` without pickle.

Whatever the name of the file, it holds safetensors: a table of names, types and shapes, and the
numbers. Nothing in it can be run. Where a state holds more than arrays by name, as
``{"model": model.state_dict(), "epoch": 3}`` does, the table has a note in JSON of what lay in
what. A file that PyTorch wrote is read too, as :func:`tinygrad_cnn.models.read_weights` does, if
it holds a state dictionary.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn.atomic import write_atomically
from tinygrad_cnn.errors import CheckpointError, DTypeError

_REMEDY = (
    "Write torch.save(model.state_dict(), path), or a dictionary of state dictionaries, numbers "
    "and texts"
)
_NOTE = "structure"  # the name of the note


def save(state: Any, path: str | os.PathLike[str]) -> None:
    """Write a state dictionary; the file that was there is replaced when the new one is whole.

    Parameters
    ----------
    state : mapping of str
        ``model.state_dict()``, ``optimiser.state_dict()``, or a dictionary of such, of lists,
        tensors, arrays, numbers and texts.
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
    ...     save({"net": {"bias": tg.Tensor([1.0, 2.0])}, "epoch": 3}, Path(folder, "last.pt"))
    ...     load(Path(folder, "last.pt"))
    {'net': {'bias': Tensor([1., 2.])}, 'epoch': 3}
    """
    if not isinstance(state, Mapping):
        raise DTypeError(
            f"save: it writes state dictionaries; got {type(state).__name__}. {_REMEDY}"
        )
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    structure = _taken_apart(state, "", arrays)
    flat = all("array" in part for _, part in structure["mapping"])
    from safetensors.numpy import save as to_bytes

    note = None if flat else {_NOTE: json.dumps(structure)}
    write_atomically(Path(path), to_bytes(arrays, metadata=note))


def load(
    path: str | os.PathLike[str], map_location: Any = None, *, weights_only: bool = True
) -> dict[str, Any]:
    """Read what :func:`save` wrote, or a state dictionary of PyTorch's.

    Parameters
    ----------
    path : str or path
    map_location, weights_only : optional
        Stand where PyTorch has them: everything goes to the CPU, and nothing but weights is
        read.

    Returns
    -------
    dict
        Of tensors, and of what else was saved.

    Raises
    ------
    MissingDataError
        If there is no such file.
    CheckpointError
        If it holds anything but a state dictionary.
    """
    tensors = {name: tg.Tensor(array) for name, array in tg.models.read_weights(path).items()}
    if (note := _note(path)) is None:
        return tensors
    try:
        state = _put_together(json.loads(note), tensors)
        if not isinstance(state, dict):
            raise TypeError(type(state).__name__)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as reason:
        raise CheckpointError(
            f"load: the note of a file says what lay in what; got another one in {os.fspath(path)} "
            f"({type(reason).__name__}: {reason!s:.60})"
        ) from None
    return state


def _taken_apart(value: Any, place: str, arrays: dict[str, Any]) -> dict[str, Any]:
    """Return the note of a value, and put the arrays in it where their names can be found."""
    if isinstance(value, Mapping):
        if wrong := [name for name in value if not isinstance(name, str)]:
            raise DTypeError(
                "save: names in a state dictionary are texts; got "
                f"{type(value[wrong[0]]).__name__} for {wrong[0]!r}. {_REMEDY}"
            )
        inside = f"{place}/" if place else ""
        parts = [(name, _taken_apart(part, inside + name, arrays)) for name, part in value.items()]
        return {"mapping": parts}
    if isinstance(value, list | tuple):
        return {"list": [_taken_apart(v, f"{place}/{k}", arrays) for k, v in enumerate(value)]}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | float | int):
        return {"value": value}
    array = np.asarray(value) if isinstance(value, tg.Tensor | np.ndarray) else None
    if array is None or array.dtype.kind not in "fiub":
        raise DTypeError(
            "save: a state dictionary holds arrays of numbers by name; got "
            f"{type(value).__name__} for {place!r}. {_REMEDY}"
        )
    arrays[place] = np.ascontiguousarray(array).reshape(array.shape)
    return {"array": place}


def _put_together(structure: Mapping[str, Any], tensors: Mapping[str, tg.Tensor]) -> Any:
    ((kind, content),) = structure.items()
    if kind == "mapping":
        return {str(name): _put_together(part, tensors) for name, part in content}
    if kind == "list":
        return [_put_together(part, tensors) for part in content]
    return tensors[content] if kind == "array" else {"value": content}[kind]


def _note(path: str | os.PathLike[str]) -> str | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return (file.metadata() or {}).get(_NOTE)
    except SafetensorError:  # a file of PyTorch's
        return None

"""Read published weights: safetensors, NumPy's .npz, and the files of ``torch.save``.

Nothing in any of these files is executed, and no size that a file claims is believed before it
is compared with what the file can hold.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import CheckpointError, MissingDataError
from tinygrad_cnn.models.archive import open_archive, open_member, read_exactly
from tinygrad_cnn.models.pytorch_file import StoredTensor, read_pytorch_file, widen_bfloat16
from tinygrad_cnn.pickle_reader import RefusedError

__all__ = ["read_weights"]

Array = npt.NDArray[Any]
_PARALLEL_PREFIX = "module."  # what PyTorch's DataParallel puts before every name
_SAVE_ALONE = "Save the state dictionary alone: torch.save(model.state_dict(), path)"
_RUNNING, _COUNTED = ".running_var", ".num_batches_tracked"


def read_weights(path: str | os.PathLike[str], key: str | None = None) -> dict[str, Array]:
    """Read the arrays of a state dictionary, by name.

    Parameters
    ----------
    path : str or path
        A ``.safetensors`` file, an ``.npz`` file, or a file of ``torch.save`` in its zip form
        or the older one (``.pth``, ``.pt``, ``.th``, ``.bin``). What is safetensors inside is read
        as that whatever it is called.
    key : str, optional
        Of files of ``torch.save``: where the state dictionary lies among other things, such as
        ``"state_dict"``; dots lead further inward. By default it is the dictionary in the file
        if that holds tensors, else the only dictionary in it that does.

    Returns
    -------
    dict of ndarray
        For :meth:`Module.load_state_dict <tinygrad_cnn.nn.Module.load_state_dict>`. Names lose
        ``module.``, which PyTorch's ``DataParallel`` puts before them, where all names have it.
        ``num_batches_tracked`` of batch normalisation is 0 in files that are older than it.
        bfloat16 comes as float32; other types stay. Tensors that shared memory still do.

    Raises
    ------
    MissingDataError
        If there is no such file.
    CheckpointError
        If it is damaged, of another kind, or asks for more than arrays.

    Notes
    -----
    A file of ``torch.save`` is a pickle, a program that may call anything. It is read by a
    machine of its own (:mod:`tinygrad_cnn.pickle_reader`), which knows tensors and
    plain containers only and refuses every other name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "weights.npz")
    ...     np.savez(path, **{"fc.bias": np.array([1.0, 2.0])})
    ...     read_weights(path)
    {'fc.bias': array([1., 2.])}
    """
    path = Path(path)
    read = _read_safetensors if _is_safetensors(path) else _READERS.get(path.suffix)
    if read is None:
        raise CheckpointError(
            f"read_weights: the name ends in {', '.join(_READERS)}; got {path.name!r}"
        )
    if not path.is_file():
        raise MissingDataError(f"read_weights: the file exists; got no file at {path}")
    if key is not None and read is not _read_pytorch:
        raise CheckpointError(
            f"read_weights: only files of torch.save hold other things; got key={key!r} for {path}"
        )
    try:
        arrays = read(path, key)
    except RefusedError as refused:
        raise CheckpointError(
            f"read_weights: {refused.rule}; got {refused.got} in {path}. {refused.remedy}"
        ) from None
    except (ValueError, OverflowError, MemoryError) as reason:
        raise CheckpointError(
            f"read_weights: arrays have sizes that this machine can hold; got {path}, of which "
            f"NumPy says: {str(reason).splitlines()[0]}"
        ) from None
    if arrays and all(name.startswith(_PARALLEL_PREFIX) for name in arrays):
        arrays = {name.removeprefix(_PARALLEL_PREFIX): array for name, array in arrays.items()}
    for name in [name for name in arrays if name.endswith(_RUNNING)]:
        arrays.setdefault(name.removesuffix(_RUNNING) + _COUNTED, np.zeros((), np.int64))
    return arrays


def _read_pytorch(path: Path, key: str | None) -> dict[str, Array]:
    return read_pytorch_file(path, lambda content: _state_dictionary(content, key))


def _state_dictionary(content: Any, key: str | None) -> dict[str, StoredTensor]:
    """Find the dictionary of tensors in what a file holds."""
    for part in key.split(".") if key else ():
        if not isinstance(content, dict) or part not in content:
            raise RefusedError(
                f"the file holds {key!r}",
                f"{_keys(content)} where {part!r} is due",
                "Name what it holds: read_weights(path, key=...)",
            )
        content = content[part]
    if not _holds_tensors(content) and key is None and isinstance(content, dict):
        found = [name for name, value in content.items() if _holds_tensors(value)]
        if len(found) != 1:
            several = f"{len(found)} ({', '.join(map(_short, found[:5]))})" if found else "none"
            raise RefusedError(
                "the file holds one dictionary of tensors",
                f"{several} in {_keys(content)}",
                "Name it, if it lies further inward: read_weights(path, key=...)",
            )
        content = content[found[0]]
    if not _holds_tensors(content):
        raise RefusedError("the file holds a dictionary of tensors", _keys(content), _SAVE_ALONE)
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, StoredTensor):
            raise RefusedError(
                "a state dictionary holds tensors by name and nothing else",
                f"{type(value).__name__} at {_short(name)}",
                _SAVE_ALONE,
            )
    return content


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(v, StoredTensor) for v in value.values())


def _keys(value: Any) -> str:
    if isinstance(value, StoredTensor):
        return "a single tensor"
    if not isinstance(value, dict) or not value:
        return "an empty dictionary" if value == {} else f"a {type(value).__name__}"
    more = ", ..." if len(value) > 5 else ""
    return f"a dictionary of {', '.join(map(_short, list(value)[:5]))}{more}"


def _short(name: Any) -> str:
    # An integer of thousands of digits cannot even be printed.
    return repr(name[:80]) if isinstance(name, str) else f"a {type(name).__name__}"


def _read_npz(path: Path, _key: str | None) -> dict[str, Array]:
    with open_archive(path) as archive:
        arrays = {}
        for name in archive.namelist():
            with open_member(archive, name) as stream:
                # The header is a literal, parsed and never evaluated.
                version = np.lib.format.read_magic(stream)
                if version not in _NPY_HEADERS:
                    raise RefusedError("an array's header is of version 1 or 2", str(version))
                shape, columns_first, dtype = _NPY_HEADERS[version](stream)
                if dtype.kind not in "biuf":
                    raise RefusedError("arrays hold numbers", f"{dtype} in {name!r}")
                if any(size < 0 for size in shape):
                    raise RefusedError("sizes are not negative", f"{shape} in {name!r}")
                raw = read_exactly(archive, stream, math.prod(shape) * dtype.itemsize)
            elements = np.frombuffer(raw, dtype).astype(dtype.type, copy=False)
            arrays[name.removesuffix(".npy")] = elements.reshape(
                shape, order="F" if columns_first else "C"
            )
    return arrays


_NPY_HEADERS: dict[tuple[int, int], Callable[[Any], Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

_SAFETENSORS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "|i1", "U8": "|u1", "BOOL": "|b1", "U16": "<u2", "U32": "<u4", "U64": "<u8",
}  # fmt: skip


def _is_safetensors(path: Path) -> bool:
    """Tell by its first bytes: the length of a header, and the brace that it begins with."""
    try:
        with path.open("rb") as stream:
            begin = stream.read(9)
    except OSError:
        return False
    return len(begin) == 9 and begin[8:] == b"{" and int.from_bytes(begin[:8], "little") < 1 << 32


def _read_safetensors(path: Path, _key: str | None) -> dict[str, Array]:
    from safetensors import SafetensorError, deserialize

    try:
        entries = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except SafetensorError as reason:
        raise RefusedError("the file is whole safetensors", str(reason)) from None
    arrays = {}
    for name, entry in entries:
        kind, raw = entry["dtype"], entry["data"]
        if kind != "BF16" and kind not in _SAFETENSORS:
            raise RefusedError("arrays hold real numbers", f"{kind} at {name!r}", "Convert it")
        elements = widen_bfloat16(raw) if kind == "BF16" else np.frombuffer(raw, _SAFETENSORS[kind])
        arrays[name] = elements.reshape(entry["shape"])
    return arrays


_READERS: dict[str, Callable[[Path, str | None], dict[str, Array]]] = {
    ".safetensors": _read_safetensors,
    ".npz": _read_npz,
    **dict.fromkeys((".pth", ".pt", ".th", ".bin"), _read_pytorch),
}

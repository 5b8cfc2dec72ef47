"""What users hand in, brought into the form that arrays take: values, sizes, index keys."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.device import CPU, DEVICES, SHAPES
from tinygrad_cnn.errors import DeviceError, DTypeError, OptionError
from tinygrad_cnn.kernels.stand_in import is_stand_in
from tinygrad_cnn.variable import Variable

Array = npt.NDArray[Any]

DEFAULT_DTYPE = np.dtype(np.float32)


def numbers(data: Any, dtype: npt.DTypeLike | None = None) -> Array:
    """Return data as a new array, or refuse what are no numbers."""
    try:
        array = np.array(data, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise DTypeError(f"Tensor: the data form an array of numbers; got {error}") from None
    if array.dtype.kind not in "fiub":
        raise DTypeError(
            f"Tensor: the data are numbers or truth values; got element type {array.dtype}"
        )
    return native(array)


def native(array: Array) -> Array:
    """Return numbers in the byte order of this machine, as compiled code reads them.

    Files, such as those of MNIST, may hold the other one.

    Examples
    --------
    >>> native(np.array([1.0, 2.0], ">f4")).dtype.isnative
    True
    """
    return array if array.dtype.isnative else array.astype(array.dtype.type)


def as_array(data: Any, dtype: npt.DTypeLike | None = None) -> Array:
    """Return a private array of numbers: floats that are not in an array become float32."""
    if is_stand_in(data):
        return data if dtype is None else data.astype(dtype)
    if isinstance(data, Variable):
        if data.device == "scalar":
            raise DTypeError(
                f"Tensor: scalars are joined with tg.stack(scalars); got the Scalar {data!r}"
            )
        data = data._value
        if is_stand_in(data):
            return as_array(data, dtype)
    array = numbers(data, dtype)
    given_type = dtype is not None or isinstance(data, np.ndarray | np.generic)
    return array if given_type or array.dtype.kind != "f" else array.astype(DEFAULT_DTYPE)


def as_dtype(operation: str, named: Any) -> np.dtype[Any]:
    """Return an element type of numbers or truth values by whatever names it."""
    try:
        dtype: np.dtype[Any] = np.dtype(named)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind not in "fiub":
        raise DTypeError(
            f"{operation}: element types are those of numbers or truth values, such as "
            f"'float32'; got {named!r}"
        )
    return np.dtype(dtype.type)  # the one object that NumPy has for it; newbyteorder makes another


def target(
    targets: tuple[Any, ...], dtype: Any, device: Any
) -> tuple[np.dtype[Any] | None, str | None]:
    """Return the element type and device that the arguments of ``to`` name, None for none."""
    dtypes, places = [dtype], [device]
    for target in targets:
        if isinstance(target, Variable):
            dtypes.append(target.dtype)
            places.append(target.device)
        elif isinstance(target, str) and target.split(":")[0] in (*DEVICES, "cuda"):
            places.append(target)
        else:
            dtypes.append(target)
    types = [as_dtype("to", each) for each in dtypes if each is not None]
    places = [each for each in places if each is not None]
    if max(len(types), len(places)) > 1:
        raise OptionError(
            "to: one element type and one device are named; got "
            f"{', '.join(map(str, (*types, *places)))}"
        )
    place = None if not places else as_place("to", places[0])
    return types[0] if types else None, place


def as_place(operation: str, device: Any) -> str:
    """Return the name of a device that tensors live on."""
    if device not in (CPU.name, SHAPES.name):
        raise DeviceError(
            f"{operation}: tensors live on 'cpu' here, or have a shape alone on 'shapes'; got "
            f"{device!r}"
        )
    return str(device)


def unpacked(given: tuple[Any, ...]) -> Any:
    """Return what was given one by one, or as one sequence."""
    return given[0] if len(given) == 1 and isinstance(given[0], Sequence) else given


def plain_key(key: Any) -> Any:
    """Return an index key with tensors replaced by their arrays."""
    if isinstance(key, tuple):
        return tuple(plain_key(part) for part in key)
    return key._value if isinstance(key, Variable) else key

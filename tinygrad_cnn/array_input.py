"""What users hand in, brought into the form that arrays take: values, sizes, index keys."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import DTypeError, OptionError
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.variable import Variable

Array = npt.NDArray[Any]

DEFAULT_DTYPE = np.dtype(np.float32)


def as_array(data: Any, dtype: npt.DTypeLike | None = None) -> Array:
    """Return a private array of numbers: floats that are not in an array become float32."""
    if isinstance(data, Variable):
        if data.device == "scalar":
            raise DTypeError(
                f"Tensor: scalars are joined with tg.stack(scalars); got the Scalar {data!r}"
            )
        data = data._value
    try:
        array = np.array(data, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise DTypeError(f"Tensor: the data form an array of numbers; got {error}") from None
    if array.dtype.kind not in "fiub":
        raise DTypeError(
            f"Tensor: the data are numbers or truth values; got element type {array.dtype}"
        )
    given_type = dtype is not None or isinstance(data, np.ndarray | np.generic)
    return array if given_type or array.dtype.kind != "f" else array.astype(DEFAULT_DTYPE)


def plain_sizes(given: tuple[Any, ...]) -> Shape:
    """Return sizes that were given one by one, or as one sequence, as a tuple."""
    sizes = given[0] if len(given) == 1 and isinstance(given[0], Sequence) else given
    if not all(isinstance(size, int | np.integer) for size in sizes):
        raise OptionError(f"reshape: sizes are integers; got {sizes}")
    return tuple(int(size) for size in sizes)


def plain_key(key: Any) -> Any:
    """Return an index key with tensors replaced by their arrays."""
    if isinstance(key, tuple):
        return tuple(plain_key(part) for part in key)
    return key._value if isinstance(key, Variable) else key

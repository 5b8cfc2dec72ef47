"""Arrays with a shape and an element type, and no memory.

A stand-in is a NumPy array whose elements all lie in one place: its strides are zero. It
reshapes, slices and transposes as any array does, and what NumPy computes from it is again a
stand-in, of the right shape and type, without a single operation. So code that is written
for arrays can be run to learn shapes alone.

Nothing is to be read from it. Whoever looks all the same sees zeros.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Shape = tuple[int, ...]


class StandIn(np.ndarray[Any, Any]):
    """An array of some shape and element type in the memory of one element."""

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        if method == "at" or out is not None:
            return None if method == "at" else (out if len(out) > 1 else out[0])
        if method == "__call__" and ufunc.signature is None:
            shape = np.broadcast_shapes(*map(np.shape, inputs))
            return _alike(ufunc(*map(_nothing, inputs), **_without_where(options)), shape)
        if method == "__call__" and ufunc is np.matmul and min(map(np.ndim, inputs)) > 1:
            a, b = map(np.shape, inputs)
            shape = (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])
            return stand_in(shape, np.result_type(*inputs))
        if method == "reduce":
            return _reduced(ufunc, inputs[0], **_without_where(options))
        if method == "accumulate":
            return stand_in(inputs[0].shape, inputs[0].dtype)
        plain = (np.asarray(each) if isinstance(each, StandIn) else each for each in inputs)
        return _as_stand_ins(getattr(ufunc, method)(*plain, **options))

    def __array_function__(
        self, function: Callable[..., Any], types: Any, given: Any, options: Any
    ) -> Any:
        if function in _WRITERS:
            return None
        if function in _SHAPES:
            return _SHAPES[function](*given, **options)
        if function in _VIEWS:
            return super().__array_function__(function, types, given, options)
        return _as_stand_ins(function(*_plain(given), **dict(_plain(list(options.items())))))

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if all(part is None or isinstance(part, int | slice | type(...)) for part in parts):
            return _as_stand_ins(super().__getitem__(key))
        single = np.broadcast_to(np.zeros((), np.bool_), self.shape)
        return stand_in(single[_plain(key)].shape, self.dtype)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Write nothing."""

    def astype(  # type: ignore[override]  # nothing that it could be asked makes a difference
        self, dtype: npt.DTypeLike, *_: Any, **__: Any
    ) -> Any:
        """Return a stand-in of another element type."""
        return stand_in(self.shape, dtype)

    def copy(self, *_: Any, **__: Any) -> Any:
        """Return another stand-in."""
        return stand_in(self.shape, self.dtype)

    def fill(self, value: Any) -> None:
        """Write nothing."""

    def argmax(self, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        """Return a stand-in for positions."""
        return _positions(self, axis, keepdims)

    def argmin(self, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        """Return a stand-in for positions."""
        return _positions(self, axis, keepdims)

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __reduce__(self) -> Any:
        return stand_in, (self.shape, self.dtype)

    def __repr__(self) -> str:
        return f"StandIn({self.shape}, {self.dtype})"

    __str__ = __repr__

    def __array_wrap__(self, array: Any, *_: Any) -> Any:
        return stand_in(array.shape, array.dtype)


def stand_in(shape: Sequence[int] | int, dtype: npt.DTypeLike) -> StandIn:
    """Return an array without memory.

    Examples
    --------
    >>> images = stand_in((64, 3, 224, 224), "float32")
    >>> (images.transpose(0, 2, 3, 1) * 2.0).sum(axis=(1, 2))
    StandIn((64, 3), float32)
    >>> is_stand_in(images), is_stand_in(np.zeros(3))
    (True, False)
    """
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return np.broadcast_to(np.zeros((), dtype), shape).view(StandIn)


def is_stand_in(array: Any) -> bool:
    """Tell whether an array has a shape and no values."""
    return isinstance(array, StandIn)


class ShapesOnly:
    """NumPy's functions, where what would make an array makes a stand-in."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def array(self, values: Any, dtype: npt.DTypeLike | None = None, **_: Any) -> StandIn:
        """Stand in for a copy."""
        return self.asarray(values, dtype)

    def asarray(self, values: Any, dtype: npt.DTypeLike | None = None, **_: Any) -> StandIn:
        """Stand in for an array."""
        if isinstance(values, StandIn) and dtype in (None, values.dtype):
            return values
        plain = np.asarray(values, dtype)
        return stand_in(plain.shape, plain.dtype)

    ascontiguousarray = asanyarray = asarray

    def zeros(self, shape: Any, dtype: npt.DTypeLike = np.float64, **_: Any) -> StandIn:
        """Stand in for zeros, or for ones, or for what a kernel will fill."""
        return stand_in(shape, dtype)

    ones = empty = zeros

    def full(
        self, shape: Any, fill_value: Any, dtype: npt.DTypeLike | None = None, **_: Any
    ) -> StandIn:
        """Stand in for an array of one number."""
        return stand_in(shape, np.asarray(fill_value, dtype).dtype)

    def arange(self, *numbers: Any, **options: Any) -> StandIn:
        """Stand in for a range."""
        return self.asarray(np.arange(*numbers, **options))


# -- shapes of results -----------------------------------------------------------------


def _nothing(value: Any) -> Any:
    """Return no elements of the type of an array; numbers stay, since they decide types."""
    return np.empty(0, value.dtype) if isinstance(value, np.ndarray) else value


def _alike(results: Any, shape: Shape) -> Any:
    if isinstance(results, tuple):
        return tuple(stand_in(shape, each.dtype) for each in results)
    return stand_in(shape, results.dtype)


def _without_where(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in ("where", "initial")}


def _reduced(ufunc: np.ufunc, x: Any, axis: Any = 0, dtype: Any = None, out: Any = None,
             keepdims: bool = False) -> StandIn:  # fmt: skip
    kind = ufunc.reduce(np.ones((1,) * x.ndim, x.dtype), axis=axis, dtype=dtype).dtype
    return stand_in(_reduced_shape(x.shape, axis, keepdims), kind)


def _reduced_shape(shape: Shape, axis: Any, keepdims: Any) -> Shape:
    listed = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = {each % len(shape) for each in listed}
    kept = [(k, size) for k, size in enumerate(shape) if keepdims is True or k not in axes]
    return tuple(1 if k in axes else size for k, size in kept)


def _positions(x: Any, axis: Any = None, keepdims: Any = False) -> StandIn:
    return stand_in(_reduced_shape(x.shape, axis, keepdims), np.intp)


def _concatenate(arrays: Any, axis: int = 0, **_: Any) -> StandIn:
    shape = list(np.shape(arrays[0]))
    shape[axis] = sum(np.shape(each)[axis] for each in arrays)
    return stand_in(shape, np.result_type(*arrays))


def _stack(arrays: Any, axis: int = 0, **_: Any) -> StandIn:
    shape = list(np.shape(arrays[0]))
    shape.insert(axis % (len(shape) + 1), len(arrays))
    return stand_in(shape, np.result_type(*arrays))


def _pad(array: Any, widths: Any, *_: Any, **__: Any) -> StandIn:
    pairs = np.broadcast_to(np.asarray(widths), (np.ndim(array), 2)).tolist()
    sizes = zip(np.shape(array), pairs, strict=True)
    return stand_in([size + before + after for size, (before, after) in sizes], array.dtype)


def _where(condition: Any, *values: Any) -> Any:
    if not values:
        return tuple(stand_in((0,), np.intp) for _ in np.shape(condition))
    shape = np.broadcast_shapes(*map(np.shape, (condition, *values)))
    return stand_in(shape, np.result_type(*map(_nothing, values)))


def _take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> StandIn:
    return stand_in(np.shape(indices), x.dtype)


def _like(x: Any, *_: Any, dtype: Any = None, shape: Any = None, **__: Any) -> StandIn:
    return stand_in(np.shape(x) if shape is None else shape, dtype or x.dtype)


def _full_like(x: Any, fill_value: Any, dtype: Any = None, **_: Any) -> StandIn:
    return stand_in(np.shape(x), dtype or x.dtype)


def _itself(x: Any, *_: Any, **__: Any) -> Any:
    return x.copy()


_SHAPES: dict[Any, Callable[..., Any]] = {
    np.concatenate: _concatenate,
    np.stack: _stack,
    np.pad: _pad,
    np.where: _where,
    np.take_along_axis: _take_along_axis,
    np.argmax: lambda x, axis=None, out=None, keepdims=False: _positions(x, axis, keepdims),
    np.argmin: lambda x, axis=None, out=None, keepdims=False: _positions(x, axis, keepdims),
    np.zeros_like: _like,
    np.ones_like: _like,
    np.empty_like: _like,
    np.full_like: _full_like,
    np.copy: _itself,
    np.sort: _itself,
    np.flip: _itself,
    np.roll: _itself,
    np.cumsum: lambda x, axis=None, **_: x.copy() if axis is not None else x.reshape(-1).copy(),
}
_WRITERS = {np.copyto, np.put_along_axis, np.place, np.putmask}
_VIEWS = {
    np.amax, np.amin, np.any, np.all, np.array_split, np.atleast_1d, np.broadcast_arrays,
    np.broadcast_to, np.clip, np.expand_dims, np.may_share_memory, np.max, np.mean, np.min,
    np.moveaxis, np.ndim, np.prod, np.ravel, np.reshape, np.result_type, np.shape, np.size,
    np.split, np.squeeze, np.std, np.sum, np.swapaxes, np.transpose, np.var,
    np.lib.stride_tricks.as_strided, np.lib.stride_tricks.sliding_window_view,
}  # fmt: skip


def _plain(value: Any) -> Any:
    """Return arguments with zeros of no memory in place of stand-ins."""
    if isinstance(value, StandIn):
        return np.broadcast_to(np.zeros((), value.dtype), value.shape)
    if isinstance(value, tuple | list):
        return type(value)(map(_plain, value))
    return value


def _as_stand_ins(result: Any) -> Any:
    """Return what was computed, with stand-ins in place of arrays."""
    if isinstance(result, StandIn):
        return result
    if isinstance(result, np.ndarray | np.generic):
        return stand_in(result.shape, result.dtype)
    if isinstance(result, tuple | list):
        return type(result)(map(_as_stand_ins, result))
    return result

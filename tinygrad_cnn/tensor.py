"""Tensor: an array with a place in the graph."""

from collections.abc import Iterator
from types import EllipsisType
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.array_input import DEFAULT_DTYPE, Array, as_array, plain_key, plain_sizes
from tinygrad_cnn.device import CPU
from tinygrad_cnn.elements import activation, affine, arithmetic, join, reduce, shape
from tinygrad_cnn.errors import DeviceError, DTypeError, GraphError, ShapeError
from tinygrad_cnn.graph import Node, is_recording
from tinygrad_cnn.operators import Operand
from tinygrad_cnn.scalar import Scalar
from tinygrad_cnn.variable import Variable, require_float

Number = float | int | bool
Key = int | slice | EllipsisType | None | Array | list[Any] | tuple[Any, ...]


class Largest(NamedTuple):
    """Largest values along an axis, and where they stand."""

    values: "Tensor"
    indices: "Tensor"


class Tensor(Operand):
    """An array that records what is computed from it.

    Parameters
    ----------
    data : array_like
        Values; copied. An array keeps its element type; floats in lists become float32.
    requires_grad : bool
        Whether error signals are propagated to it.
    dtype : dtype, optional
        Another element type.
    name : str, optional
        Name in printouts.

    Notes
    -----
    Names and meanings are PyTorch's where they are equal: images are (N, C, H, W), `.view`
    reads in that order, and a Python number never changes a tensor's type.

    Examples
    --------
    >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad.tolist()
    [[2.0, 4.0], [6.0, 8.0]]
    """

    __slots__ = ()
    __array_priority__ = 1000  # ndarray + Tensor asks the Tensor
    __array_ufunc__ = None

    def __init__(
        self,
        data: npt.ArrayLike,
        requires_grad: bool = False,
        dtype: npt.DTypeLike | None = None,
        *,
        name: str | None = None,
    ) -> None:
        array = as_array(data, dtype)
        require_float("Tensor", array.dtype, requires_grad)
        self._value = array
        self._start(Node(array.shape, array.dtype, "cpu", requires_grad=requires_grad, name=name))

    # -- what it is ------------------------------------------------------------------

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the size of one axis."""
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        """Return the number of axes."""
        return len(self.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def numel(self) -> int:
        """Return the number of elements."""
        return int(self._value.size)

    def numpy(self) -> Array:
        """Return the values as a read-only view; copy it to change it.

        Writing through a view would change values that gradients are computed from behind
        the graph's back. Use ``with tg.no_grad(): tensor[...] = values`` instead.
        """
        view: Array = self._value.view()
        view.flags.writeable = False
        return view

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy:
            return np.array(self._value, dtype=dtype)
        return self.numpy() if dtype is None else self.numpy().astype(dtype, copy=False)

    def item(self) -> float | int | bool:
        """Return the only element as a Python number."""
        if self._value.size != 1:
            raise ShapeError(f"item: there is exactly one element; got shape {self.shape}")
        number: float | int | bool = self._value.reshape(()).item()
        return number

    def tolist(self) -> Any:
        """Return the values as nested lists."""
        return self._value.tolist()

    @property
    def data(self) -> "Tensor":
        """The values without the graph, sharing memory; assigning changes them in place."""
        return self.detach()

    @data.setter
    def data(self, values: "npt.ArrayLike | Tensor") -> None:
        self._overwrite(..., values)

    def __len__(self) -> int:
        if not self.shape:
            raise ShapeError("len: a tensor of shape () has no length; got one")
        return self.shape[0]

    def __iter__(self) -> "Iterator[Tensor]":
        return (self[k] for k in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __repr__(self) -> str:
        text = np.array2string(self._value, separator=", ", prefix="Tensor(", threshold=50)
        facts = "" if self.dtype == DEFAULT_DTYPE else f", dtype={self.dtype}"
        made_by = f", creator={self.creator.name}" if self.creator is not None else ""
        grad = ", requires_grad=True" if self.requires_grad and not made_by else ""
        return f"Tensor({text}{facts}{grad}{made_by})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    # -- type and place --------------------------------------------------------------

    def to(self, target: Any) -> "Tensor":
        """Return the values in another element type, or on another device."""
        if isinstance(target, str) and target.split(":")[0] in ("cpu", "cuda", "scalar"):
            if target != "cpu":
                raise DeviceError(f"to: tensors live on 'cpu' here; got {target!r}")
            return self
        try:
            dtype = np.dtype(target)
        except TypeError:
            raise DTypeError(f"to: 'cpu' or an element type is named; got {target!r}") from None
        if dtype == self.dtype:
            return self
        if dtype.kind != "f" or self.dtype.kind != "f":
            array = self._value.astype(dtype)
            return _leaf(array)
        return arithmetic.CastElement(dtype)(self)

    def cpu(self) -> "Tensor":
        """Return the tensor on the CPU."""
        return self.to("cpu")

    def float(self) -> "Tensor":
        """Return the values as float32."""
        return self.to(np.float32)

    def double(self) -> "Tensor":
        """Return the values as float64."""
        return self.to(np.float64)

    def long(self) -> "Tensor":
        """Return the values as int64."""
        return self.to(np.int64)

    # -- shape -----------------------------------------------------------------------

    def reshape(self, *sizes: Any) -> "Tensor":
        """Read the values, in (N, C, H, W) order, under another shape."""
        return shape.reshape(self, plain_sizes(sizes))

    def view(self, *sizes: Any) -> "Tensor":
        """Reshape, in (N, C, H, W) order; copies where the layout in memory requires it."""
        return self.reshape(*sizes)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> "Tensor":
        """Join axes to one."""
        return shape.flatten(self, start_dim, end_dim)

    def transpose(self, dim0: int, dim1: int) -> "Tensor":
        """Exchange two axes."""
        return shape.transpose(self, dim0, dim1)

    def permute(self, *dims: Any) -> "Tensor":
        """Put the axes in another order."""
        return shape.permute(self, plain_sizes(dims))

    @property
    def T(self) -> "Tensor":  # noqa: N802  # the name everyone knows
        """The tensor with its axes reversed."""
        return self.permute(*range(self.ndim)[::-1])

    def __getitem__(self, key: Key) -> "Tensor":
        return shape.IndexElement(plain_key(key))(self)

    def scalars(self) -> tuple[Scalar, ...]:
        """Take a tensor of one axis apart into scalars of the same graph."""
        return join.UnstackScalarsElement()(self)

    # -- changing values in place ----------------------------------------------------

    def __setitem__(self, key: Key, values: "npt.ArrayLike | Tensor") -> None:
        self._write(plain_key(key), values)

    def _write(self, key: Any, values: "npt.ArrayLike | Tensor") -> None:
        if is_recording() and self.requires_grad:
            raise GraphError(
                "assignment: a tensor that requires a gradient is not changed in place while "
                f"its graph is recorded; got {self.name or 'one'} of shape {self.shape}. "
                "Use with no_grad(): ..."
            )
        if is_recording() and isinstance(values, Variable) and values.requires_grad:
            raise GraphError(
                "assignment: it is not recorded, so no error signal would reach the values; got "
                f"{values.name or 'some'} of shape {values.shape} that require one. Use "
                "values.detach(), or compute the tensor from its parts with tg.concatenate"
            )
        self._overwrite(key, values)

    def _overwrite(self, key: Any, values: "npt.ArrayLike | Tensor") -> None:
        try:
            self._value[key] = values._value if isinstance(values, Variable) else values
        except (IndexError, ValueError) as error:
            raise ShapeError(
                f"assignment: key and values fit the tensor; got shape {self.shape}: {error}"
            ) from None
        self.version.count += 1

    def _in_place(self, other: Any, result: "Tensor") -> "Tensor":
        if is_recording() and (self.requires_grad or result.requires_grad):
            if self.requires_grad and self.is_leaf:
                raise GraphError(
                    "in-place arithmetic: a leaf that requires a gradient is not changed while "
                    f"its graph is recorded; got {self.name or 'one'} of shape {self.shape}. "
                    "Use with no_grad(): ..., or write x = x + y"
                )
            return result
        if result.shape != self.shape or result.dtype != self.dtype:
            return result
        self._overwrite(..., result)
        return self

    def __iadd__(self, other: Any) -> "Tensor":
        return self._in_place(other, self + other)

    def __isub__(self, other: Any) -> "Tensor":
        return self._in_place(other, self - other)

    def __imul__(self, other: Any) -> "Tensor":
        return self._in_place(other, self * other)

    def __itruediv__(self, other: Any) -> "Tensor":
        return self._in_place(other, self / other)

    # -- arithmetic ------------------------------------------------------------------

    def lift(self, other: Any) -> Any:
        """Return a number or an array as a constant Tensor; variables pass through."""
        if isinstance(other, Variable):
            return other
        if isinstance(other, bool | int | float):
            return self.constant(other)
        return Tensor(other)

    def constant(self, number: Number) -> "Tensor":
        """Return a number as a constant of this type, so that it changes no one else's."""
        whole = self.dtype.kind != "f" and isinstance(number, float)
        try:
            array = np.asarray(number, DEFAULT_DTYPE if whole else self.dtype)
        except OverflowError:
            raise DTypeError(
                f"Tensor: a number fits the type of the tensor that it meets; got {number} for "
                f"{self.dtype}. Convert the tensor with .to(), .long() or .float()"
            ) from None
        return _leaf(array)

    def _fractional(self) -> "Tensor":
        return self if self.dtype.kind == "f" else self.to(DEFAULT_DTYPE)

    def __matmul__(self, other: Any) -> "Tensor":
        return affine.matmul(self, self.lift(other))

    def __rmatmul__(self, other: Any) -> "Tensor":
        return affine.matmul(self.lift(other), self)

    def softmax(self, dim: int) -> "Tensor":
        """Return softmax along an axis."""
        return activation.softmax(self, dim)

    def log_softmax(self, dim: int) -> "Tensor":
        """Return the logarithm of softmax along an axis."""
        return activation.log_softmax(self, dim)

    # -- reductions ------------------------------------------------------------------

    def sum(self, dim: reduce.Axes = None, keepdim: bool = False) -> "Tensor":
        """Add up elements, along `dim` or all."""
        return reduce.sum(self, dim, keepdim)

    def mean(self, dim: reduce.Axes = None, keepdim: bool = False) -> "Tensor":
        """Average elements, along `dim` or all."""
        return reduce.mean(self, dim, keepdim)

    def amax(self, dim: reduce.Axes = None, keepdim: bool = False) -> "Tensor":
        """Return the largest elements along `dim` or all."""
        return reduce.max(self, dim, keepdim)

    def max(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the largest element; with `dim`, (values, indices) along it."""
        if dim is None:
            return self.amax()
        return Largest(*reduce.MaxElement(dim, keepdim)(self))

    def argmax(self, dim: int | None = None) -> "Tensor":
        """Return the position of the largest element; of equal ones the first."""
        array = np.asarray(self._value.argmax(dim))
        return _leaf(array)

    # -- comparisons: no gradient ----------------------------------------------------

    def _compare(self, ufunc: np.ufunc, other: Any) -> "Tensor":
        if other is None:  # so that `tensor == None` is False
            return NotImplemented
        array = np.asarray(ufunc(self._value, self.lift(other)._value))
        return _leaf(array)

    def __eq__(self, other: object) -> "Tensor":  # type: ignore[override]
        return self._compare(np.equal, other)

    def __ne__(self, other: object) -> "Tensor":  # type: ignore[override]
        return self._compare(np.not_equal, other)

    def __lt__(self, other: Any) -> "Tensor":
        return self._compare(np.less, other)

    def __le__(self, other: Any) -> "Tensor":
        return self._compare(np.less_equal, other)

    def __gt__(self, other: Any) -> "Tensor":
        return self._compare(np.greater, other)

    def __ge__(self, other: Any) -> "Tensor":
        return self._compare(np.greater_equal, other)

    __hash__ = object.__hash__

    # -- what the graph asks for -----------------------------------------------------

    def _size(self) -> int:
        return int(self._value.size)

    def _ones(self) -> "Tensor":
        array = np.ones(self.shape, self.dtype)
        return _leaf(array)

    def _accumulate(self, other: Self) -> None:
        np.add(self._value, other._value, out=self._value)

    def _shares_memory(self, other: Variable) -> bool:
        return isinstance(other, Tensor) and np.may_share_memory(self._value, other._value)

    def _is_writable(self) -> bool:
        return bool(self._value.flags.writeable)

    def _private_copy(self) -> "Tensor":
        array = np.array(self._value, order="K")
        return _leaf(array)


def _leaf(array: Array) -> Tensor:
    """Return an array that is nobody else's as a tensor that nothing has created."""
    return Tensor.wrap(array, Node(array.shape, array.dtype, "cpu"))


CPU.variable_class = Tensor

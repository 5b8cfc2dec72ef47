"""Tensor: an array with a place in the graph."""

from collections.abc import Iterator
from types import EllipsisType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.array_input import (
    DEFAULT_DTYPE,
    Array,
    as_array,
    numbers,
    plain_key,
    target,
)
from tinygrad_cnn.array_names import NamedOperand
from tinygrad_cnn.device import ARRAY_DEVICES, CPU, SHAPES
from tinygrad_cnn.elements import arithmetic, index, join
from tinygrad_cnn.elements.requirements import broadcast_shape, normalise_axis
from tinygrad_cnn.errors import DeviceError, DTypeError, GraphError, ShapeError
from tinygrad_cnn.graph import Node, Shape, is_recording
from tinygrad_cnn.kernels.stand_in import is_stand_in, stand_in
from tinygrad_cnn.scalar import Scalar
from tinygrad_cnn.variable import Variable, require_float

Number = float | int | bool
Key = int | slice | EllipsisType | None | Array | list[Any] | tuple[Any, ...]


class Tensor(NamedOperand):
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
        self._start(array, requires_grad, name)

    # -- what it is ------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """Sizes of the axes; () for a single number."""
        shape: Shape = self._value.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type."""
        dtype: np.dtype[Any] = self._value.dtype
        return dtype

    @property
    def device(self) -> str:
        """Where the values lie: ``cpu``, or ``shapes`` for a shape alone."""
        return SHAPES.name if is_stand_in(self._value) else CPU.name

    def size(self, dim: int | None = None) -> Any:
        """Return the shape, or the size of one axis."""
        return self.shape if dim is None else self.shape[normalise_axis("size", dim, self.ndim)]

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
        view: Array = self._read("numpy").view()
        view.flags.writeable = False
        return view

    def _read(self, operation: str) -> Array:
        """Return the values, where there are any."""
        if self.device == SHAPES.name:
            raise DeviceError(
                f"{operation}: values are read from memory; got "
                f"{f'{self.name!r}' if self.name else 'a tensor'} of shape {self.shape} on "
                "'shapes', which has a shape and no values. Build and feed the network in memory: "
                "models.build(name), tg.zeros(shape)"
            )
        return self._value

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy:
            return np.array(self._read("numpy"), dtype=dtype)
        return self.numpy() if dtype is None else self.numpy().astype(dtype, copy=False)

    def item(self) -> float | int | bool:
        """Return the only element as a Python number."""
        if self._value.size != 1:
            raise ShapeError(f"item: there is exactly one element; got shape {self.shape}")
        number: float | int | bool = self._read("item").reshape(()).item()
        return number

    def tolist(self) -> Any:
        """Return the values as nested lists."""
        return self._read("tolist").tolist()

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
        if self.device == SHAPES.name:
            return f"Tensor(shape={self.shape}, dtype={self.dtype}, device={self.device!r})"
        text = np.array2string(self._value, separator=", ", prefix="Tensor(", threshold=50)
        facts = "" if self.dtype == DEFAULT_DTYPE else f", dtype={self.dtype}"
        made_by = f", creator={self.creator.name}" if self.creator is not None else ""
        grad = ", requires_grad=True" if self.requires_grad and not made_by else ""
        return f"Tensor({text}{facts}{grad}{made_by})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    # -- type and place --------------------------------------------------------------

    def to(
        self,
        *targets: Any,
        dtype: npt.DTypeLike | None = None,
        device: str | None = None,
        non_blocking: bool = False,
    ) -> "Tensor":
        """Return the values in another element type, on another device, or as another tensor's.

        `non_blocking` stands where PyTorch has it; there is nothing to wait for.
        """
        wanted, place = target(targets, dtype, device)
        if place == SHAPES.name != self.device:
            shape_alone = Tensor(stand_in(self.shape, self.dtype), self.requires_grad)
            return shape_alone.to(wanted) if wanted is not None else shape_alone
        if place == CPU.name != self.device:
            self._read("to")
        if wanted is None or wanted == self.dtype:
            return self
        if wanted.kind != "f" or self.dtype.kind != "f":
            return _leaf(self._value.astype(wanted))
        return arithmetic.CastElement(wanted)(self)

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

    # -- parts -----------------------------------------------------------------------

    def __getitem__(self, key: Key) -> "Tensor":
        """Return what a key picks, as a copy: write ``x[0, 1] = 5``, not ``x[0][1] = 5``."""
        return index.IndexElement(plain_key(key))(self)

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
        given = values._value if isinstance(values, Variable) else numbers(values)
        if is_stand_in(self._value) != is_stand_in(given):
            raise DeviceError(
                "assignment: values are written from memory to memory; got a tensor or values "
                f"of shape {self.shape} on 'shapes', which has a shape and no values. "
                "Build and feed the network in memory: models.build(name), tg.zeros(shape)"
            )
        if not (is_stand_in(given) or self._value.flags.writeable):
            raise GraphError(
                "assignment: a broadcast view is not written into, since its elements share "
                f"memory; got one of shape {self.shape}. Copy it first with .clone()"
            )
        try:
            self._value[key] = given
        except (IndexError, ValueError) as error:
            raise ShapeError(
                f"assignment: key and values fit the tensor; got shape {self.shape}: {error}"
            ) from None
        self.version.count += 1

    def _take_over(self, other: Self) -> None:
        self._overwrite(..., other)

    # -- arithmetic ------------------------------------------------------------------

    def lift(self, other: Any) -> Any:
        """Return a number or an array as a constant Tensor; variables pass through."""
        if isinstance(other, Variable):
            return other
        if isinstance(other, (int, float)):  # a truth value is an integer
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

    # -- comparisons: no gradient ----------------------------------------------------

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> "Tensor":
        """Return the position of the largest element; of equal ones the first."""
        axis = None if dim is None else normalise_axis("argmax", dim, self.ndim)
        if (self.numel() if axis is None else self.shape[axis]) == 0:
            raise ShapeError(
                f"argmax: nothing is the largest of no elements; got shape {self.shape}"
            )
        keep = keepdim and axis is not None
        return _leaf(ARRAY_DEVICES[self.device].xp.asarray(self._value.argmax(axis, keepdims=keep)))

    def _compare(self, ufunc: np.ufunc, other: Any) -> "Tensor":
        if other is None:  # so that `tensor == None` is False
            return NotImplemented
        lifted = self.lift(other)
        broadcast_shape(ufunc.__name__, self.shape, lifted.shape)
        mine = self._read(ufunc.__name__)
        other = lifted._read(ufunc.__name__) if isinstance(lifted, Tensor) else lifted._value
        return _leaf(np.asarray(ufunc(mine, other)))

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

    def _new_node(self) -> Node:
        array = self._value
        home = CPU if type(array) is np.ndarray else SHAPES
        return Node(array.shape, array.dtype, home.name)

    def _size(self) -> int:
        return int(self._value.size)

    def _ones(self) -> "Tensor":
        ones = ARRAY_DEVICES[self.device].empty(self.shape, self.dtype)
        ones[...] = 1
        return _leaf(ones)

    def _accumulate(self, other: Self) -> None:
        ARRAY_DEVICES[self.device].add_into(self._value, other._value)

    def _shares_memory(self, value: Any) -> bool:
        return isinstance(value, np.ndarray) and np.may_share_memory(self._value, value)

    def _is_writable(self) -> bool:
        return bool(self._value.flags.writeable)

    def _private_copy(self) -> "Tensor":
        return _leaf(ARRAY_DEVICES[self.device].xp.array(self._value, order="K"))


def _leaf(array: Array) -> Tensor:
    """Return an array that is nobody else's as a tensor that nothing has created."""
    return Tensor.wrap(array)


CPU.wraps_in(Tensor)
SHAPES.wraps_in(Tensor)

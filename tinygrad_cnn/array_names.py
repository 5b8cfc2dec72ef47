"""Operators by name, as PyTorch's tensors have them, and what to use for names that are not there.

Nothing is computed here: each method is one operator, one assignment or one conversion.
"""

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinygrad_cnn.array_input import unpacked
from tinygrad_cnn.array_methods import ArrayOperand
from tinygrad_cnn.elements.clamp import clamp
from tinygrad_cnn.elements.reduce import broadcast_to
from tinygrad_cnn.elements.requirements import integers
from tinygrad_cnn.errors import DTypeError, missing_name

# What to use in place of methods that tensors have elsewhere.
NEAREST = {
    "addmm": "x @ y + z",
    "argmin": "(-x).argmax(dim)",
    "argsort": "numpy().argsort(axis)",
    "bmm": "matmul, which takes stacks of matrices too",
    "byte": "to('uint8')",
    "chunk": "slices, x[:, :k]",
    "dot": "(x * y).sum()",
    "gather": "x[rows, columns]",
    "grad_fn": "creator",
    "half": "float(), since there are no kernels for 16 bits",
    "index_select": "x[:, positions]",
    "is_cuda": "device, which is 'cpu'",
    "is_contiguous": "contiguous(), which always is",
    "masked_fill": "x[mask] = number, or a product with a mask",
    "masked_select": "x[mask]",
    "new_ones": "tinygrad_cnn.ones(shape, dtype=x.dtype)",
    "new_zeros": "tinygrad_cnn.zeros(shape, dtype=x.dtype)",
    "norm": "(x * x).sum().sqrt()",
    "normal_": "tinygrad_cnn.nn.init.normal_(tensor, mean, std)",
    "outer": "x.unsqueeze(1) * y",
    "repeat": "tinygrad_cnn.functional.broadcast_to(x, shape), or tinygrad_cnn.cat",
    "scatter": "numpy.eye(classes)[labels] for rows with a single 1",
    "scatter_": "numpy.eye(classes)[labels] for rows with a single 1",
    "sort": "numpy().argsort(axis)",
    "split": "slices, x[:, :k]",
    "topk": "argmax(dim), or numpy().argsort()",
    "unbind": "list(x), or slices",
    "uniform_": "tinygrad_cnn.nn.init.uniform_(tensor, a, b)",
    "where": "a product with a mask, mask.float() * x",
}


def by_way_of_numpy(name: str) -> str:
    """Return what to use for a function of arrays that is not here: NumPy's, without gradient.

    Examples
    --------
    >>> by_way_of_numpy("cumsum")
    'numpy.cumsum of x.numpy(), through which no gradient flows'
    """
    known = f"numpy.{name}" if name in dir(np) else "a function of NumPy's"
    return f"{known} of x.numpy(), through which no gradient flows"


class NamedOperand(ArrayOperand):
    """A variable with axes whose operators can be called by name: the base of Tensor."""

    __slots__ = ()

    # -- shape and products ----------------------------------------------------------

    def view_as(self, other: Any) -> Self:
        """Reshape to the shape of another tensor."""
        return self.reshape(other.shape)

    def contiguous(self) -> Self:
        """Return self: views are in (N, C, H, W) order whatever the order in memory."""
        return self

    def expand(self, *sizes: Any) -> Self:
        """Repeat axes of size one up to sizes, of which -1 stands for what is there.

        Examples
        --------
        >>> import tinygrad_cnn as tg
        >>> tg.zeros(1, 3).expand(4, -1).shape
        (4, 3)
        """
        wanted = integers("expand", "sizes", unpacked(sizes))
        own = (1,) * (len(wanted) - len(self.shape)) + tuple(self.shape)
        kept = (mine if size == -1 else size for size, mine in zip(wanted, own, strict=False))
        return broadcast_to(self, tuple(kept))

    def expand_as(self, other: Any) -> Self:
        """Repeat axes of size one up to the shape of another tensor."""
        return broadcast_to(self, other.shape)

    def nelement(self) -> Any:
        """Return the number of elements, as `numel` does."""
        return math.prod(self.shape)

    # -- arithmetic ------------------------------------------------------------------

    def add(self, other: Any) -> Self:
        """Add, as ``+`` does."""
        return self + other

    def sub(self, other: Any) -> Self:
        """Subtract, as ``-`` does."""
        return self - other

    def mul(self, other: Any) -> Self:
        """Multiply, as ``*`` does."""
        return self * other

    def div(self, other: Any) -> Self:
        """Divide, as ``/`` does."""
        return self / other

    def neg(self) -> Self:
        """Change the sign, as ``-`` does."""
        return -self

    def square(self) -> Self:
        """Multiply with itself."""
        return self * self

    def mm(self, other: Any) -> Self:
        """Multiply matrices, as ``@`` does."""
        return self.matmul(other)

    def pow(self, exponent: Any) -> Self:
        """Raise to a power, as ``**`` does."""
        return self**exponent

    def clamp(self, min: float | None = None, max: float | None = None) -> Self:
        """Keep values between bounds."""
        return clamp(self, min, max)

    # -- comparisons: no gradient ----------------------------------------------------

    def eq(self, other: Any) -> Any:
        """Tell where values are equal, as ``==`` does."""
        return self == other

    def ne(self, other: Any) -> Any:
        """Tell where values differ, as ``!=`` does."""
        return self != other

    def lt(self, other: Any) -> Any:
        """Tell where these values are less, as ``<`` does."""
        return self < other

    def le(self, other: Any) -> Any:
        """Tell where these values are not greater, as ``<=`` does."""
        return self <= other

    def gt(self, other: Any) -> Any:
        """Tell where these values are greater, as ``>`` does."""
        return self > other

    def ge(self, other: Any) -> Any:
        """Tell where these values are not less, as ``>=`` does."""
        return self >= other

    def __and__(self, other: Any) -> Any:
        return self._combine(np.bitwise_and, other)

    def __or__(self, other: Any) -> Any:
        return self._combine(np.bitwise_or, other)

    def __xor__(self, other: Any) -> Any:
        return self._combine(np.bitwise_xor, other)

    def __invert__(self) -> Any:
        return self._combine(np.bitwise_xor, self.dtype.kind == "b" or -1)

    def _combine(self, ufunc: np.ufunc, other: Any) -> Any:
        """Combine truth values, or the bits of whole numbers."""
        for each in (self, self.lift(other)):
            if each.dtype.kind == "f":
                raise DTypeError(
                    f"{ufunc.__name__}: truth values or whole numbers are combined; got "
                    f"{each.dtype}. Compare first, as in (x > 0) & (x < 1)"
                )
        return self._compare(ufunc, other)

    def _compare(self, ufunc: np.ufunc, other: Any) -> Any:
        """Apply a function of NumPy's through which no gradient flows."""
        raise NotImplementedError  # abstract

    def all(self) -> Any:
        """Tell whether no value is zero or false."""
        return self.ne(0).sum() == math.prod(self.shape)

    def any(self) -> Any:
        """Tell whether some value is not zero or false."""
        return self.ne(0).sum() > 0

    # -- changing values in place ----------------------------------------------------

    def copy_(self, values: Any) -> Self:
        """Put values in the place of these, and return self.

        As every change in place it is refused where a gradient would get lost.

        Examples
        --------
        >>> import tinygrad_cnn as tg
        >>> w = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> (w * w).sum().backward()
        >>> w.data.sub_(0.5 * w.grad).tolist()
        [0.0, 0.0]
        """
        self[...] = values  # type: ignore[index]
        return self

    def fill_(self, number: float) -> Self:
        """Put one number everywhere, and return self."""
        return self.copy_(number)

    def zero_(self) -> Self:
        """Put zero everywhere, and return self."""
        return self.copy_(0)

    def add_(self, other: Any) -> Self:
        """Add in place, and return self."""
        return self.copy_(self + other)

    def sub_(self, other: Any) -> Self:
        """Subtract in place, and return self."""
        return self.copy_(self - other)

    def mul_(self, other: Any) -> Self:
        """Multiply in place, and return self."""
        return self.copy_(self * other)

    def div_(self, other: Any) -> Self:
        """Divide in place, and return self."""
        return self.copy_(self / other)

    # -- as a position ---------------------------------------------------------------

    def __index__(self) -> Any:
        """Return a whole number that stands alone, so that ``classes[label]`` finds a name."""
        if self.dtype.kind not in "iu" or self.shape != ():
            raise DTypeError(
                "index: a position is one whole number; got a tensor of "
                f"{self.dtype} and shape {self.shape}. Use .item(), and int() for a fraction"
            )
        return int(self)

    # -- what is not there -----------------------------------------------------------

    if not TYPE_CHECKING:  # a type checker is to miss what is missing

        def __getattr__(self, attribute: str) -> Any:
            if attribute.startswith("_"):  # NumPy, copy and pickle ask what a value can do
                raise AttributeError(attribute)
            known = [name for name in dir(type(self)) if not name.startswith("_")]
            otherwise = by_way_of_numpy(attribute)
            raise missing_name(type(self).__name__, attribute, known, NEAREST, otherwise)

    # -- conversions; below them, int and bool are the methods of this class -------------

    def to(self, *targets: Any, dtype: Any = None, device: str | None = None) -> Any:
        """Return the values in another element type, or on another device."""
        raise NotImplementedError  # abstract

    def cuda(self, device: Any = None) -> Any:
        """Refuse: tensors live on the CPU."""
        return self.to("cuda")

    def type(self, dtype: Any) -> Any:
        """Return the values in another element type."""
        return self.to(dtype=dtype)

    def type_as(self, other: Any) -> Any:
        """Return the values in the element type of another tensor."""
        return self.to(dtype=other.dtype)

    def int(self) -> Any:
        """Return the values as int32."""
        return self.to(np.int32)

    def bool(self) -> Any:
        """Tell which values are not zero."""
        return self.to(np.bool_)

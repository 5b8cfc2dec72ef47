"""Variable: a value with a place in the graph, the common part of Scalar and Tensor."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinygrad_cnn.errors import DTypeError, GraphError, ShapeError
from tinygrad_cnn.graph import Node, Shape, Version
from tinygrad_cnn.hooks import Handle, require_callable
from tinygrad_cnn.walk import propagate

if TYPE_CHECKING:
    from tinygrad_cnn.element import FunctionElement


_new = object.__new__


class Variable:
    """A value with a place in the graph: the common part of ``Scalar`` and ``Tensor``."""

    __slots__ = ("__weakref__", "_grad", "_node", "_value", "_version", "grad_passes")

    _grad: Self | None
    _node: Node | None
    _value: Any
    _version: Version | None
    grad_passes: int  # how many backward passes .grad adds up

    @classmethod
    def wrap(cls, value: Any, node: Node | None = None, version: Version | None = None) -> Self:
        """Join a value and its node without copying or checking."""
        variable = _new(cls)
        variable._value = value
        variable._version = version
        variable._grad = None
        variable.grad_passes = 0
        variable._node = node
        if node is not None and node.variable is None:
            node.variable = weakref.ref(variable)
        return variable

    def _start(self, value: Any, requires_grad: bool, name: str | None) -> None:
        """Begin as a leaf."""
        self._value = value
        self._version = self._grad = self._node = None
        self.grad_passes = 0
        if name is not None:
            self.name = name
        if requires_grad:
            self.requires_grad = True

    # -- what it is ------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """Sizes of the axes; () for a single number."""
        raise NotImplementedError  # abstract

    @property
    def dtype(self) -> np.dtype[Any]:
        """Element type."""
        raise NotImplementedError  # abstract

    @property
    def device(self) -> str:
        """Where the value lives: ``scalar``, ``cpu``, or ``shapes`` for a shape alone."""
        raise NotImplementedError  # abstract

    @property
    def node(self) -> Node:
        """The place in the graph; a value that nothing recorded gets it when it is asked for."""
        node = self._node
        if node is None:
            node = self._node = self._new_node()
        return node

    @property
    def version(self) -> Version:
        """Counts changes in place; aliases and those who save the value hold the same one."""
        version = self._version
        if version is None:
            version = self._version = Version()
        return version

    @property
    def name(self) -> str | None:
        """Name in printouts; set it with ``tg.name(variable, "x")`` or by assignment."""
        return None if self._node is None else self._node.name

    @name.setter
    def name(self, name: str | None) -> None:
        self.node.name = name

    @property
    def creator(self) -> "FunctionElement | None":
        """The element that computed this value; None for a leaf."""
        return None if self._node is None else self._node.creator

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded element computed this value."""
        return self._node is None or self._node.is_leaf

    @property
    def requires_grad(self) -> bool:
        """Whether error signals are propagated to this value."""
        return self._node is not None and self._node.requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if not self.is_leaf:
            raise GraphError(
                "requires_grad: it can be set on leaves only; got the result of "
                f"{self.creator.name if self.creator else 'a freed graph'!r}. "
                "Use detach() to cut a value off its graph."
            )
        require_float("requires_grad", self.dtype, wanted)
        self.node.requires_grad = wanted
        self.node.variable = weakref.ref(self)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` and return self."""
        self.requires_grad = requires_grad
        return self

    # -- error signals ---------------------------------------------------------------

    @property
    def grad(self) -> Self | None:
        """The error signal ∂J/∂(this value) left by backward(); None where none was left."""
        return self._grad

    @grad.setter
    def grad(self, grad: Self | None) -> None:
        if grad is not None:
            self._check_signal("grad", "it", grad)
        self._grad = grad
        self.grad_passes = 0 if grad is None else 1

    def retain_grad(self) -> Self:
        """Ask that backward() leaves the error signal of this intermediate value in .grad."""
        if not self.requires_grad:
            raise GraphError(
                "retain_grad: no error signal reaches a value that does not require one; "
                f"got {self.name or 'an unnamed value'} of shape {self.shape}. "
                "Set requires_grad=True on a leaf it is computed from."
            )
        self.node.retains_grad = True
        self.node.variable = weakref.ref(self)
        return self

    def register_hook(self, hook: Callable[[Self], Self | None]) -> Handle:
        """Call ``hook(error signal)`` when that of this value is finished; return a handle.

        What the hook returns, unless it is None, takes its place for all that follows. A value
        that is used several times gets the sum, once. Hooks run in the order they were
        registered.

        Examples
        --------
        >>> import tinygrad_cnn as tg
        >>> x = tg.Scalar(3.0, requires_grad=True)
        >>> handle = x.register_hook(lambda signal: signal * 0.5)
        >>> (x * x).backward()
        >>> x.grad
        Scalar(3.0)
        >>> handle.remove()
        """
        if not self.requires_grad:
            raise GraphError(
                "register_hook: no error signal reaches a value that does not require one; "
                f"got {self.name or 'an unnamed value'} of shape {self.shape}. "
                "Set requires_grad=True on a leaf it is computed from."
            )
        require_callable("register_hook", hook)
        if not self.node.hooks:
            self.node.hooks = {}
        return Handle.to(self.node.hooks, hook)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the error signal; or keep zeros in its place, where there is one."""
        keep = self.grad is not None and not set_to_none
        ones: Any = self._ones() if keep else None
        self.grad = ones - ones if keep else None

    def backward(
        self,
        gradient: Self | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
    ) -> None:
        """Propagate error signals from this value to every leaf it depends on.

        Parameters
        ----------
        gradient : Variable, shape of this value, optional
            The error signal to start from. A one-element value starts from 1.
        retain_graph : bool, optional
            Keep the saved arrays, so that the graph can be walked again. Gradients of
            several walks add up. By default the value of `create_graph`.
        create_graph : bool
            Record the walk itself, so that gradients can be differentiated again.

        Raises
        ------
        GraphError
            If nothing here requires a gradient, if the graph was walked and freed before,
            or if an array that the walk needs was changed in place.
        """
        if not self.requires_grad:
            raise GraphError(
                "backward: error signals need a value that depends on a leaf with "
                "requires_grad=True; got one that does not"
            )
        seed = self._seed("backward", "gradient", "gradient=", gradient)
        keep = create_graph if retain_graph is None else retain_graph
        propagate([(self, seed)], keep, create_graph)

    def _seed(self, operation: str, noun: str, option: str, given: Any) -> Self:
        """Return the error signal that a walk starts from here."""
        if given is not None:
            self._check_signal(operation, noun, given)
            signal: Self = given
            return signal
        if self._size() != 1:
            raise GraphError(
                f"{operation}: only a one-element value has an obvious error signal to start "
                f"from, 1; got shape {self.shape}. Reduce it with sum() or mean(), or pass "
                f"{option}"
            )
        return self._ones()

    def _check_signal(self, operation: str, noun: str, signal: Any) -> None:
        """Refuse what cannot be an error signal of this value."""
        alike = isinstance(signal, Variable) and signal.device == self.device
        if not alike or signal.dtype != self.dtype:
            raise DTypeError(
                f"{operation}: {noun} is of the kind and element type of the value it belongs to; "
                f"got {type(signal).__name__} of {getattr(signal, 'dtype', 'no element type')} for "
                f"{type(self).__name__} of {self.dtype}"
            )
        if signal.shape != self.shape:
            raise ShapeError(
                f"{operation}: {noun} has the shape of the value it belongs to; got "
                f"{signal.shape} for {self.shape}"
            )

    # -- what Scalar and Tensor know of their values ---------------------------------

    def _new_node(self) -> Node:
        """Return a place in the graph for this value."""
        raise NotImplementedError  # abstract

    def _size(self) -> int:
        raise NotImplementedError  # abstract

    def _ones(self) -> Self:
        raise NotImplementedError  # abstract

    def _accumulate(self, other: Self) -> None:
        """Add `other` into this value's own memory."""
        raise NotImplementedError  # abstract

    def _shares_memory(self, value: Any) -> bool:
        raise NotImplementedError  # abstract

    def _is_writable(self) -> bool:
        raise NotImplementedError  # abstract

    def _private_copy(self) -> Self:
        """Return a leaf that shares no memory with anything."""
        raise NotImplementedError  # abstract

    def detach(self) -> Self:
        """Return the same value, sharing memory, cut off from the graph."""
        twin = self.wrap(self._value, None, self.version)
        if self.name is not None:
            twin.name = self.name
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies and pickles are leaves: the graph they came from stays where it is.
        facts = (self._private_copy()._value, self.requires_grad, self.name)
        return _rebuild, (type(self), *facts)


def _rebuild(kind: type[Variable], value: Any, requires_grad: bool, name: str | None) -> Variable:
    variable = _new(kind)
    variable._start(value, requires_grad, name)
    return variable


def require_float(operation: str, dtype: np.dtype[Any], wanted: bool = True) -> None:
    """Refuse a gradient on integers and truth values."""
    if wanted and dtype.kind != "f":
        raise DTypeError(
            f"{operation}: only floating-point values carry a gradient; got {dtype}. "
            "Convert with .float()"
        )


def name(variable: Variable, name: str) -> Variable:
    """Give a variable its name in printouts, and return it."""
    variable.name = name
    return variable

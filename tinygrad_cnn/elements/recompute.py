"""Recomputation: forget what a part of a network computed, and compute it again on the way back.

A chain of n elements keeps n saved values until its walk back. Cut into √n segments that keep
only their inputs, it holds √n of these and, one segment at a time, the √n values inside: twice
√n instead of n, for the price of one more forward run.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from tinygrad_cnn import graph, hooks
from tinygrad_cnn.device import DEVICES
from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.errors import DTypeError, GraphError, OptionError
from tinygrad_cnn.graph import Node, Shape, Version
from tinygrad_cnn.kernels import layout
from tinygrad_cnn.kernels.stand_in import is_stand_in
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.variable import Variable
from tinygrad_cnn.walk import signals_at


@runtime_checkable
class HasModules(Protocol):
    """What is asked of a module: itself and all below it, each with its mode."""

    def modules(self) -> Iterable[Any]:
        """Yield this module and all below it."""

    def parameters(self) -> Iterable[Variable]:
        """Yield each parameter once."""


class IdentityElement(FunctionElement, name="identity"):
    """Give a value a second place in the graph."""

    rule = Rule(
        ("x",),
        ("y",),
        "{x}",
        {"x": "{δy}"},
        "y = x",
        {"x": r"\delta(x) = \delta(y)"},
    )
    shares_memory = True

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, signal: Variable) -> Variable:
        return signal


class CheckpointElement(FunctionElement, name="checkpoint"):
    """Run a function without recording it, and again, recorded, when error signals come back."""

    rule = Rule(
        ("x", "..."),
        ("y", "..."),
        "f({x}, …)",
        {"x": "Σ {δy} · ∂f/∂{x}, f computed again"},
        r"y = f(x_1, x_2, \dots)",
        {"x": r"\delta(x_k) = \sum_y \delta(y) \, \partial f / \partial x_k"},
    )

    def __init__(self, function: Callable[..., Any], count: int, owner: Any = None) -> None:
        self._function, self._count = function, count  # the first inputs are its arguments
        self._modes = () if owner is None else tuple((m, m.training) for m in owner.modules())
        self._generator_state = default_generator().bit_generator.state

    def __call__(self, *inputs: Variable) -> Any:
        """Run as every element does; the function gets variables, not arrays."""
        self._given: tuple[Variable, ...] = inputs
        try:
            return super().__call__(*inputs)
        finally:
            del self._given

    def forward(self, *values: Any) -> Any:
        given = self._given
        watch = _Watch({variable.node for variable in given})
        with graph.no_grad(), hooks.observe(watch):
            result = self._function(*(variable.detach() for variable in given[: self._count]))
        outputs = _variables(result)
        if graph.is_recording():
            self._first = [_fingerprint(output) for output in outputs]
        self._devices = [DEVICES[output.device] for output in outputs]
        self.destination = self._devices[0]
        self._floats = [output.dtype.kind == "f" for output in outputs]
        owned = tuple(_apart_from(given, output)._value for output in outputs)
        return owned if isinstance(result, tuple | list) else owned[0]

    def _wrap(self, values: tuple[Any, ...], version: Version | None) -> tuple[Variable, ...]:
        pairs = zip(self._devices, values, strict=True)
        return tuple(device.variable(value, version) for device, value in pairs)

    def _has_gradient(self, position: int) -> bool:
        return self._floats[position]

    def _record(self, inputs: tuple[Variable, ...], outputs: tuple[Variable, ...]) -> None:
        super()._record(inputs, outputs)
        if not self.inputs:  # it depends on freed graphs alone
            return
        for position, (variable, node) in enumerate(zip(inputs, self.inputs, strict=True)):
            version = variable.version
            symbol = self.rule.input_symbol(position)
            self._saved[symbol] = (variable._value, node, version, version.count)

    def backward(self, *signals: Variable | None) -> tuple[Variable | None, ...]:
        create_graph = graph.is_recording()
        given = [self.saved(self.rule.input_symbol(k)) for k in range(len(self.inputs))]
        with graph.recomputing(), self._as_in_the_first_run():
            leaves = [
                self._start(variable, wanted, create_graph)
                for variable, wanted in zip(given[: self._count], self.wanted, strict=False)
            ]
            outputs = _variables(self._function(*leaves))
        self._refuse_other_outputs(outputs)
        targets = [*(leaf.node for leaf in leaves), *self.inputs[self._count :]]
        roots = [
            (output, signal)
            for output, signal in zip(outputs, signals, strict=True)
            if signal is not None and output.requires_grad
        ]
        found = signals_at(targets, roots, create_graph, create_graph, stop=set(targets))
        return tuple(found.get(target) for target in targets)

    def _refuse_other_outputs(self, outputs: list[Variable]) -> None:
        again = [_fingerprint(output) for output in outputs]
        if again != self._first:
            shapes = [one.shape for one in self._first], [one.shape for one in again]
            got = (
                "other values" if shapes[0] == shapes[1] else f"shapes {shapes[1]}, not {shapes[0]}"
            )
            raise GraphError(
                "checkpoint: the function returns in its second run what it did in the first; got "
                f"{got}. Pass as an input what changes between the two (a constant, a running "
                "average, the mode of a module, a generator of your own), or leave it alone"
            )

    def _start(self, variable: Variable, wanted: bool, create_graph: bool) -> Variable:
        """Return an argument of the second run: a value from which the way back starts anew.

        What this walk brings back is a function of all arguments, whichever of them it goes to.
        """
        if create_graph and variable.requires_grad:
            return IdentityElement()(variable)
        return variable.detach().requires_grad_(wanted)

    @contextmanager
    def _as_in_the_first_run(self) -> Iterator[None]:
        """Draw the same random numbers, in the same mode, under the same path."""
        bits = default_generator().bit_generator
        state, modes = bits.state, [(module, module.training) for module, _ in self._modes]
        bits.state = self._generator_state
        _set_modes(self._modes)
        try:
            with graph.scope(self.scope) if self.scope else nullcontext():
                yield
        finally:
            bits.state = state
            _set_modes(modes)


class _Watch:
    """Refuses a function that reads trained values which nobody declared."""

    def __init__(self, known: set[Node]) -> None:
        self._known = known

    def on_forward(
        self,
        element: FunctionElement,
        inputs: tuple[Variable, ...],
        outputs: tuple[Variable, ...],
        effort: Any,
    ) -> None:
        """Look at the inputs: what is computed inside requires no gradient in this run."""
        for variable in inputs:
            if variable.requires_grad and variable.node not in self._known:
                raise GraphError(
                    "checkpoint: the function gets everything that requires a gradient as an "
                    f"input; got {variable.name or 'a value'} of shape {variable.shape} that "
                    f"{element.name} reads besides. Pass it as an input, or in parameters="
                )

    def on_backward(self, *_: Any) -> None:
        """Nothing walks back here."""


def checkpoint(
    function: Callable[..., Any],
    *inputs: Any,
    parameters: Iterable[Variable] | None = None,
) -> Any:
    """Run a function, keep only its inputs, and run it again when error signals come back.

    Parameters
    ----------
    function : callable, often a Module
        Takes `inputs`; returns a Tensor or Scalar, or a tuple of them.
    *inputs : Scalar or Tensor, or anything else that the function takes
        Values that require a gradient get theirs; all others are passed on as they are.
    parameters : iterable of Scalar or Tensor, optional
        What else the function reads that requires a gradient. Those of a Module, and of the
        Module whose method `function` is, are found without it.

    Returns
    -------
    Scalar or Tensor, or a tuple of them
        What the function returns.

    Raises
    ------
    DTypeError
        If it is no function, or returns something else than Tensors and Scalars.
    GraphError
        If the function reads a value that requires a gradient and was not declared, or that has
        changed in place by the time of the second run; on the way back, if it then returns
        something else than in the first.
    OptionError
        If there is neither an input nor a parameter.

    Notes
    -----
    The second run draws the numbers of the first from the default generator, so that dropout
    drops the same values, and finds modules in the mode of the first.
    :func:`tinygrad_cnn.graph.is_recomputing` tells layers that keep running averages not to
    count a batch twice. A second run whose result differs by a bit is refused. Gradients are bit
    for bit those of the plain run, but for the order of additions where a value is used several
    times within and once more outside. Checkpoints may be nested, and ``create_graph=True``
    walks through them.

    References
    ----------
    .. [1] T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep nets with sublinear memory
       cost", arXiv:1604.06174, 2016, section 3.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> y = tg.checkpoint(lambda x: (x * x).exp().sum(), x)
    >>> y.creator.name, tg.saved_bytes(y).activations
    ('checkpoint', 0)
    >>> y.backward()
    """
    hooks.require_callable("checkpoint", function)
    owner = function if isinstance(function, HasModules) else getattr(function, "__self__", None)
    owner = owner if isinstance(owner, HasModules) else None
    if parameters is None:
        parameters = () if owner is None else owner.parameters()
    places = [place for place, given in enumerate(inputs) if isinstance(given, Variable)]
    variables = [inputs[place] for place in places]
    known = {id(variable) for variable in variables}
    variables += [parameter for parameter in parameters if id(parameter) not in known]
    if not variables:
        raise OptionError(
            "checkpoint: it runs on Tensors or Scalars; got neither an input nor a parameter. "
            "Call the function itself"
        )
    called = function
    if len(places) < len(inputs):

        def called(*values: Variable) -> Any:
            given = list(inputs)
            for place, value in zip(places, values, strict=True):
                given[place] = value
            return function(*given)

    return CheckpointElement(called, len(places), owner)(*variables)


def checkpoint_sequential(functions: Iterable[Any], segments: int, x: Any) -> Any:
    """Run modules one after the other in segments, each but the last a :func:`checkpoint`.

    Parameters
    ----------
    functions : Sequential, or iterable of Module
        What runs, in order.
    segments : int
        Parts of equal length; the last one, which takes the rest, is recorded as usual, since
        its walk back comes first. About √n for n modules keeps the least.
    x : Tensor
        Input of the first.

    Returns
    -------
    Scalar or Tensor
        What the last one returns.

    Raises
    ------
    OptionError
        If there are no segments, or more of them than modules.
    DTypeError, GraphError
        As for :func:`checkpoint`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> chain = tg.nn.Sequential(*(tg.nn.Tanh() for _ in range(6)))
    >>> y = tg.checkpoint_sequential(chain, 3, tg.Tensor([1.0], requires_grad=True))
    >>> round(y.item(), 4)
    0.4398
    """
    listed = list(functions)
    if segments not in range(1, len(listed) + 1) or not isinstance(segments, int):
        raise OptionError(
            "checkpoint_sequential: there are 1 to as many segments as modules; got "
            f"{segments!r} for {len(listed)}"
        )
    for function in listed:
        hooks.require_callable("checkpoint_sequential", function)
    length = len(listed) // segments
    for first in range(0, length * (segments - 1), length):
        x = checkpoint(_Segment(listed[first : first + length]), x)
    return _Segment(listed[length * (segments - 1) :])(x)


class _Segment:
    """Modules one after the other, without a path of their own."""

    def __init__(self, functions: list[Any]) -> None:
        self._functions = functions

    def __call__(self, x: Any) -> Any:
        for function in self._functions:
            x = function(x)
        return x

    def modules(self) -> Iterator[Any]:
        """Yield all modules of the segment."""
        for function in self._functions:
            if isinstance(function, HasModules):
                yield from function.modules()

    def parameters(self) -> Iterator[Variable]:
        """Yield each parameter once."""
        seen: dict[int, Variable] = {}
        for function in self._functions:
            if isinstance(function, HasModules):
                seen |= {id(parameter): parameter for parameter in function.parameters()}
        yield from seen.values()


class _Fingerprint(NamedTuple):
    """What tells whether two values are equal, in a few bytes."""

    shape: Shape
    dtype: str
    checksum: int


def _fingerprint(output: Variable) -> _Fingerprint:
    """Return the fingerprint of a value; kernels repeat themselves to the bit."""
    value = np.asarray(output._value)
    memory = np.zeros(0) if is_stand_in(output._value) else layout.channels_last(value)
    return _Fingerprint(output.shape, str(output.dtype), zlib.crc32(memory.data))


def _variables(result: Any) -> list[Variable]:
    """Return what a function returned as a list of variables."""
    outputs = list(result) if isinstance(result, tuple | list) else [result]
    for position, output in enumerate(outputs):
        if not isinstance(output, Variable):
            raise DTypeError(
                "checkpoint: the function returns a Tensor or Scalar, or a tuple of them; got "
                f"{type(output).__name__} as output {position}"
            )
    return outputs


def _apart_from(given: Iterable[Variable], output: Variable) -> Variable:
    """Return an output that shares no memory with an input."""
    shared = any(output is each or output._shares_memory(each._value) for each in given)
    return output._private_copy() if shared else output


def _set_modes(modes: Iterable[tuple[Any, bool]]) -> None:
    for module, mode in modes:
        module.training = mode

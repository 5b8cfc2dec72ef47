"""Stochastic gradient descent and Adam."""

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import CheckpointError, DTypeError, OptionError
from tinygrad_cnn.kernels.registry import lookup
from tinygrad_cnn.optim.state_input import as_stored
from tinygrad_cnn.scalar import Scalar
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.variable import Variable

Array = npt.NDArray[Any]


class Optimiser:
    """Common part: a list of parameters, and arrays of state beside each of them.

    Parameters
    ----------
    parameters : iterable of Tensor
        What is trained: leaves that require a gradient, each once.
    lr : float
        Learning rate.

    Raises
    ------
    DTypeError
        If the parameters are not a list of tensors.
    OptionError
        If there is none, if one of them cannot be trained or comes twice, or if a rate lies
        outside its range.
    """

    slots: tuple[str, ...] = ()  # names of the state arrays of each parameter

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        self.parameters = _trainable(type(self).__name__, parameters)
        self.lr = _within(type(self).__name__, "lr", lr, 0.0)
        self.steps = 0
        self.state = {slot: _zeros_beside(self.parameters) for slot in self.slots}

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set those there are to zeros."""
        for parameter in self.parameters:
            if set_to_none:  # what parameter.zero_grad() does, for hundreds of them
                parameter._grad, parameter.grad_passes = None, 0
            else:
                parameter.zero_grad(set_to_none)

    def step(self) -> None:
        """Change every parameter that has a gradient, in place."""
        self.steps += 1
        groups: dict[np.dtype[Any], list[int]] = {}  # nearly always one
        for position, parameter in enumerate(self.parameters):
            if parameter._grad is not None:
                groups.setdefault(parameter._value.dtype, []).append(position)
        for dtype, positions in groups.items():
            self._step_together(dtype, positions)

    def _step_together(self, dtype: np.dtype[Any], positions: list[int]) -> None:
        """Change the parameters of one type at some positions in one pass."""
        trained = [self.parameters[position] for position in positions]
        trained[0]._read(type(self).__name__)  # refuses those that have a shape and no values
        # Kernels take arrays in C order; what lies otherwise is copied, and parameters back.
        gradients, ordered, copied = [], [], []
        for parameter in trained:
            gradient, value = parameter._grad._value, parameter._value  # type: ignore[union-attr]
            if not gradient.flags.c_contiguous:
                gradient = np.ascontiguousarray(gradient)
            if not value.flags.c_contiguous:
                value = value.copy(order="C")
                copied.append((parameter, value))
            gradients.append(gradient)
            ordered.append(value)
        if len(positions) == len(self.parameters):
            state = [array for arrays in self.state.values() for array in arrays]
        else:
            state = [arrays[position] for arrays in self.state.values() for position in positions]
        self._update(dtype, *gradients, *ordered, *state)
        for parameter, result in copied:
            parameter._value[...] = result
        for parameter in trained:
            parameter.version.count += 1

    def _update(self, dtype: np.dtype[Any], *arrays: Array) -> None:
        """Run the kernel on all gradients, all parameters and all arrays of state."""
        raise NotImplementedError  # abstract

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of everything that a continued run needs."""
        arrays = {
            f"{slot}.{position}": array.copy()
            for slot, arrays in self.state.items()
            for position, array in enumerate(arrays)
        }
        return {**arrays, "steps": np.array(self.steps), "lr": np.array(self.lr)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a copy that :meth:`state_dict` made; all or nothing.

        Raises
        ------
        CheckpointError
            If it is the state of another optimiser, or of other parameters.
        ShapeError, DTypeError, OptionError
            If a value has another shape, is not made of numbers, or lies outside its range.
        """
        called, own = type(self).__name__, self.state_dict()
        if own.keys() != state.keys():
            raise CheckpointError(
                f"{called}: the state belongs to the same optimiser and parameters; got "
                f"{len(state)} values for {len(own)}, or other names"
            )
        values = {path: as_stored(called, path, state[path], own[path]) for path in own}
        lr = _within(called, "lr", float(values["lr"]), 0.0)
        steps = int(_within(called, "steps", int(values["steps"]), 0))
        self.steps, self.lr = steps, lr
        for slot, arrays in self.state.items():
            for position, array in enumerate(arrays):
                array[...] = values[f"{slot}.{position}"]


def _zeros_beside(parameters: list[Tensor]) -> list[Array]:
    """Return flat zeros for each parameter: parts of one array, each on a cache line of its own."""
    line = 64  # bytes
    begins, end = [], 0
    for parameter in parameters:
        begins.append(end)
        end += -(-parameter.numel() * parameter.dtype.itemsize // line) * line
    memory = np.zeros(end + line, np.uint8)
    first = -memory.__array_interface__["data"][0] % line
    return [
        memory[first + begin :][: p.numel() * p.dtype.itemsize].view(p.dtype)
        for p, begin in zip(parameters, begins, strict=True)
    ]


def _trainable(optimiser: str, parameters: Any) -> list[Tensor]:
    """Return the parameters as a list, or refuse what a step could not train."""
    if isinstance(parameters, Variable) or not isinstance(parameters, Iterable):
        raise DTypeError(
            f"{optimiser}: the parameters come as a list of tensors; got one "
            f"{type(parameters).__name__}. Write [tensor], or model.parameters()"
        )
    listed = list(parameters)
    if not listed:
        raise OptionError(f"{optimiser}: there is something to train; got nothing")
    places: dict[int, int] = {}
    for place, parameter in enumerate(listed):
        if isinstance(parameter, Scalar):
            raise DTypeError(
                f"{optimiser}: each parameter is a Tensor; got a Scalar at position {place}. "
                "Change scalars by hand, p.data -= lr * p.grad"
            )
        if not isinstance(parameter, Tensor):
            raise DTypeError(
                f"{optimiser}: each parameter is a Tensor; got a {type(parameter).__name__} at "
                f"position {place}. Of a module pass model.parameters()"
            )
        called = f"{parameter.name or 'one'} of shape {parameter.shape} at position {place}"
        if not parameter.is_leaf:
            raise OptionError(
                f"{optimiser}: each parameter is a leaf, not the result of a computation; got "
                f"{called}. Pass the tensors it was computed from, or cut it off with "
                "p = p.detach().requires_grad_()"
            )
        if places.setdefault(id(parameter), place) != place:
            raise OptionError(
                f"{optimiser}: each parameter comes once; got {called} and at position "
                f"{places[id(parameter)]}. model.parameters() gives a shared one once"
            )
    if not any(parameter.requires_grad for parameter in listed):
        raise OptionError(
            f"{optimiser}: at least one parameter requires a gradient, others are left as they "
            f"are; got {len(listed)} that do not. Set requires_grad=True"
        )
    return listed


def _within(
    operation: str, option: str, value: float, least: float, below: float = float("inf")
) -> float:
    if not isinstance(value, Real) or not least <= value < below:
        raise OptionError(f"{operation}: {option} lies in [{least:g}, {below:g}); got {value!r}")
    return float(value)


class SGD(Optimiser):
    """Stochastic gradient descent with momentum.

    ``g = ∇θ + decay θ``, ``v ← momentum v + g``, ``θ ← θ - lr v``; with Nesterov's form
    ``θ ← θ - lr (g + momentum v)``. As in PyTorch the learning rate is outside v.

    Parameters
    ----------
    parameters : iterable of Tensor
        Leaves that require a gradient, each once.
    lr, momentum : float
        Learning rate, and how much of v is kept, in [0, 1).
    dampening : float
        Stands where PyTorch has it; only 0 is built.
    weight_decay : float
        Times θ, added to the gradient.
    nesterov : bool
        Whether v is looked ahead.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> w = tg.Tensor([1.0], requires_grad=True)
    >>> (w * 3.0).sum().backward()
    >>> tg.optim.SGD([w], lr=0.1).step()
    >>> round(w.item(), 6)
    0.7
    """

    slots = ("velocity",)

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 0.001,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(parameters, lr)
        if dampening != 0.0:
            raise OptionError(
                f"SGD: dampening is 0, another one is not built yet; got {dampening!r}. Leave it "
                "out, and give weight_decay= and nesterov= by name"
            )
        self.momentum = _within("SGD", "momentum", momentum, 0.0, 1.0)
        self.weight_decay = _within("SGD", "weight_decay", weight_decay, 0.0)
        self.nesterov = nesterov

    def _update(self, dtype: np.dtype[Any], *arrays: Array) -> None:
        rates = (self.lr, self.momentum, self.weight_decay, self.nesterov)
        lookup("sgd_update", "cpu", dtype).function(*rates, *arrays)


class Adam(Optimiser):
    """Adam: steps scaled by running means of the gradient and of its square.

    References
    ----------
    .. [1] D. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015,
       algorithm 1.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> w = tg.Tensor([1.0], requires_grad=True)
    >>> (w * 3.0).sum().backward()
    >>> tg.optim.Adam([w], lr=0.1).step()  # the first step is lr, whatever the gradient
    >>> round(w.item(), 4)
    0.9
    """

    slots = ("mean", "square")

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr)
        self.betas = (
            _within("Adam", "betas[0]", betas[0], 0.0, 1.0),
            _within("Adam", "betas[1]", betas[1], 0.0, 1.0),
        )
        self.eps = _within("Adam", "eps", eps, 0.0)
        self.weight_decay = _within("Adam", "weight_decay", weight_decay, 0.0)

    def _update(self, dtype: np.dtype[Any], *arrays: Array) -> None:
        rates = (self.lr, *self.betas, self.eps, self.weight_decay, self.steps)
        lookup("adam_update", "cpu", dtype).function(*rates, *arrays)

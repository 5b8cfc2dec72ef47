"""Stochastic gradient descent and Adam."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import CheckpointError, OptionError
from tinygrad_cnn.kernels.registry import lookup
from tinygrad_cnn.tensor import Tensor

Array = npt.NDArray[Any]


class Optimiser:
    """Common part: a list of parameters, and arrays of state beside each of them.

    Parameters
    ----------
    parameters : iterable of Tensor
        What is trained.
    lr : float
        Learning rate.
    """

    slots: tuple[str, ...] = ()  # names of the state arrays of each parameter

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        self.parameters = list(parameters)
        if not self.parameters:
            raise OptionError(f"{type(self).__name__}: there is something to train; got nothing")
        self.lr = _within(type(self).__name__, "lr", lr, 0.0)
        self.steps = 0
        self.state = {
            slot: [np.zeros(p.numel(), p.dtype) for p in self.parameters] for slot in self.slots
        }

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters:
            parameter.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient, in place."""
        self.steps += 1
        for position, parameter in enumerate(self.parameters):
            if parameter.grad is not None:
                gradient = np.ascontiguousarray(parameter.grad.numpy()).reshape(-1)
                values = parameter._value.reshape(-1)  # a view: parameters are C-contiguous
                self._update(gradient, values, *(self.state[slot][position] for slot in self.slots))
                parameter.version.count += 1

    def _update(self, gradient: Array, values: Array, *state: Array) -> None:
        raise NotImplementedError  # abstract

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of everything that a continued run needs."""
        arrays = {
            f"{slot}.{position}": array.copy()
            for slot, arrays in self.state.items()
            for position, array in enumerate(arrays)
        }
        return {**arrays, "steps": np.array(self.steps), "lr": np.array(self.lr)}

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Continue from a copy that :meth:`state_dict` made; all or nothing."""
        own = self.state_dict()
        fits = own.keys() == state.keys() and all(own[k].shape == state[k].shape for k in own)
        if not fits:
            raise CheckpointError(
                f"{type(self).__name__}: the state belongs to the same optimiser and "
                f"parameters; got {len(state)} arrays for {len(own)}, or other shapes"
            )
        self.steps, self.lr = int(state["steps"]), float(state["lr"])
        for slot, arrays in self.state.items():
            for position, array in enumerate(arrays):
                array[...] = state[f"{slot}.{position}"]


def _within(
    operation: str, option: str, value: float, least: float, below: float = float("inf")
) -> float:
    if not least <= value < below:
        raise OptionError(f"{operation}: {option} lies in [{least:g}, {below:g}); got {value}")
    return float(value)


class SGD(Optimiser):
    """Stochastic gradient descent with momentum.

    ``g = ∇θ + decay θ``, ``v ← momentum v + g``, ``θ ← θ - lr v``; with Nesterov's form
    ``θ ← θ - lr (g + momentum v)``. As in PyTorch the learning rate is outside v.

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
        lr: float = 0.01,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(parameters, lr)
        self.momentum = _within("SGD", "momentum", momentum, 0.0, 1.0)
        self.weight_decay = _within("SGD", "weight_decay", weight_decay, 0.0)
        self.nesterov = nesterov

    def _update(self, gradient: Array, values: Array, *state: Array) -> None:
        rates = (self.lr, self.momentum, self.weight_decay, self.nesterov)
        lookup("sgd_update", "cpu", values.dtype)(gradient, *rates, values, *state)


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

    def _update(self, gradient: Array, values: Array, *state: Array) -> None:
        rates = (self.lr, *self.betas, self.eps, self.weight_decay, self.steps)
        lookup("adam_update", "cpu", values.dtype)(gradient, *rates, values, *state)

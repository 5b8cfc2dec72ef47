"""How far one step moves each parameter: the ratio of update to weight.

A step of ``w ← w + Δw`` with ‖Δw‖/‖w‖ near 1 throws away what was learned; near 1e-6 nothing moves.
About 1e-3 is a rule of thumb (A. Karpathy, CS231n notes, "Neural networks part 3", section "Ratio
of weights:updates"). Gradient descent steps by ``Δw = -η ∇w``; with momentum or Adam it is only
known by looking before and after.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.errors import OptionError

__all__ = ["Update", "measure_updates"]


class Update(NamedTuple):
    """One parameter in one step.

    ``step`` is ‖Δw‖, or NaN where neither a learning rate nor an optimiser is known.
    """

    name: str
    weight: float  # ‖w‖ before
    gradient: float  # ‖∇w‖
    step: float
    dimensions: int = 1  # of a filter bank 4, of a matrix 2; biases and scales have 1

    @property
    def ratio(self) -> float:
        """‖Δw‖/‖w‖; NaN of a parameter that is zero."""
        return self.step / self.weight if self.weight > 0 else math.nan


def measure_updates(
    named_parameters: Iterable[tuple[str, Any]], step: Callable[[], Any]
) -> tuple[Update, ...]:
    """Call the step of an optimiser and measure what it did.

    Parameters
    ----------
    named_parameters : iterable of (str, Parameter)
        As a network's ``named_parameters()`` gives them, with their gradients.
    step : callable
        Usually ``optimiser.step``.

    Returns
    -------
    tuple of Update

    Raises
    ------
    OptionError
        If there are no parameters.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> layer = tg.nn.Linear(4, 1, bias=False)
    >>> _ = tg.nn.init.constant_(layer.weight, 2.0)
    >>> layer(tg.Tensor([[1.0, 0.0, 0.0, 0.0]], dtype=np.float32)).sum().backward()
    >>> optimiser = tg.optim.SGD(layer.parameters(), lr=0.5)
    >>> (update,) = measure_updates(layer.named_parameters(), optimiser.step)
    >>> update.name, update.weight, update.gradient, update.ratio
    ('weight', 4.0, 1.0, 0.125)
    """
    named = list(named_parameters)
    if not named:
        raise OptionError("measure_updates: a network has parameters; got none")
    before = [parameter.numpy().copy() for _, parameter in named]
    gradients = [math.nan if p.grad is None else _norm(p.grad.numpy()) for _, p in named]
    step()
    return tuple(
        Update(name, _norm(old), gradient, _norm(parameter.numpy() - old), old.ndim)
        for (name, parameter), old, gradient in zip(named, before, gradients, strict=True)
    )


def _norm(array: Any) -> float:
    return float(np.linalg.norm(np.asarray(array, np.float64)))

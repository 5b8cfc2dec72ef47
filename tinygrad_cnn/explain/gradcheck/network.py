"""The gradients of a whole network against differences, parameter by parameter.

Each element's rule is checked by itself in the tests. Whether a *network* is differentiated
rightly is another question: a value that is read twice, a parameter that two layers share, a
loss with the wrong divisor. Here the loss itself is the function, and every parameter an input.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np

from tinygrad_cnn.errors import DTypeError, unknown_name
from tinygrad_cnn.explain.gradcheck.findings import GradcheckExplanation
from tinygrad_cnn.explain.gradcheck.report import explain_gradcheck
from tinygrad_cnn.nn import Module
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.variable import Variable

__all__ = ["gradcheck_network"]

OPERATION = "gradcheck_network"


def gradcheck_network(
    network: Module,
    images: Tensor,
    objective: Callable[[Any], Variable],
    parameters: Sequence[str] = (),
    *,
    double: bool = True,
    limit: int = 4,
    generator: np.random.Generator | None = None,
) -> GradcheckExplanation:
    """Check the gradients of a network's parameters, and say what a difference comes from.

    Parameters
    ----------
    network : Module
        A copy of it is checked, in the mode that it is in; dropout drops the same each time.
    images : Tensor, shape (N, ...)
        What it is run on.
    objective : callable
        Takes what the network returns, and returns the loss.
    parameters : sequence of str
        Their names; all of them if empty.
    double : bool
        Whether parameters and images are brought to double precision first. In single precision
        verdicts are those of the numbers that training has.
    limit : int
        Elements of each parameter that are looked at one by one.
    generator : numpy.random.Generator, optional
        Draws these elements; by default one with a fixed seed.

    Returns
    -------
    GradcheckExplanation

    Raises
    ------
    DTypeError
        If the network is no module, or the images are no Tensor.
    UnknownNameError
        If no parameter has that name.
    OptionError, GraphError
        As in :func:`explain_gradcheck`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> network = tg.nn.Sequential(tg.nn.Linear(3, 2), tg.nn.Tanh())
    >>> report = gradcheck_network(network, tg.ones(4, 3), lambda y: (y * y).sum())
    >>> [(each.input, each.verdict) for each in report.inputs]
    [('0.weight', 'right'), ('0.bias', 'right')]
    """
    if not isinstance(network, Module) or not isinstance(images, Tensor):
        got = type(images if isinstance(network, Module) else network).__name__
        raise DTypeError(f"{OPERATION}: it takes a Module and a Tensor of images; got {got}")
    known = [name for name, _ in network.named_parameters()]
    for name in parameters:
        if name not in known:
            raise unknown_name(OPERATION, name, known)
    twin = deepcopy(network)
    given = images.detach()
    given.name = images.name or "images"
    if double:
        twin, given = twin.double(), given.double()
    places = _places(twin)
    leaves = [leaf for leaf, _ in places]
    for leaf, path in places:
        leaf.requires_grad_(leaf.requires_grad and (not parameters or path in parameters))
        leaf.name = path
    drawn = default_generator().bit_generator
    state = drawn.state

    def loss(x: Tensor, *weights: Variable) -> Variable:
        drawn.state = state
        with _standing_in(twin, leaves, weights):
            return objective(twin(x))

    try:
        return explain_gradcheck(loss, given, *leaves, limit=limit, generator=generator)
    finally:
        drawn.state = state


def _places(network: Module) -> list[tuple[Tensor, str]]:
    return [(parameter, path) for path, parameter in network.named_parameters()]


@contextmanager
def _standing_in(
    network: Module, leaves: Sequence[Tensor], weights: Sequence[Variable]
) -> Iterator[None]:
    """Let other values be a network's parameters: those that a check was handed."""
    instead = {id(leaf): w for leaf, w in zip(leaves, weights, strict=True) if w is not leaf}
    replaced = [
        (vars(module), name, value)
        for module in (network.modules() if instead else ())
        for name, value in vars(module).items()
        if id(value) in instead
    ]
    for attributes, name, value in replaced:
        attributes[name] = instead[id(value)]
    try:
        yield
    finally:
        for attributes, name, value in replaced:
            attributes[name] = value

"""Gradients as return values: what ``backward()`` leaves in ``.grad``, handed over instead."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tinygrad_cnn.device import require_variables
from tinygrad_cnn.errors import GraphError, OptionError
from tinygrad_cnn.graph import Node, enable_grad
from tinygrad_cnn.hooks import require_callable
from tinygrad_cnn.variable import Variable
from tinygrad_cnn.walk import signals_at

Variables = Variable | Sequence[Variable]


def grad(
    outputs: Variables,
    inputs: Variables,
    grad_outputs: "Variable | Sequence[Variable | None] | None" = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """Return the gradients of outputs with respect to inputs; write no ``.grad``.

    Parameters
    ----------
    outputs : Scalar or Tensor, or sequence of them
        What is differentiated.
    inputs : Scalar or Tensor, or sequence of them
        What it is differentiated by: leaves, or values on the way.
    grad_outputs : Scalar or Tensor, or sequence of them with None for some, optional
        The error signal of each output. A one-element output starts from 1 by default.
    retain_graph : bool, optional
        Keep the saved arrays of the elements that are visited, so that they can be walked
        again. By default the value of `create_graph`.
    create_graph : bool
        Record the walk, so that the gradients can be differentiated again.
    allow_unused : bool
        Answer None for an input that the outputs do not depend on, instead of refusing it.

    Returns
    -------
    tuple of Scalar or Tensor
        One gradient for each input, of its shape and type.

    Raises
    ------
    GraphError
        If an output or input does not require a gradient, an output of several elements has
        no error signal to start from, an input is not reached, or the graph was walked and
        freed before.
    OptionError
        If there is nothing to differentiate, or `grad_outputs` are not as many as the outputs.
    DTypeError
        If an output or input is no Scalar or Tensor, or an error signal has another type.
    ShapeError
        If an error signal has another shape than its output.

    Notes
    -----
    For outputs y with error signals δ(y) the gradient of an input x is
    ``Σ_y δ(y) · ∂y/∂x``. Only elements on a way from an output to an input are visited.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x, w = tg.Scalar(3.0, requires_grad=True), tg.Scalar(2.0, requires_grad=True)
    >>> (slope,) = tg.grad(w * x * x, x, create_graph=True)
    >>> slope, tg.grad(slope, [x, w]), x.grad
    (Scalar(12.0), (Scalar(4.0), Scalar(6.0)), None)
    """
    results, targets = _listed("outputs", outputs), _listed("inputs", inputs)
    signals = _signals(results, grad_outputs)
    for kind, variables in (("output", results), ("input", targets)):
        for position, variable in enumerate(variables):
            if not variable.requires_grad:
                raise GraphError(
                    f"grad: every output and input requires a gradient; got {kind} {position}"
                    f"{_called(variable)} that does not. Set requires_grad=True on a leaf"
                )
    seeds = [
        (
            result,
            result._seed("grad", f"the error signal of output {position}", "grad_outputs=", signal),
        )
        for position, (result, signal) in enumerate(zip(results, signals, strict=True))
    ]
    keep = create_graph if retain_graph is None else retain_graph
    found = signals_at([target.node for target in targets], seeds, keep, create_graph)
    for position, target in enumerate(targets):
        if target.node not in found and not allow_unused:
            raise GraphError(
                "grad: the outputs depend on every input; got no error signal for input "
                f"{position}{_called(target)}. Use allow_unused=True to get None for it"
            )
    return tuple(found.get(target.node) for target in targets)


def hessian_vector_product(
    function: Callable[..., Variable], x: Variables, v: Variables
) -> tuple[Any, Any]:
    """Return the value of a function and the product of its Hessian with a vector.

    Parameters
    ----------
    function : callable
        Takes the values of `x` as arguments; returns one number.
    x : Scalar or Tensor, or sequence of them
        Where the second derivative is taken. The values are used as leaves of their own.
    v : Scalar or Tensor, or sequence of them, each the shape of its x
        The vector.

    Returns
    -------
    value : Scalar or Tensor, shape ()
        What the function returned.
    product : Scalar or Tensor, or tuple of them, as `x`
        ``H v`` with ``H = ∂²f/∂x∂x``; zeros where f is linear.

    Raises
    ------
    GraphError
        If the function does not return one number that depends on `x`.
    OptionError
        If `x` and `v` are not equally many.
    DTypeError, ShapeError
        If a vector has another type or shape than its x.

    Notes
    -----
    Two walks and no matrix: ``H v = ∂(∇f · v)/∂x``.

    References
    ----------
    .. [1] B. Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation
       6(1), 1994.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x, v = tg.Tensor([1.0, 2.0]), tg.Tensor([1.0, 0.0])
    >>> value, product = tg.hessian_vector_product(lambda x: (x * x * x).sum(), x, v)
    >>> value.item(), product.tolist()
    (9.0, [6.0, 0.0])
    """
    require_callable("hessian_vector_product", function)
    points, vectors = _listed("x", x), _listed("v", v)
    if len(points) != len(vectors):
        raise OptionError(
            "hessian_vector_product: each x has one vector; got "
            f"{len(vectors)} vectors for {len(points)}"
        )
    for position, (point, vector) in enumerate(zip(points, vectors, strict=True)):
        point._check_signal("hessian_vector_product", f"vector {position}", vector)
    with enable_grad():
        leaves = [point.detach().requires_grad_() for point in points]
        value = function(*leaves)
        require_variables("hessian_vector_product", value)
        slopes = grad(value, leaves, create_graph=True, allow_unused=True)
    pairs = [
        (slope, vector)
        for slope, vector in zip(slopes, vectors, strict=True)
        if slope is not None and slope.requires_grad
    ]
    found: dict[Node, Variable] = {}
    if pairs:
        found = signals_at([leaf.node for leaf in leaves], pairs, False, False)
    products = tuple(found[leaf.node] if leaf.node in found else _zeros(leaf) for leaf in leaves)
    return value.detach(), products[0] if isinstance(x, Variable) else products


def _zeros(variable: Any) -> Variable:
    """Return zeros of a value's shape and type."""
    ones = variable._ones()
    zeros: Variable = ones - ones
    return zeros


def _listed(noun: str, given: Any) -> list[Variable]:
    """Return one or several variables as a list."""
    alone = isinstance(given, Variable) or not isinstance(given, Iterable)
    several = [given] if alone else list(given)
    if not several:
        raise OptionError(f"grad: there are {noun}; got none")
    require_variables("grad", *several)
    return several


def _signals(results: list[Variable], given: Any) -> list[Any]:
    """Return the error signal of each output, None where it is left open."""
    if given is None:
        return [None] * len(results)
    signals = list(given) if isinstance(given, tuple | list) else [given]
    if len(signals) != len(results):
        raise OptionError(
            "grad: grad_outputs are as many as the outputs, None where an output starts from "
            f"1; got {len(signals)} for {len(results)}"
        )
    return signals


def _called(variable: Variable) -> str:
    """Return how to name a variable in a message."""
    name = f" {variable.name!r}" if variable.name else ""
    return f"{name} of shape {variable.shape}"

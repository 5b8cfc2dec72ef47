"""Beginning to step: what can be walked, and what cannot."""

from typing import Any

from tinygrad_cnn.device import require_variables
from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.errors import GraphError, OptionError
from tinygrad_cnn.explain.stepper.stepper import Stepper
from tinygrad_cnn.graph import elements_behind
from tinygrad_cnn.kernels.stand_in import is_stand_in
from tinygrad_cnn.variable import Variable
from tinygrad_cnn.walk import refuse_what_cannot_be_walked


def step(result: Variable, gradient: Variable | None = None, retain_graph: bool = False) -> Stepper:
    """Begin a walk backward that pauses before each element.

    Parameters
    ----------
    result : Scalar or Tensor
        Usually a loss. Figures of its inputs and outputs are there of every element if it was
        computed inside :func:`record`; else of what the elements saved.
    gradient : Scalar or Tensor, optional
        The error signal to start from, as of ``backward()``. One number starts from 1.
    retain_graph : bool
        Keep the saved arrays when the stepper is closed at the end of the walk.

    Returns
    -------
    Stepper
        Paused before the first element of the walk, the last one that ran.

    Raises
    ------
    DTypeError
        If it is no Scalar or Tensor.
    GraphError
        If nothing here requires a gradient, no element computed it, or the graph was freed.
    ShapeError
        If `gradient` has another shape.
    OptionError
        If it has a shape and no values.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(3.0, requires_grad=True, name="x")
    >>> with tg.explain.step((x * x).exp()) as stepper:
    ...     edited = stepper.to("multiply").set((), 0.5).run()
    ...     print(edited.edits[0])
    before #1 multiply: δ(multiply) set to 0.5
    >>> x.grad
    Scalar(3.0)
    """
    elements = _walkable(result)
    seed = result._seed("step", "gradient", "gradient=", gradient)
    seed = seed if gradient is None else seed._private_copy()
    return Stepper(result, seed, elements, retain_graph)


def _walkable(result: Any) -> list[FunctionElement]:
    """Return the elements behind a value that can be walked, or refuse it."""
    require_variables("step", result)
    if not result.requires_grad or (result.creator is None and not result.node.freed):
        got = "a leaf" if result.requires_grad else "one that does not"
        raise GraphError(
            "step: it walks back from a computed value that depends on a leaf with "
            f"requires_grad=True; got {got}, {result.name or 'unnamed'} of shape {result.shape}. "
            "Compute a loss from it, outside of no_grad()"
        )
    if is_stand_in(result._value):
        raise OptionError(
            f"step: error signals are numbers; got a value on 'shapes', {result.shape}, which has "
            "a shape and no values. Build and feed the network in memory"
        )
    elements = elements_behind(result.node)
    if result.node.freed or any(e.freed or e.rests_on_freed for e in elements):
        raise GraphError(
            "step: it walks a graph whose saved arrays are there; got one that a walk has freed. "
            "Call step before backward(), or backward(retain_graph=True)"
        )
    refuse_what_cannot_be_walked((result.node,), elements)
    return elements

"""What a function of PyTorch is called here, and which rule it has.

The element of ours that computes the same is asked: it runs on values that have a shape and no
memory, and what it declares of itself (name, options, rule, cost) describes PyTorch's run in our
words, so that the two can be laid side by side. A function that we do not have keeps its name, and
its rule says no more than which values it took.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn import functional, hooks
from tinygrad_cnn.creation import zeros
from tinygrad_cnn.element import Cost, Work
from tinygrad_cnn.errors import TinygradCnnError
from tinygrad_cnn.explain.recording import Recording
from tinygrad_cnn.rule import Rule
from tinygrad_cnn.tensor import Tensor

__all__ = ["Described", "described", "name_of"]

OURS = {  # where a name is another; else PyTorch's is tried
    "cat": "concatenate", "concat": "concatenate", "div": "divide", "getitem": "__getitem__",
    "mul": "multiply", "neg": "negative", "pow": "power", "rsub": "__rsub__", "sub": "subtract",
    "true_divide": "divide", "truediv": "divide", "view": "reshape",
}  # fmt: skip
SILENT = ("_stacklevel", "inplace", "reduce", "size_average")  # say nothing of what is computed
RUNNING = {"batch_norm": (1, 2)}  # arguments that are arrays beside the graph


class Described(NamedTuple):
    """An element as it would be of ours.

    `inputs` are places among the tensors that the call was given, or a plain number.
    """

    name: str
    options: dict[str, Any]
    rule: Rule
    convention: str
    cost: Cost
    inputs: tuple[int | float, ...]


def name_of(function: Any) -> str:
    """Return the short name of one of PyTorch's functions: ``add`` for ``Tensor.__iadd__``."""
    name = str(getattr(function, "__name__", function))
    if name == "__get__":  # a property, such as Tensor.T
        name = str(function.__self__.__name__)
    short = name.strip("_")
    if name.startswith("__i") and hasattr(Tensor, f"__{short[1:]}__"):
        short = short[1:]
    return short


def described(
    name: str,
    tensors: Sequence[Any],
    given: Sequence[Any],
    options: Mapping[str, Any],
    made: int = 1,
) -> Described | None:
    """Describe a call of PyTorch's.

    Parameters
    ----------
    name : str
    tensors : sequence of torch.Tensor
        Those among its arguments, in order.
    given, options
        The arguments. Tensors in them are replaced by :class:`Place`.
    made : int
        How many tensors came of it.

    Returns
    -------
    Described or None
        None where the function hands on what it was given, as dropout does in evaluation.
    """
    ours = OURS.get(name, name)
    for owner, called in ((functional, ours), (Tensor, ours), (Tensor, f"__{name}__")):
        function = getattr(owner, called, None)
        if callable(function):
            try:
                return _asked(function, ours, tensors, given, options)
            except (TinygradCnnError, AttributeError, RuntimeError, TypeError, ValueError):
                continue  # not the same function after all, or one of several elements
    return _unknown(name, len(tensors), made)


class Place(NamedTuple):
    """Where a tensor stood among the arguments of a call."""

    number: int


def _asked(
    function: Callable[..., Any],
    name: str,
    tensors: Sequence[Any],
    given: Sequence[Any],
    options: Mapping[str, Any],
) -> Described | None:
    stand_ins = list(map(_stand_in, tensors))

    def replaced(argument: Any, beside: bool = False) -> Any:
        if isinstance(argument, Place):
            if beside:
                return np.zeros(tensors[argument.number].shape, np.float32)
            return stand_ins[argument.number]
        if isinstance(argument, tuple | list):
            return type(argument)(map(replaced, argument))
        return argument

    beside = RUNNING.get(name, ())
    positional = [replaced(each, k in beside) for k, each in enumerate(given)]
    named = {
        key: replaced(each)
        for key, each in options.items()
        if key not in SILENT and each is not None
    }
    recording = Recording()
    with hooks.unobserved(), hooks.observe(recording):
        function(*positional, **named)
    if not recording.steps:
        return None
    (step,) = recording.steps  # a ValueError, if there are several
    places = {recording.key_of(each.node): k for k, each in enumerate(stand_ins)}
    # Values of its own are arrays that it was given, or a plain number.
    own: list[int | float] = [
        argument.number
        for k, argument in enumerate(given)
        if k in beside and isinstance(argument, Place)
    ]
    own += [float(each) for each in given if type(each) in (int, float)]
    others = iter(own)
    inputs = tuple(places[kept.key] if kept.key in places else next(others) for kept in step.inputs)
    return Described(step.name, step.options, step.rule, step.convention, step.cost, inputs)


def _stand_in(tensor: Any) -> Tensor:
    if not tensor.is_floating_point():
        return Tensor(tensor.detach().cpu().numpy())  # labels, whose numbers are looked at
    made: Any = zeros(*tensor.shape, device="shapes")
    return made.requires_grad_(bool(tensor.requires_grad))


def _unknown(name: str, count: int, made: int) -> Described:
    symbols = tuple("xyzuvw"[:count]) if count <= 6 else tuple(f"x{k}" for k in range(count))
    outputs = ("out",) if made == 1 else tuple(f"out{k}" for k in range(1, made + 1))
    formula = f"{name}({', '.join(f'{{{symbol}}}' for symbol in symbols)})"
    rule = Rule(inputs=symbols, outputs=outputs, forward=formula, backward={})
    return Described(name, {}, rule, "", Cost(Work(0, 0), {}), tuple(range(count)))

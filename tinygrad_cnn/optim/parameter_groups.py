"""Groups of parameters, each with options of its own, and what is asked of both.

An optimiser keeps a list ``param_groups`` of dictionaries: ``"params"``, the tensors, and an
entry for each option. So the bias of a layer may go without weight decay, or the first layers
with a smaller learning rate. What a group leaves out it has from the optimiser.
"""

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import DTypeError, OptionError
from tinygrad_cnn.scalar import Scalar
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.variable import Variable

if TYPE_CHECKING:
    from tinygrad_cnn.optim.optimiser import Optimiser

Array = npt.NDArray[Any]
Limits = tuple[float, float]  # a number lies in [first, second)
Group = dict[str, Any]

#: What a group may hold beside its parameters and the options of its optimiser: a name for
#: people, and the rate that a schedule starts from.
ALSO = ("name", "initial_lr")


def as_groups(optimiser: str, parameters: Any) -> list[Mapping[str, Any]]:
    """Return what an optimiser was given as groups: those it names, or one of all parameters."""
    if isinstance(parameters, Mapping | Variable) or not isinstance(parameters, Iterable):
        raise DTypeError(
            f"{optimiser}: the parameters come as a list of tensors; got one "
            f"{type(parameters).__name__}. Write [tensor], or model.parameters(), or a list of "
            'groups, [{"params": model.parameters(), "lr": 0.1}]'
        )
    listed = list(parameters)
    if listed and isinstance(listed[0], Mapping):
        return listed
    return [{"params": listed}]


def group_of(
    optimiser: str,
    given: Any,
    defaults: Mapping[str, Any],
    limits: Mapping[str, Limits | None],
    before: list[Tensor],
) -> Group:
    """Return a group with all its options, checked.

    Parameters
    ----------
    optimiser : str
        Who asks, for the messages.
    given : mapping
        The parameters as ``"params"``, and options that differ from the defaults.
    defaults, limits : mapping
        The optimiser's options, and where their values lie; None for what is true or false.
    before : list of Tensor
        Parameters of the groups before; none of them may come again.
    """
    if not isinstance(given, Mapping) or "params" not in given:
        raise DTypeError(
            f'{optimiser}: a group is a dictionary with "params"; got a {type(given).__name__}'
            f"{' of ' + ', '.join(map(str, given)) if isinstance(given, Mapping) else ''}. "
            'Write {"params": layer.parameters(), "lr": 0.1}'
        )
    unknown = [name for name in given if name not in ("params", *defaults, *ALSO)]
    if unknown:
        raise OptionError(
            f"{optimiser}: the options of a group are {', '.join(defaults)}; got {unknown[0]!r}"
        )
    parameters = given["params"]
    listed = [parameters] if isinstance(parameters, Tensor) else parameters
    trained = _trainable(optimiser, listed, before)
    return {**defaults, **given, "params": trained, **within(optimiser, given, limits)}


def within(
    optimiser: str, options: Mapping[str, Any], limits: Mapping[str, Limits | None]
) -> dict[str, Any]:
    """Return those options that have limits, as Python numbers; refuse what lies outside."""
    return {
        option: _within(optimiser, option, options[option], limit)
        for option, limit in limits.items()
        if option in options
    }


def _within(optimiser: str, option: str, value: Any, limit: Limits | None) -> Any:
    if limit is None:
        if not isinstance(value, bool | np.bool_):
            raise OptionError(f"{optimiser}: {option} is True or False; got {value!r}")
        return bool(value)
    if option == "betas":
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise OptionError(f"{optimiser}: betas are two numbers; got {value!r}")
        return tuple(_within(optimiser, f"betas[{k}]", each, limit) for k, each in enumerate(value))
    least, below = limit
    if not (isinstance(value, Real) and least <= float(value) < below):
        raise OptionError(f"{optimiser}: {option} lies in [{least:g}, {below:g}); got {value!r}")
    return float(value)


def _trainable(optimiser: str, parameters: Any, before: list[Tensor]) -> list[Tensor]:
    """Return the parameters as a list, or refuse what a step could not train."""
    if isinstance(parameters, Variable) or not isinstance(parameters, Iterable):
        raise DTypeError(
            f"{optimiser}: the parameters of a group come as a list of tensors; got one "
            f"{type(parameters).__name__}. Write [tensor], or model.parameters()"
        )
    places = {id(parameter): place for place, parameter in enumerate(before)}
    listed = list(parameters)
    for place, parameter in enumerate(listed, len(before)):
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
    return listed


def require_something_to_train(optimiser: str, parameters: list[Tensor]) -> None:
    """Refuse an optimiser without parameters, or with none that could have a gradient."""
    if not parameters:
        raise OptionError(f"{optimiser}: there is something to train; got nothing")
    if not any(parameter.requires_grad for parameter in parameters):
        raise OptionError(
            f"{optimiser}: at least one parameter requires a gradient, others are left as they "
            f"are; got {len(parameters)} that do not. Set requires_grad=True"
        )


def shorthand(option: str, meaning: str) -> Any:
    """Return a property that reads and sets an option where there is one group."""

    def the_group(optimiser: "Optimiser") -> Group:
        groups = optimiser.param_groups
        if len(groups) != 1:
            found = ", ".join(str(group[option]) for group in groups)
            raise OptionError(
                f"{type(optimiser).__name__}: .{option} is for one group of parameters; got "
                f"{len(groups)} with {found}. Use param_groups[k][{option!r}]"
            )
        return groups[0]

    def read(optimiser: "Optimiser") -> Any:
        return the_group(optimiser)[option]

    def write(optimiser: "Optimiser", value: Any) -> None:
        called = type(optimiser).__name__
        the_group(optimiser)[option] = _within(called, option, value, optimiser.limits[option])

    return property(read, write, doc=f"{meaning}, where there is one group of parameters.")


def zeros_beside(parameters: list[Tensor]) -> list[Array]:
    """Return flat zeros for each parameter: parts of one array, each on a cache line of its own."""
    line = 64  # bytes
    begins, end = [], 0
    for parameter in parameters:
        begins.append(end)
        end += math.ceil(parameter.numel() * parameter.dtype.itemsize / line) * line
    memory = np.zeros(end + line, np.uint8)
    first = -memory.__array_interface__["data"][0] % line
    return [
        memory[first + begin :][: p.numel() * p.dtype.itemsize].view(p.dtype)
        for p, begin in zip(parameters, begins, strict=True)
    ]

"""What all optimisers have in common: groups of parameters, a state beside each, and a step."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import CheckpointError, OptionError
from tinygrad_cnn.optim.parameter_groups import (
    Group,
    Limits,
    as_groups,
    group_of,
    require_something_to_train,
    shorthand,
    within,
    zeros_beside,
)
from tinygrad_cnn.optim.state_input import as_stored
from tinygrad_cnn.tensor import Tensor

Array = npt.NDArray[Any]
Parameters = Iterable[Tensor] | Iterable[Mapping[str, Any]]


class Optimiser:
    """Common part: groups of parameters, and arrays of state beside each parameter.

    Parameters
    ----------
    parameters : iterable of Tensor, or of dict
        What is trained: leaves that require a gradient, each once. Or groups of them, each
        with its ``"params"`` and those options that differ from the others'.
    defaults : dict
        The options of groups that do not have their own.

    Attributes
    ----------
    param_groups : list of dict
        ``"params"`` and all options of each group. Options may be changed between steps.
    parameters : list of Tensor
        Those of all groups.
    defaults : dict
    steps : int
        How often :meth:`step` was called.
    state : dict
        For each kind of running average a flat array for each position of a parameter.

    Raises
    ------
    DTypeError
        If the parameters are not a list of tensors, or of groups.
    OptionError
        If there is none, if one of them cannot be trained or comes twice, or if an option
        lies outside its range or is unknown.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> layer = tg.nn.Linear(2, 1)
    >>> optimiser = tg.optim.SGD(
    ...     [{"params": layer.weight, "weight_decay": 0.01}, {"params": layer.bias}], lr=0.1
    ... )
    >>> [(group["lr"], group["weight_decay"]) for group in optimiser.param_groups]
    [(0.1, 0.01), (0.1, 0.0)]
    """

    limits: ClassVar[dict[str, Limits | None]] = {}  # where the options lie; None: true or false
    lr = shorthand("lr", "The learning rate")

    def __init__(self, parameters: Parameters, defaults: Mapping[str, Any]) -> None:
        called = type(self).__name__
        self.defaults = {**defaults, **within(called, defaults, self.limits)}
        self._require_consistent(self.defaults)
        self.param_groups: list[Group] = []
        self.parameters: list[Tensor] = []
        self.steps = 0
        self.state: dict[str, dict[int, Array]] = {}
        self._missed: list[int] = []  # steps in which a parameter was not changed
        self._members: list[_Members] = []  # of each group
        for group in as_groups(called, parameters):
            self.add_param_group(group)
        require_something_to_train(called, self.parameters)

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Train further parameters, from the next step on.

        Parameters
        ----------
        param_group : dict
            ``"params"``, a tensor or several, and options that differ from the defaults.

        Examples
        --------
        >>> import tinygrad_cnn as tg
        >>> head, body = tg.nn.Linear(2, 2), tg.nn.Linear(2, 2)
        >>> optimiser = tg.optim.Adam(head.parameters(), lr=0.01)
        >>> optimiser.add_param_group({"params": body.parameters(), "lr": 0.001})
        >>> [group["lr"] for group in optimiser.param_groups]
        [0.01, 0.001]
        """
        called = type(self).__name__
        group = group_of(called, param_group, self.defaults, self.limits, self.parameters)
        self._require_consistent(group)
        self._members.append(_Members(len(self.parameters), group["params"]))
        self.param_groups.append(group)
        self.parameters += group["params"]
        self._missed += [self.steps] * len(group["params"])
        self._remember(group, self._members[-1])

    def _remember(self, group: Group, members: "_Members") -> None:
        """Make the arrays of state that a group's options ask for and that are not there yet."""
        members.slots, members.state = self._slots(group), []
        for slot in members.slots:
            arrays, initial = self.state.setdefault(slot, {}), self._initial(slot, group)
            for position, array in enumerate(zeros_beside(group["params"]), members.first):
                if initial:
                    array += initial
                members.state.append(arrays.setdefault(position, array))

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set those there are to zeros."""
        for parameter in self.parameters:
            if set_to_none:  # what parameter.zero_grad() does, for hundreds of them
                parameter._grad, parameter.grad_passes = None, 0
            else:
                parameter.zero_grad(set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient, in place.

        Parameters
        ----------
        closure : callable, optional
            Called first: computes the gradients once more and returns the loss.

        Returns
        -------
        What `closure` returned, or None.
        """
        loss = None if closure is None else closure()
        self.steps += 1
        for group, members in zip(self.param_groups, self._members, strict=True):
            if members.slots != self._slots(group):  # an option was changed
                self._remember(group, members)
            trained = [p for p in group["params"] if p._grad is not None]
            if members.dtype is not None and len(trained) == len(group["params"]):
                step = self.steps - self._missed[members.first]
                self._step_together(group, step, members.dtype, trained, members.state)
            elif trained:
                self._step_apart(group, members)
            else:
                self._miss(members, range(members.first, members.stop))
        return loss

    def _step_apart(self, group: Group, members: "_Members") -> None:
        """Change those parameters together that have a type and a number of updates in common."""
        counts = self._counts_updates(group)
        alike: dict[tuple[np.dtype[Any], int], list[int]] = {}
        missed = []
        for position in range(members.first, members.stop):
            parameter = self.parameters[position]
            if parameter._grad is None:
                missed.append(position)
            else:
                key = parameter._value.dtype, self._missed[position] if counts else 0
                alike.setdefault(key, []).append(position)
        for (dtype, _), positions in alike.items():
            trained = [self.parameters[position] for position in positions]
            state = [self.state[slot][position] for slot in members.slots for position in positions]
            step = self.steps - self._missed[positions[0]]
            self._step_together(group, step, dtype, trained, state)
        self._miss(members, missed)

    def _step_together(
        self,
        group: Group,
        step: int,
        dtype: np.dtype[Any],
        trained: list[Tensor],
        state: list[Array],
    ) -> None:
        """Change parameters of one type, at the same number of updates, in one pass."""
        trained[0]._read(type(self).__name__)  # refuses those that have a shape and no values
        # Kernels take arrays in C order; what lies otherwise is copied, and parameters back.
        gradients, values, copied = [], [], []
        for parameter in trained:
            gradient, value = parameter._grad._value, parameter._value  # type: ignore[union-attr]
            if not gradient.flags.c_contiguous:
                gradient = np.ascontiguousarray(gradient)
            if not value.flags.c_contiguous:
                value = value.copy(order="C")
                copied.append((parameter, value))
            gradients.append(gradient)
            values.append(value)
        self._update(group, step, dtype, *gradients, *values, *state)
        for parameter, value in copied:
            parameter._value[...] = value
        for parameter in trained:
            parameter.version.count += 1

    def _miss(self, members: "_Members", positions: Iterable[int]) -> None:
        """Note that parameters had no gradient, and whether the group is still in step."""
        for position in positions:
            self._missed[position] += 1
        members.compare(self._missed)

    # -- what a kind of optimiser says -------------------------------------------------

    def _slots(self, group: Group) -> tuple[str, ...]:
        """Return the names of the arrays of state, in the order in which the kernel has them."""
        raise NotImplementedError  # abstract

    def _initial(self, slot: str, group: Group) -> float:
        """Return what an array of state begins with."""
        return 0.0

    def _counts_updates(self, group: Group) -> bool:
        """Tell whether an update depends on how many there were before."""
        return False

    def _require_consistent(self, options: Mapping[str, Any]) -> None:
        """Refuse options that exclude each other."""

    def _update(self, group: Group, step: int, dtype: np.dtype[Any], *arrays: Array) -> None:
        """Run the kernel on all gradients, all parameters and all arrays of state.

        `step` counts the updates of these parameters, with this one.
        """
        raise NotImplementedError  # abstract

    # -- saving ------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of everything that a continued run needs.

        Returns
        -------
        dict of ndarray
            ``steps``; ``updates`` of each parameter; arrays of state, as ``velocity.3`` of the
            parameter at position 3; options and the number of parameters of each group, as
            ``lr.0`` and ``parameters.0``.

        Examples
        --------
        >>> import tinygrad_cnn as tg
        >>> w = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> sorted(tg.optim.Adadelta([w]).state_dict())  # doctest: +NORMALIZE_WHITESPACE
        ['change.0', 'eps.0', 'lr.0', 'parameters.0', 'rho.0', 'square.0', 'steps', 'updates',
         'weight_decay.0']
        """
        updates = self.steps - np.array(self._missed, np.int64)
        state = {"steps": np.array(self.steps), "updates": updates}
        for slot, arrays in self.state.items():
            state |= {f"{slot}.{position}": array.copy() for position, array in arrays.items()}
        for k, group in enumerate(self.param_groups):
            state[f"parameters.{k}"] = np.array(len(group["params"]))
            state |= {f"{option}.{k}": np.array(group[option]) for option in self.limits}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a copy that :meth:`state_dict` made; all or nothing.

        Raises
        ------
        CheckpointError
            If it is the state of another optimiser, or of other parameters or groups.
        ShapeError, DTypeError, OptionError
            If a value has another shape, is not made of numbers, or lies outside its range.
        """
        called, own = type(self).__name__, self.state_dict()
        if own.keys() != state.keys():
            raise CheckpointError(
                f"{called}: the state belongs to the same optimiser and parameters; got "
                f"{len(state)} values for {len(own)}, or other names. Make it with the options and "
                "groups that it had"
            )
        values = {path: as_stored(called, path, state[path], own[path]) for path in own}
        options = []
        for k, group in enumerate(self.param_groups):
            size = int(values[f"parameters.{k}"])
            if size != len(group["params"]):
                raise CheckpointError(
                    f"{called}: a group of the state has as many parameters as the one it is "
                    f"loaded into; got {size} for {len(group['params'])} in group {k}"
                )
            found = {option: _plain(values[f"{option}.{k}"]) for option in self.limits}
            options.append(within(called, found, self.limits))
            self._require_consistent(options[-1])
        for counts in ("steps", "updates"):
            if (values[counts] < 0).any():
                least = values[counts].min()
                raise OptionError(f"{called}: {counts} lies in [0, inf); got {least}")
        self.steps = int(values["steps"])
        self._missed = (self.steps - values["updates"]).tolist()
        for group, members, loaded in zip(self.param_groups, self._members, options, strict=True):
            group.update(loaded)
            members.compare(self._missed)
        for slot, arrays in self.state.items():
            for position, array in arrays.items():
                array[...] = values[f"{slot}.{position}"]


class _Members:
    """What a step has to know of the parameters of a group, so that it need not look.

    Attributes
    ----------
    first, stop : int
        Their positions among all parameters.
    dtype : numpy.dtype, optional
        Their type, if they have one in common and were changed equally often.
    slots : tuple of str
        The kinds of arrays of state that the group has.
    state : list of ndarray
        These arrays, as the kernel takes them: kind by kind.
    """

    __slots__ = ("dtype", "first", "own", "slots", "state", "stop")

    def __init__(self, first: int, parameters: list[Tensor]) -> None:
        self.first, self.stop = first, first + len(parameters)
        types = {parameter.dtype for parameter in parameters}
        self.own = self.dtype = types.pop() if len(types) == 1 else None
        self.slots: tuple[str, ...] = ()
        self.state: list[Array] = []

    def compare(self, missed: list[int]) -> None:
        """See whether the parameters were changed equally often."""
        alike = len(set(missed[self.first : self.stop])) == 1
        self.dtype = self.own if alike else None


def _plain(value: Array) -> Any:
    return tuple(value.tolist()) if value.ndim else value.item()

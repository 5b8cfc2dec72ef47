"""Module: something that holds parameters and computes with them."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.device import is_without_memory, shape_alone
from tinygrad_cnn.errors import CheckpointError, OptionError, TinygradCnnError, missing_name
from tinygrad_cnn.graph import current_scope, enter_scope, leave_scope, no_grad
from tinygrad_cnn.hooks import Handle, require_callable
from tinygrad_cnn.nn.placement import Placed
from tinygrad_cnn.optim.state_input import as_stored
from tinygrad_cnn.tensor import Tensor

Array = npt.NDArray[Any]
ForwardHook = Callable[["Module", tuple[Any, ...], Any], Any]

_innermost: ContextVar["Module | None"] = ContextVar("innermost module", default=None)

# What to use in place of attributes that modules of PyTorch have.
_NEAREST = {
    "get_submodule": "dict(module.named_modules())[path]",
    "half": "float(), since there are no kernels for 16 bits",
    "register_full_backward_hook": "register_hook of the tensor whose error signal is wanted",
    "register_forward_pre_hook": "register_forward_hook",
    "register_module": "add_module",
    "register_parameter": "an attribute that is a nn.Parameter",
    "share_memory": "nothing; workers are threads",
}

# Counts how often a module or parameter became the attribute of a module, of whichever.
_changes = itertools.count(1)
_latest_change = 0


def running_module() -> "Module | None":
    """Return the innermost module whose :meth:`Module.forward` runs now."""
    return _innermost.get()


class Parameter(Tensor):
    """A tensor that is trained: it requires a gradient and belongs to a module."""

    __slots__ = ()

    def __init__(self, data: npt.ArrayLike, requires_grad: bool = True) -> None:
        super().__init__(shape_alone(data) if is_without_memory() else data, requires_grad)

    def become(self, dtype: np.dtype[Any]) -> None:
        """Change the element type in place; the gradient and the graph so far are forgotten."""
        if dtype != self.dtype:
            self.version.count += 1  # a walk over what was computed from the old values is refused
            self._start(self._value.astype(dtype), self.requires_grad, self.name)


class ModulePath(str):
    """A parameter's name that a module gave it; one that the user gave is a plain string."""

    __slots__ = ()


class Module(Placed):
    """Base class of layers and networks.

    Parameters and sub-modules are found among the attributes, in the order they were set;
    their names joined by dots are the names of the state dictionary and of printouts.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> class Small(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = nn.Linear(4, 3)
    ...         self.output = nn.Linear(3, 2)
    ...
    ...     def forward(self, x):
    ...         return self.output(self.hidden(x).sigmoid())
    >>> [name for name, _ in Small().named_parameters()]
    ['hidden.weight', 'hidden.bias', 'output.weight', 'output.bias']
    """

    training: bool = True
    #: Names of parts that forward runs directly one behind the other; one that is None is passed
    #: over, and "part.layer" is a layer of a part. :func:`~tinygrad_cnn.nn.fuse` may make
    #: neighbours in a chain one.
    chains: tuple[tuple[str, ...], ...] = ()
    #: What may be asked for as the `activation` of a layer that has one.
    activations: tuple[str, ...] = ()
    _label: str = ""  # the attribute of the outer module that holds this one
    _named_at: int = 0  # the latest change of any module when its parameters were named
    _forward_hooks: dict[int, ForwardHook] | None = None

    def __setattr__(self, attribute: str, value: Any) -> None:
        if isinstance(value, Module | Parameter):
            global _latest_change
            _latest_change = next(_changes)
            if isinstance(value, Module) and not value._label:
                object.__setattr__(value, "_label", attribute)
        object.__setattr__(self, attribute, value)

    if not TYPE_CHECKING:  # a type checker is to miss what is missing

        def __getattr__(self, attribute: str) -> Any:
            if attribute.startswith("_"):  # copy and pickle ask what a module can do
                raise AttributeError(attribute)
            known = {*dir(type(self)), *vars(self)}
            known = [name for name in known if not name.startswith("_")]
            otherwise = "an attribute that its __init__ sets"
            raise missing_name(type(self).__name__, attribute, sorted(known), _NEAREST, otherwise)

    # -- computing -------------------------------------------------------------------

    def forward(self, *inputs: Any) -> Any:
        """Compute the output; subclasses say how."""
        raise NotImplementedError  # abstract

    def __call__(self, *inputs: Any) -> Any:
        """Run :meth:`forward`; elements are recorded under the path of this module."""
        if _innermost.get() is None:
            self._name_parameters()
            scope = None
        else:
            scope = enter_scope(self._label)
        token = _innermost.set(self)
        try:
            output = self.forward(*inputs)
        except TinygradCnnError as error:
            if (path := current_scope()) and not getattr(error, "__notes__", None):
                error.add_note(f"in the layer {path}, {self!r}")  # of a network, which one
            raise
        finally:
            _innermost.reset(token)
            if scope is not None:
                leave_scope(scope)
        if self._forward_hooks:
            for hook in tuple(self._forward_hooks.values()):
                replaced = hook(self, inputs, output)
                output = output if replaced is None else replaced
        return output

    def register_forward_hook(self, hook: ForwardHook) -> Handle:
        """Call ``hook(module, inputs, output)`` after each run; return a handle.

        What the hook returns, unless it is None, takes the place of the output. Hooks run in
        the order they were registered.

        Examples
        --------
        >>> import tinygrad_cnn as tg
        >>> layer = tg.nn.Linear(3, 2)
        >>> with layer.register_forward_hook(lambda module, inputs, z: print(z.shape)):
        ...     z = layer(tg.zeros(4, 3))
        (4, 2)
        """
        require_callable("register_forward_hook", hook)
        if self._forward_hooks is None:
            self._forward_hooks = {}
        return Handle.to(self._forward_hooks, hook)

    def _name_parameters(self) -> None:
        """Give each parameter its dotted path, or all of them where it is shared.

        A path seen from further outside replaces a shorter one; what the user named stays.
        Nothing is done where no module has changed since the last time.
        """
        if self._named_at == _latest_change:
            return
        object.__setattr__(self, "_named_at", _latest_change)
        paths: dict[int, list[str]] = {}
        for path, parameter in self.named_parameters(remove_duplicate=False):
            paths.setdefault(id(parameter), []).append(path)
        for parameter in self.parameters():
            path, old = " = ".join(paths[id(parameter)]), parameter.name
            if old is None or (isinstance(old, ModulePath) and len(path) > len(old)):
                parameter.name = ModulePath(path)

    # -- what is inside --------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """Yield (name, module) of direct sub-modules."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Yield (path, module) of this module and all below it."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def children(self) -> Iterator["Module"]:
        """Yield direct sub-modules."""
        for _, child in self.named_children():
            yield child

    def add_module(self, name: str, module: "Module") -> None:
        """Make a module the attribute of that name."""
        setattr(self, name, module)

    def modules(self) -> Iterator["Module"]:
        """Yield this module and all below it."""
        for _, module in self.named_modules():
            yield module

    def named_parameters(self, remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Yield (path, parameter); a shared one once, unless `remove_duplicate` is off."""
        seen: set[int] = set()
        for path, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and not (remove_duplicate and id(value) in seen):
                    seen.add(id(value))
                    yield (f"{path}.{name}" if path else name), value

    def parameters(self) -> Iterator[Parameter]:
        """Yield each parameter once."""
        for _, parameter in self.named_parameters():
            yield parameter

    def count_parameters(self) -> int:
        """Return the number of trainable numbers."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    # -- state -----------------------------------------------------------------------

    def register_buffer(self, name: str, value: Array | None, persistent: bool = True) -> None:
        """Keep an array that belongs to the state but is not trained, such as a running mean.

        Parameters
        ----------
        name : str
            The attribute it is read as.
        value : ndarray or None
            None keeps the name free: nothing is stored.
        persistent : bool
            Whether it is part of the state dictionary.

        Raises
        ------
        OptionError
            If the name is taken by something else, or cannot be that of an attribute.
        """
        if not name or "." in name:
            raise OptionError(
                "register_buffer: a name is an attribute's, dots are between those of modules; "
                f"got {name!r}"
            )
        buffers = vars(self).setdefault("_buffers", {})
        if name in vars(self) and name not in buffers:
            raise OptionError(
                f"register_buffer: the name of a buffer is free; got {name!r}, which is taken "
                f"by {type(vars(self)[name]).__name__}"
            )
        buffers[name] = persistent
        object.__setattr__(self, name, None if value is None else np.asarray(value))

    def named_buffers(self, persistent_only: bool = False) -> Iterator[tuple[str, Array]]:
        """Yield (path, array) of every buffer that holds something."""
        for path, module in self.named_modules():
            for name, persistent in vars(module).get("_buffers", {}).items():
                value = getattr(module, name)
                if value is not None and (persistent or not persistent_only):
                    yield (f"{path}.{name}" if path else name), value

    def buffers(self) -> Iterator[Array]:
        """Yield every buffer that holds something."""
        for _, buffer in self.named_buffers():
            yield buffer

    def apply(self, function: Callable[["Module"], Any]) -> Self:
        """Call a function with every module below and with this one last; return self."""
        for _, child in self.named_children():
            child.apply(function)
        function(self)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Train all parameters, or leave all as they are; return self."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def train(self, mode: bool = True) -> Self:
        """Switch to training behaviour, here and below."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation behaviour, here and below."""
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set those there are to zeros."""
        for parameter in self.parameters():
            parameter.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of every parameter and persistent buffer by its path.

        They come in the order of the modules; of one module, parameters before buffers.
        """
        return {path: value.copy() for path, value in self._stored().items()}

    def _stored(self) -> dict[str, Array]:
        """Return the arrays of the state dictionary themselves."""
        found: dict[str, Array] = {}
        for path, module in self.named_modules():
            prefix = f"{path}." if path else ""
            own = vars(module)
            values = {n: p.numpy() for n, p in own.items() if isinstance(p, Parameter)}
            values |= {n: own[n] for n, stays in own.get("_buffers", {}).items() if stays}
            found |= {prefix + n: value for n, value in values.items() if value is not None}
        return found

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Write values into the parameters and buffers of the same path; all or nothing.

        Raises
        ------
        CheckpointError
            If paths are missing or unknown (with `strict`).
        ShapeError
            If a value has another shape than its parameter.
        DTypeError
            If a value is not made of numbers, or too large for the type of its parameter.
        """
        own = self._stored()
        missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        if strict and (missing or unknown):
            raise CheckpointError(
                "load_state_dict: the state holds exactly what the module does; got "
                f"{_listed('missing', missing)} and {_listed('unknown', unknown)}. "
                "Was it saved by another model?"
            )
        values = {
            path: as_stored("load_state_dict", path, state[path], array)
            for path, array in own.items()
            if path in state
        }
        parameters = dict(self.named_parameters(remove_duplicate=False))
        with no_grad():
            for path, value in values.items():
                if path in parameters:
                    parameters[path][...] = value  # counts as a change in place
                else:
                    own[path][...] = value

    # -- printing --------------------------------------------------------------------

    def options(self) -> str:
        """Return the options of the layer as they are printed."""
        return ""

    def __repr__(self) -> str:
        children = list(self.named_children())
        if not children:
            return f"{type(self).__name__}({self.options()})"
        lines = (f"  {name}: {child!r}".replace("\n", "\n  ") for name, child in children)
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return f"none {what}"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{what} {', '.join(names[:3])}{more}"

"""Modules that hold others, or only move values around."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, overload

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.requirements import integers
from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.nn.module import Module
from tinygrad_cnn.tensor import Tensor


def require_module(container: str, position: int, module: Any) -> None:
    """Refuse what is not a module, such as a function or a class."""
    if not isinstance(module, Module):
        called = getattr(module, "__name__", type(module).__name__)
        lists = ", and Sequential(*layers) for a list" if container == "Sequential" else ""
        raise DTypeError(
            f"{container}: it joins modules; got {called} at position {position}. Write "
            f"nn.ReLU() for F.relu or nn.ReLU{lists}"
        )


class Sequential(Module):
    """Modules one after the other.

    Parameters
    ----------
    *modules : Module, or one mapping of str to Module
        In the order they run; in a mapping, under their names.

    Raises
    ------
    DTypeError
        If something is not a module, such as a function.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> len(nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 2)))
    3
    >>> nn.Sequential({"hidden": nn.Linear(4, 3), "relu": nn.ReLU()}).hidden
    Linear(4, 3)
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        named: Iterable[tuple[str, Any]] = ((str(k), module) for k, module in enumerate(modules))
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = modules[0].items()
        listed = list(named)
        for position, (_, module) in enumerate(listed):
            require_module("Sequential", position, module)
        for name, module in listed:
            setattr(self, name, module)

    def append(self, module: Module) -> Self:
        """Add a module at the end and return self."""
        require_module("Sequential", len(self), module)
        setattr(self, str(len(self)), module)
        return self

    def __len__(self) -> int:
        return len(list(self.named_children()))

    def __iter__(self) -> Iterator[Module]:
        for _, module in self.named_children():
            yield module

    @overload
    def __getitem__(self, position: int) -> Module: ...

    @overload
    def __getitem__(self, position: slice) -> "Sequential": ...

    def __getitem__(self, position: int | slice) -> "Module | Sequential":
        modules = list(self)
        if isinstance(position, slice):
            return Sequential(*modules[position])
        if not -len(modules) <= position < len(modules):
            raise IndexError(
                f"Sequential: it holds {len(modules)} modules; got position {position}"
            )
        return modules[position]

    @property
    def chains(self) -> tuple[tuple[str, ...], ...]:  # type: ignore[override]
        """All of them, one behind the other."""
        return (tuple(name for name, _ in self.named_children()),)

    def forward(self, x: Any) -> Any:
        """Run the modules in order."""
        for module in self:
            x = module(x)
        return x


class ModuleList(Module):
    """Modules in a list: found by name and state dictionary, called by whoever holds them.

    Parameters
    ----------
    modules : iterable of Module, optional

    Raises
    ------
    DTypeError
        If something is not a module.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> layers = nn.ModuleList([nn.Linear(4, 3)])
    >>> layers.append(nn.Linear(3, 2)).count_parameters()
    23
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> Self:
        """Add a module at the end and return self."""
        require_module("ModuleList", len(self), module)
        setattr(self, str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add several modules at the end and return self."""
        for module in modules:
            self.append(module)
        return self

    def __len__(self) -> int:
        return len(list(self.named_children()))

    def __iter__(self) -> Iterator[Module]:
        for _, module in self.named_children():
            yield module

    @overload
    def __getitem__(self, position: int) -> Module: ...

    @overload
    def __getitem__(self, position: slice) -> "ModuleList": ...

    def __getitem__(self, position: int | slice) -> "Module | ModuleList":
        modules = list(self)
        if isinstance(position, slice):
            return ModuleList(modules[position])
        if not -len(modules) <= position < len(modules):
            raise IndexError(
                f"ModuleList: it holds {len(modules)} modules; got position {position}"
            )
        return modules[position]


class Identity(Module):
    """Return the input as it is; stands where a layer could.

    Examples
    --------
    >>> from tinygrad_cnn import nn
    >>> nn.Identity()(3)
    3
    """

    def forward(self, x: Any) -> Any:
        """Return x."""
        return x


class Flatten(Module):
    """Join axes to one, by default all but the first: (N, C, H, W) to (N, C·H·W).

    Parameters
    ----------
    start_dim, end_dim : int
        First and last axis to join.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.nn.Flatten()(tg.ones(2, 16, 5, 5)).shape
    (2, 400)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = integers("Flatten", "axes", (start_dim, end_dim))

    def forward(self, x: Tensor) -> Any:
        """Join the axes."""
        return F.flatten(x, self.start_dim, self.end_dim)

    def options(self) -> str:
        usual = (self.start_dim, self.end_dim) == (1, -1)
        return "" if usual else f"start_dim={self.start_dim}, end_dim={self.end_dim}"

"""A module of PyTorch as a table: its names, and where the same thing is in this package."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from tinygrad_cnn.compat.keywords import Keywords, taking
from tinygrad_cnn.errors import missing_name


def found(path: str) -> Any:
    """Return what a dotted path leads to: a module, or something in one.

    Examples
    --------
    >>> found("tinygrad_cnn.Tensor.argmax").__name__
    'argmax'
    """
    first, *rest = path.split(".")
    place: Any = importlib.import_module(first)
    walked = first
    for part in rest:
        walked = f"{walked}.{part}"
        if isinstance(place, ModuleType) and not hasattr(place, part):
            importlib.import_module(walked)
        place = getattr(place, part)
    return place


def under(place: str, names: str) -> dict[str, str]:
    """Return the dotted paths of names, separated by spaces, that are in one place.

    Examples
    --------
    >>> under("tinygrad_cnn.nn.init", "ones_ zeros_")
    {'ones_': 'tinygrad_cnn.nn.init.ones_', 'zeros_': 'tinygrad_cnn.nn.init.zeros_'}
    """
    return {name: f"{place}.{name}" for name in names.split()}


def public_names(path: str) -> list[str]:
    """Return the public names of a module."""
    module = found(path)
    return list(module.__all__)


@dataclass(frozen=True)
class Namespace:
    """The names of one module of PyTorch.

    Parameters
    ----------
    name : str
        The module, as PyTorch calls it.
    same : str
        A module of this package whose public names mean the same under the same name; none
        if it is empty.
    elsewhere : mapping of str to str
        Names and the dotted paths of what they stand for.
    nearest : mapping of str to str
        What to use for names of PyTorch that are not here.
    otherwise : str, or callable
        What to use where none of these comes near; a function is called with the name.
    keywords : mapping of str to tuple of str
        What PyTorch calls arguments that have another name here; see
        :func:`~tinygrad_cnn.compat.keywords.taking`.
    bases : tuple of str
        Classes that others derive from: they stay as they are.

    Examples
    --------
    >>> names = Namespace("torch.nn", same="tinygrad_cnn.nn", nearest={"LSTM": "a convolution"})
    >>> names.find("Linear")(3, 2)
    Linear(3, 2)
    >>> names.find("LSTM")
    Traceback (most recent call last):
    tinygrad_cnn.errors.MissingNameError: torch.nn: the attribute exists; got 'LSTM'. The nearest: a convolution
    """  # noqa: E501

    name: str
    same: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    nearest: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | Callable[[str], str] = ""
    keywords: Keywords = field(default_factory=dict)
    bases: tuple[str, ...] = ()
    _known: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def find(self, name: str) -> Any:
        """Return what a name stands for; a module's ``__getattr__``.

        Raises
        ------
        MissingNameError
            If the name stands for nothing; it is an AttributeError.
        """
        if name in self._known:
            return self._known[name]
        if name == "__path__":  # with one, what is not there is looked for by `imports`
            return []
        if name.startswith("__"):  # Python asks what a module can do
            raise AttributeError(name)
        if name in self.elsewhere:
            value = found(self.elsewhere[name])
        elif self.same and name in public_names(self.same):
            value = getattr(found(self.same), name)
        else:
            otherwise = self.otherwise if isinstance(self.otherwise, str) else self.otherwise(name)
            raise missing_name(self.name, name, self.names(), self.nearest, otherwise)
        if self.keywords and name not in self.bases:
            value = taking(value, self.name, self.keywords)
        self._known[name] = value
        return value

    def names(self) -> list[str]:
        """Return the names that stand for something, sorted."""
        same = public_names(self.same) if self.same else []
        return sorted({*self.elsewhere, *same})

"""Networks, one file per paper, built by name."""

import inspect
from collections.abc import Callable
from typing import Any

from tinygrad_cnn.errors import OptionError, unknown_name
from tinygrad_cnn.models.lenet import LeNet5, LeNet5Original, lenet5
from tinygrad_cnn.nn import Module

__all__ = ["LeNet5", "LeNet5Original", "build", "names"]

_BUILDERS: dict[str, Callable[..., Module]] = {"lenet5": lenet5}


def names() -> tuple[str, ...]:
    """Return the names that :func:`build` knows.

    Examples
    --------
    >>> names()
    ('lenet5',)
    """
    return tuple(sorted(_BUILDERS))


def build(name: str, num_classes: int = 10, **options: Any) -> Module:
    """Build a network with freshly drawn weights.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    num_classes : int
        Number of outputs.
    **options
        What the network's own builder takes.

    Raises
    ------
    UnknownNameError
        If there is no network of that name.
    OptionError
        If the builder does not know an option, or refuses its value.

    Examples
    --------
    >>> build("lenet5").count_parameters()
    61706
    """
    if name not in _BUILDERS:
        raise unknown_name("models", name, names())
    known = inspect.signature(_BUILDERS[name]).parameters
    for option in options:
        if option not in known:
            raise OptionError(f"{name}: the known options are {', '.join(known)}; got {option!r}")
    return _BUILDERS[name](num_classes=num_classes, **options)

"""Arguments by the names that PyTorch gives them: ``params=``, ``optimizer=``, ``input=``."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from tinygrad_cnn.errors import OptionError

Keywords = Mapping[str, tuple[str, ...]]


def taking(value: Any, owner: str, keywords: Keywords) -> Any:
    """Return a function or class that takes PyTorch's names of arguments beside its own.

    Parameters
    ----------
    value : any
        A class is answered with a subclass of it.
    owner : str
        The module, as PyTorch calls it.
    keywords : mapping of str to tuple of str
        PyTorch's name, and what the same argument may be called here.

    Returns
    -------
    any
        `value` itself where it has no argument of those names.

    Raises
    ------
    OptionError
        When it is called with an option that is not here; the message lists those that are.

    Examples
    --------
    >>> half = taking(lambda x: x / 2, "torch", {"input": ("x", "z")})
    >>> half(input=3.0), half(x=3.0)
    (1.5, 1.5)
    """
    if not callable(value):
        return value
    try:
        parameters = inspect.signature(value).parameters
    except ValueError:  # one that is written in C, and takes no keywords
        return value
    named = [p.name for p in parameters.values() if p.kind is not p.POSITIONAL_ONLY]
    ours = {
        theirs: own
        for theirs, candidates in keywords.items()
        if theirs not in named
        for own in candidates
        if own in named
    }
    if not ours:
        return value
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def renamed(options: Mapping[str, Any]) -> dict[str, Any]:
        translated = {ours.get(option, option): given for option, given in options.items()}
        for option in translated:
            if option not in named and not open_ended:
                known = ", ".join(name for name in named if name != "self")
                raise OptionError(
                    f"{owner}.{value.__name__}: its options are {known}; got {option!r}"
                )
        return translated

    return _subclass(value, renamed) if inspect.isclass(value) else _function(value, renamed)


def _function(function: Callable[..., Any], renamed: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def called(*given: Any, **options: Any) -> Any:
        return function(*given, **renamed(options))

    return called


def _subclass(value: type, renamed: Callable[..., Any]) -> type:
    @wraps(value.__init__)  # type: ignore[misc]
    def begin(self: Any, *given: Any, **options: Any) -> None:
        value.__init__(self, *given, **renamed(options))  # type: ignore[misc]

    kind: Any = type(value)
    content = {"__init__": begin, "__doc__": value.__doc__, "__module__": value.__module__}
    made: type = kind(value.__name__, (value,), content)
    return made

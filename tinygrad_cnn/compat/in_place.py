"""Functions that PyTorch may run in place; here the result is a new tensor in either case."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from tinygrad_cnn import functional as F


def _takes_inplace(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that takes ``inplace=`` too: it says where, and not what."""

    @wraps(function)
    def taking(*inputs: Any, inplace: bool = False, **options: Any) -> Any:
        return function(*inputs, **options)

    own = inspect.signature(function)
    option = inspect.Parameter("inplace", inspect.Parameter.KEYWORD_ONLY, default=False)
    parameters = [*own.parameters.values(), option]
    taking.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return taking


relu = _takes_inplace(F.relu)
leaky_relu = _takes_inplace(F.leaky_relu)
elu = _takes_inplace(F.elu)
hardsigmoid = _takes_inplace(F.hardsigmoid)
dropout = _takes_inplace(F.dropout)
dropout2d = _takes_inplace(F.dropout2d)

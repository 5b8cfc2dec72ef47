"""Where the first number went bad: NaN and infinity, named where they begin.

A NaN reaches everything that is computed from it, so a loss that is no number says nothing
about its origin. :func:`detect_anomaly` looks at every element as it runs, forward and
backward, and stops at the first whose result or error signal is not finite, while what went
into it still is.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_cnn.errors import NotFiniteError
from tinygrad_cnn.hooks import on_backward, on_forward

if TYPE_CHECKING:
    from tinygrad_cnn.element import FunctionElement
    from tinygrad_cnn.variable import Variable

__all__ = ["detect_anomaly"]


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Stop at the first element whose result or error signal is not finite.

    Every value is read once more, so a training step takes noticeably longer.

    Raises
    ------
    NotFiniteError
        From the element; the message names it, its layer, how many values are bad and where
        the first one stands, and the ranges of what it was computed from.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([1.0, 0.0], requires_grad=True)
    >>> with tg.detect_anomaly():
    ...     (x - x).log()
    Traceback (most recent call last):
        ...
    tinygrad_cnn.errors.NotFiniteError: detect_anomaly: values stay finite; got y of log with \
2 of 2 infinite, the first at (0,), computed from x in [0, 0]
    """
    with on_forward(_look_forward), on_backward(_look_backward):
        yield


def _look_forward(element: "FunctionElement", inputs: Any, outputs: Any) -> None:
    for symbol, output in zip(element.rule.outputs, outputs, strict=False):
        if not _is_finite(output):
            read = {element.rule.input_symbol(k): value for k, value in enumerate(inputs)}
            raise _refusal(element, symbol, output, read)


def _look_backward(element: "FunctionElement", outgoing: Any, incoming: Any) -> None:
    rule = element.rule
    for position, signal in enumerate(incoming):
        if signal is None or _is_finite(signal):
            continue
        symbol = rule.declared_symbol(position)
        arrived = zip(rule.outputs, outgoing, strict=False)
        read = {f"δ({name})": value for name, value in arrived if value is not None}
        saved = (name for name in element.saves.get(symbol, ()) if name in element._saved)
        read |= {name: element.saved(name) for name in saved}
        raise _refusal(element, f"δ({rule.input_symbol(position)})", signal, read)


def _is_finite(variable: "Variable") -> bool:
    value = variable._value
    if not isinstance(value, float | np.ndarray):
        return True  # a shape alone
    if isinstance(value, float) or value.dtype.kind != "f":
        return isinstance(value, np.ndarray) or math.isfinite(value)
    with np.errstate(all="ignore"):
        # A sum of what is finite seldom overflows, and makes no array of truth values.
        return math.isfinite(value.sum()) or bool(np.isfinite(value).all())


def _refusal(
    element: "FunctionElement",
    symbol: str,
    bad: "Variable",
    read: Mapping[str, "Variable"],
) -> NotFiniteError:
    where = f"{element.name} in {element.scope}" if element.scope else element.name
    ranges = ", ".join(f"{name} in {_range(value)}" for name, value in read.items())
    return NotFiniteError(
        f"detect_anomaly: values stay finite; got {symbol} of {where} with {_census(bad)}"
        f"{', computed from ' if ranges else ''}{ranges}"
    )


def _census(variable: "Variable") -> str:
    """Return how many values are bad, of which kind, and where the first one stands."""
    value = np.asarray(variable._value)
    counts = {"NaN": np.isnan(value), "infinite": np.isinf(value)}
    kinds = " and ".join(
        f"{np.count_nonzero(bad):,} of {value.size:,} {kind}"
        for kind, bad in counts.items()
        if bad.any()
    )
    if not value.shape:
        return kinds
    first = tuple(map(int, np.argwhere(~np.isfinite(value))[0]))
    return f"{kinds}, the first at {first}"


def _range(variable: "Variable") -> str:
    value = np.asarray(variable._value)
    finite = value[np.isfinite(value)]
    if finite.size == value.size:
        return f"[{finite.min():.4g}, {finite.max():.4g}]" if value.size else "[]"
    inside = f"[{finite.min():.4g}, {finite.max():.4g}] but for " if finite.size else ""
    return inside + _census(variable)

"""In which way two arrays differ: a factor, a half-turn, one place off, zeros elsewhere."""

from collections.abc import Iterator

import numpy as np

from tinygrad_cnn.explain.faults.watching import Array

__all__ = ["agreement", "patterns", "residual"]

ALIKE = 1e-3  # relative


def _norm(array: Array) -> float:
    return float(np.sqrt(np.square(array).sum()))


def residual(sent: Array, wanted: Array, noise: float = 0.0) -> float:
    """Return ‖sent - wanted‖, beyond noise, in units of the larger of the two; 0 where both are 0.

    Examples
    --------
    >>> residual(np.array([3.0, 4.0]), np.array([3.0, 4.0]))
    0.0
    """
    if not np.isfinite(sent).all():
        return 1.0
    largest = max(_norm(sent), _norm(wanted))
    apart = max(0.0, _norm(sent - wanted) - noise)
    return min(2.0, apart / largest) if largest else 0.0


def agreement(sent: Array, wanted: Array, noise: float = 0.0) -> float:
    """Return 1 where two arrays are equal but for some noise, 0 where nothing is alike.

    Examples
    --------
    >>> agreement(np.array([1.0, 0.0]), np.array([0.0, 1.0])) < 0.3
    True
    """
    total = _norm(sent) + _norm(wanted)
    if total == 0:
        return 1.0
    apart = max(0.0, _norm(sent - wanted) - noise)
    return max(0.0, 1.0 - apart / total) if np.isfinite(apart) else 0.0


def patterns(sent: Array, right: Array) -> Iterator[str]:
    """Yield, in words, what turns the right array into the one that was sent.

    Examples
    --------
    >>> right = np.array([[1.0, 2.0], [0.0, 4.0]])
    >>> list(patterns(8.0 * right, right))
    ['it is 8 times the right one, everywhere']
    >>> list(patterns(right[::-1, ::-1], right))[0]
    'it is the right one turned by 180°'
    """
    if not np.isfinite(sent).all():
        yield f"{np.count_nonzero(~np.isfinite(sent))} of {sent.size} elements are no numbers"
        return
    power = float(np.square(right).sum())
    if not power:
        yield "the right one is 0"
        return
    factor = float((sent * right).sum()) / power
    if residual(sent, factor * right) < ALIKE:
        yield f"it is {factor:.4g} times the right one, everywhere"
        return
    for words, other in _relatives(right):
        if residual(sent, other) < ALIKE:
            yield f"it is the right one {words}"
    small = 1e-9 * float(np.abs(right).max())
    zeros, extra = np.abs(right) <= small, np.abs(sent) > small
    if (zeros & extra).any():
        yield (
            f"it is not 0 at {np.count_nonzero(zeros & extra):,} of {np.count_nonzero(zeros):,} "
            "places where the right one is"
        )
    if (~zeros & ~extra).any():
        yield (
            f"it is 0 at {np.count_nonzero(~zeros & ~extra):,} of {np.count_nonzero(~zeros):,} "
            "places where the right one is not"
        )


def _relatives(right: Array) -> Iterator[tuple[str, Array]]:
    if right.ndim < 2:
        return
    yield "turned by 180°", right[..., ::-1, ::-1]
    if right.shape[-1] == right.shape[-2]:
        yield "transposed", np.swapaxes(right, -1, -2)
    if right.ndim == 2:
        yield "transposed and reshaped", np.ascontiguousarray(right.T).reshape(right.shape)
    for down, across in ((1, 1), (-1, -1), (0, 1), (1, 0), (0, -1), (-1, 0)):
        rolled = np.roll(right, (down, across), (-2, -1))
        yield f"moved by {down} down and {across} to the right", rolled

"""Memory: what a graph keeps for its walk back, and what arrays take altogether.

Arrays of 64 KiB and more come from a pool that reuses memory from step to step (see
:mod:`tinygrad_cnn.kernels.buffer_pool`). The functions that ask it have PyTorch's names, from
``torch.cuda``, and count bytes as it does: arrays that are alive are *allocated*, and with what
waits for the next ones *reserved*::

    tg.memory.reset_peak_memory_stats()
    loss(model(images), labels).backward()
    print(tg.memory.max_memory_allocated())
"""

from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.errors import DTypeError
from tinygrad_cnn.graph import elements_behind
from tinygrad_cnn.kernels.buffer_pool import POOL, Memory
from tinygrad_cnn.variable import Variable


class SavedBytes(NamedTuple):
    """Bytes that a graph keeps: values computed on the way and inputs, and trained leaves."""

    activations: int
    parameters: int


def saved_bytes(*values: Variable) -> SavedBytes:
    """Return the bytes of the arrays that the elements behind values keep for backward().

    Parameters
    ----------
    *values : Scalar or Tensor
        Usually a loss.

    Returns
    -------
    SavedBytes
        `activations`: what is there only because of the graph, or was put into it;
        `parameters`: leaves that require a gradient, which exist anyway. Every array counts
        once, views of it not again. A tensor on the device ``shapes`` counts as what it
        stands for.

    Raises
    ------
    DTypeError
        If a value is no Scalar or Tensor.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([0.5] * 100, requires_grad=True)
    >>> tg.saved_bytes(x.exp().exp())
    SavedBytes(activations=800, parameters=0)
    """
    for value in values:
        if not isinstance(value, Variable):
            raise DTypeError(
                f"saved_bytes: it counts what is behind Tensors and Scalars; got "
                f"{type(value).__name__}"
            )
    activations: dict[int, int] = {}
    parameters: dict[int, int] = {}
    for element in elements_behind(*(value.node for value in values)):
        if element.freed:
            continue
        for value, node, _, _ in element._saved.values():
            trained = node is not None and node.is_leaf and node.requires_grad
            key, size = _memory(value)
            place = parameters if trained else activations
            place[key] = max(place.get(key, 0), size)
    for key in parameters:
        activations.pop(key, None)
    return SavedBytes(sum(activations.values()), sum(parameters.values()))


def _memory(value: Any) -> tuple[int, int]:
    """Return what memory a value lies in, and the bytes of that."""
    if not isinstance(value, np.ndarray):
        return id(value), 8  # a float of Python
    owner = value
    while isinstance(owner.base, np.ndarray) and not isinstance(owner.base, Memory):
        owner = owner.base
    stands_for = value.size * value.itemsize  # more than it takes, of a value without memory
    return id(owner), max(owner.nbytes, stands_for)


# -- the pool ------------------------------------------------------------------------


def memory_allocated() -> int:
    """Return the bytes of pooled arrays that are alive, sizes rounded up to their classes.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([0.5] * 20_000).exp()
    >>> tg.memory.memory_allocated() >= x.numpy().nbytes
    True
    """
    return POOL.in_use


def max_memory_allocated() -> int:
    """Return the most that :func:`memory_allocated` has been since its last reset."""
    return POOL.peak


def memory_reserved() -> int:
    """Return the bytes that the pool holds: arrays that are alive, and idle buffers."""
    return POOL.in_use + POOL.idle


def reset_peak_memory_stats() -> None:
    """Count :func:`max_memory_allocated` anew from what is alive now."""
    POOL.forget_peak()


def empty_cache() -> None:
    """Give the idle buffers of the pool back to the system. Arrays that are alive stay."""
    POOL.release_idle()

"""Warm-up: every kernel that training needs is compiled before the first counted step."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import numpy as np

from tinygrad_cnn.data import ArrayDataset
from tinygrad_cnn.errors import NotFiniteError
from tinygrad_cnn.functional import cross_entropy
from tinygrad_cnn.nn import Module
from tinygrad_cnn.optim import Optimiser
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.train.evaluation import evaluate
from tinygrad_cnn.train.shift import shifted

__all__ = ["WarmUp", "untouched", "warm_up"]


@contextmanager
def untouched(model: Module, optimiser: Optimiser) -> Iterator[None]:
    """Put weights, optimiser and default generator back at the end of a ``with`` block.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> model = tg.nn.Linear(1, 1)
    >>> before = model.weight.item()
    >>> with untouched(model, tg.optim.SGD(model.parameters(), lr=0.1)):
    ...     model.weight.data = [[5.0]]
    >>> model.weight.item() == before
    True
    """
    weights, memory = model.state_dict(), optimiser.state_dict()
    bits = default_generator().bit_generator
    drawn = bits.state
    try:
        yield
    finally:
        model.load_state_dict(weights)
        optimiser.load_state_dict(memory)
        optimiser.zero_grad()
        bits.state = drawn


class WarmUp(NamedTuple):
    """What the first step cost before any counted one.

    Attributes
    ----------
    seconds : float
        The whole warm-up: loading kernels, compiling, running each of them once.
    compile_seconds : float
        Of these, until all was compiled; next to none where the kernels were on disk.
    functions : int
        How many functions were compiled.
    """

    seconds: float
    compile_seconds: float
    functions: int


def warm_up(
    model: Module,
    optimiser: Optimiser,
    dataset: ArrayDataset,
    batch_size: int,
    check: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda text: None,
) -> WarmUp:
    """Compile every kernel that training needs, and leave no trace in what is trained.

    One step of training and one of evaluation run on the first batch: once to see what there
    is to compile, then, when that is done, in earnest. Where there is much to compile a second
    process helps. Weights, optimiser and random generator are put back to what they were.

    Parameters
    ----------
    model, optimiser
        As for :func:`fit`.
    dataset : ArrayDataset
        Gives one batch of the right shape.
    batch_size : int, in images
    check : callable, optional
        Called between the kernels' first calls; what it raises ends the warm-up.
    say : callable, optional
        Called with a line whenever something is going to be compiled; not always by the same
        thread.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> model = tg.nn.Linear(4, 2)
    >>> dataset = tg.data.ArrayDataset(np.eye(4, dtype=np.float32), [0, 1, 0, 1])
    >>> warm_up(model, tg.optim.Adam(model.parameters()), dataset, 2).functions >= 0
    True
    """
    from tinygrad_cnn.kernels.ahead import compile_all, processes_worth
    from tinygrad_cnn.kernels.jit import listed, timed_compilation

    images, labels = dataset.batch(np.arange(min(batch_size, len(dataset))))
    images = shifted(images.astype(np.float32, copy=False), 0, default_generator())

    def step() -> None:
        optimiser.zero_grad()
        loss = cross_entropy(model(Tensor(images)), labels)
        check()
        loss.backward()
        check()
        optimiser.step()
        with suppress(NotFiniteError):  # a rate too large: training will say so, and where
            evaluate(model, dataset.subset(range(len(labels))))

    def tell(names: str, done: int, total: int) -> None:
        say(f"compiling {names} … ({done} of {total} done)")

    begin = time.perf_counter()
    with untouched(model, optimiser):
        with listed() as needed:
            step()
        missing = [kernel for kernel in needed if not kernel.is_stored()]
        compiling = time.perf_counter()
        compile_all(missing, processes_worth(missing), tell, check)
        waited = time.perf_counter() - compiling
        with timed_compilation() as timer:
            step()
    check()
    functions = len(missing) + timer.functions
    return WarmUp(time.perf_counter() - begin, waited + timer.seconds, functions)

"""Compiling ahead: which kernels a network needs, and two processes that compile them.

A kernel is compiled for the types of its arguments, not for their sizes. So one step of
training in which no kernel computes anything (:func:`~tinygrad_cnn.kernels.jit.listed`) tells
in a moment what there is to compile. Parallel kernels take several times as long as others
and go first, so that no process is left with one of them while the other has nothing to do.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn import models
from tinygrad_cnn.data import Compose, Cutout, Draws, ElasticDistortion, RandomCrop, to_float
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.gradients import grad
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.nn import Module
from tinygrad_cnn.optim import EMA, SGD, Adadelta, Adagrad, Adam, RMSprop
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_cnn.kernels.jit import Specialisation

Progress = Callable[[str, int, int], None]

_IMAGES = 8  # in the batch; which variants serve may depend on it, though hardly ever does


class WarmedUp(NamedTuple):
    """What :func:`warm_up` did: kernels needed, compiled among them, seconds, and where."""

    needed: int
    compiled: int
    seconds: float
    folder: Path


def warm_up(
    names: Sequence[str] = ("lenet5",),
    *,
    everything: bool = False,
    processes: int = 2,
    progress: Progress = lambda name, done, total: None,
) -> WarmedUp:
    """Compile what networks need to be trained and run in float32, and keep it on disk.

    Parameters
    ----------
    names : sequence of str
        Networks; see :func:`tinygrad_cnn.models.names`.
    everything : bool
        All networks (by their tiny twins) and the functions that none of them uses, too.
    processes : int
        How many compile at once. More than one start this program anew: a script that calls
        this does so under ``if __name__ == "__main__":``.
    progress : callable
        ``progress(name, done, total)`` is told of each kernel that is there.

    Raises
    ------
    UnknownNameError
        If there is no network of a name.
    OptionError
        If `processes` is below 1, or no folder can be written.
    """
    from tinygrad_cnn.kernels.jit import cache_folder

    if processes < 1:
        raise OptionError(f"warmup: there is at least one process; got {processes}")
    for name in names:
        models.find(name)
    if (folder := cache_folder()) is None:
        raise OptionError(
            "warmup: compiled kernels are kept in a folder; got none that can be written. Name "
            "one with NUMBA_CACHE_DIR"
        )
    begin = time.perf_counter()
    needed = kernels_of(names, everything=everything)
    missing = sorted((k for k in needed if not k.is_stored()), key=lambda k: not k.is_parallel)
    if len(missing) <= 1 or processes == 1:
        for done, kernel in enumerate(missing):
            progress(kernel.name, done, len(missing))
            kernel.compile()
    else:
        _compile_in_processes(missing, processes, progress)
    return WarmedUp(len(needed), len(missing), time.perf_counter() - begin, folder)


def kernels_of(
    names: Sequence[str] = ("lenet5",), *, everything: bool = False
) -> list["Specialisation"]:
    """List the compiled functions that training and running networks in float32 calls.

    What this process has compiled or loaded before is left out.
    """
    from tinygrad_cnn.kernels.jit import listed

    bits = default_generator().bit_generator
    drawn = bits.state
    try:
        with listed() as needed:
            for name in dict.fromkeys(names):
                network = models.find(name)
                _train_once(network, network.build(), network.input_shape)
            if everything:
                for name in models.names():
                    network = models.find(name)
                    _train_once(network, network.build_twin(), network.twin_input)
                _call_the_rest()
    finally:
        bits.state = drawn
    return needed


def _train_once(network: models.Network, model: Module, shape: Sequence[int]) -> None:
    """Run a step of training with each optimiser, and the network without a graph."""
    images = Tensor(np.zeros((_IMAGES, *shape), np.float32))
    labels = np.arange(_IMAGES) % network.num_classes
    for optimiser in (SGD(model.parameters(), lr=0.0, momentum=0.9), Adam(model.parameters())):
        optimiser.zero_grad()
        network.loss(model(images), labels).backward()
        optimiser.step()
    model.eval()
    with no_grad():
        model(images)


def _call_the_rest() -> None:
    """Call the functions that no network of ours uses, forward and backward."""
    maps = Tensor(np.ones((2, 3, 6, 6), np.float32), requires_grad=True)
    rows = Tensor(np.ones((2, 5), np.float32), requires_grad=True)
    codes = Tensor(np.ones((4, 5), np.float32), requires_grad=True)
    filters = Tensor(np.ones((6, 1, 3, 3), np.float32), requires_grad=True)
    labels = np.zeros(2, int)
    results: list[Any] = [
        F.conv2d(maps, filters, groups=3),  # two filters for each channel
        F.conv_transpose2d(maps, Tensor(np.ones((3, 2, 3, 3), np.float32))),
        F.lp_pool2d(maps, 3.0, 2),
        F.pool2d(maps, lambda window: window.sum(-1), 2),
        F.local_response_norm(maps, 3),
        F.conv2d(maps, filters, groups=3, activation="relu"),
        F.affine(rows, codes, activation="relu"),
        F.batch_norm(maps, training=True, activation="relu"),
        F.add_relu(rows, rows),
        F.dropout(rows, 0.5),
        F.softmax(rows, 1),
        F.nll_loss(F.log_softmax(rows, 1), labels),
        F.multi_margin_loss(rows, labels),
        F.squared_distances(rows, codes),
        rows @ Tensor(np.ones((5, 2), np.float32)),
        F.relu(rows, at_zero=0.5),
        *(f(rows) for f in (F.tanh, F.leaky_relu, F.elu, F.softplus, F.hardsigmoid, F.abs)),
        *(rows.exp(), rows.log(), rows.sqrt(), rows**rows, rows / rows, rows - rows),
    ]
    pools: tuple[Any, ...] = (
        F.max_pool2d(maps, 2),
        F.max_pool2d(maps, 2, ties="split"),
        F.max_pool2d(maps, 2, return_indices=True)[0],
    )
    for pooled in pools:  # the second walk gathers what the first has spread
        results += grad((pooled * pooled).sum(), maps, create_graph=True)
    images = to_float(np.zeros((2, 3, 4, 4), np.uint8))
    Compose([RandomCrop(padding=1), Cutout(2), ElasticDistortion()])(images, Draws(0, 0, [0, 1]))
    for result in results:
        if result.requires_grad:
            result.sum().backward()
    for kind in (Adagrad, Adadelta, RMSprop):
        kind([codes]).step()
    EMA([codes]).update()


def _compile_in_processes(
    missing: Sequence["Specialisation"], processes: int, progress: Progress
) -> None:
    """Let processes take kernels from a queue, and tell of each that is done."""
    names = [kernel.name for kernel in missing]
    progress(", ".join(names[:processes]), 0, len(missing))
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        try:
            jobs = [pool.submit(_compile, kernel) for kernel in missing]
            waiting = dict(zip(jobs, names, strict=True))
            for done, job in enumerate(as_completed(jobs), start=1):
                job.result()  # raises what the process did
                del waiting[job]
                at_work = ", ".join(list(waiting.values())[:processes])
                progress(at_work, done, len(missing))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _compile(kernel: "Specialisation") -> None:
    kernel.compile()

"""The training loop, and what surrounds it: evaluation, warm-up, continuing in mid-epoch."""

import itertools
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data import ArrayDataset, DataLoader
from tinygrad_cnn.errors import DivergedError, OptionError
from tinygrad_cnn.functional import cross_entropy
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.nn import Module
from tinygrad_cnn.optim import Optimiser
from tinygrad_cnn.optim.schedules import named
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.train.recipes import Recipe
from tinygrad_cnn.train.shift import shifted
from tinygrad_cnn.train.state import Evaluation, TrainingState

__all__ = ["WarmUp", "Watcher", "evaluate", "fit", "warm_up"]

EVALUATION_BATCH = 256  # images; bounds the memory, changes no result but the last bits


class Watcher:
    """Is told how training goes; what a method raises ends it. This one does nothing.

    Whenever a method is called the state is whole: weights, optimiser, random generator and
    ``state`` belong together, so a checkpoint may be written then.
    """

    def after_step(self, state: TrainingState, loss: float) -> None:
        """Hear of a finished step, and the mean loss of its batch before it."""

    def after_evaluated_batch(self, done: int, total: int) -> None:
        """Hear that `done` of `total` images were evaluated."""

    def after_epoch(self, state: TrainingState) -> None:
        """Hear of a finished epoch; its record is the last one of ``state.history``."""


def fit(
    model: Module,
    optimiser: Optimiser,
    train: ArrayDataset,
    test: ArrayDataset,
    recipe: Recipe,
    state: TrainingState | None = None,
    watcher: Watcher | None = None,
) -> TrainingState:
    """Train a network: for each batch forward, backward, update; each epoch ends with a test.

    Nothing is chosen by the test images: they are looked at to be reported.

    Parameters
    ----------
    model : Module
        Maps images (N, C, H, W) to scores (N, classes); changed in place.
    optimiser : Optimiser
        Over the parameters of `model`.
    train, test : ArrayDataset
        The images to learn from, and to report on.
    recipe : Recipe
        Batch size, epochs, learning rate and its schedule.
    state : TrainingState, optional
        Where to go on; weights, optimiser and the default generator are as they were then.
        The run then does bit for bit what one without a stop does.
    watcher : Watcher, optional
        Told after each step and epoch.

    Returns
    -------
    TrainingState
        With one record for each epoch.

    Raises
    ------
    OptionError
        If a batch is larger than the training set.
    DivergedError
        If the loss is no longer a number.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> _ = tg.manual_seed(0)
    >>> images, labels = np.eye(4, dtype=np.float32), [0, 1, 0, 1]
    >>> dataset = tg.data.ArrayDataset(images, labels)
    >>> model = tg.nn.Linear(4, 2)
    >>> recipe = Recipe("sgd", lr=1.0, batch_size=2, epochs=5, schedule="constant")
    >>> state = fit(model, recipe.make_optimiser(model.parameters()), dataset, dataset, recipe)
    >>> str(state.history[-1].test)
    '100.0 % (4 of 4)'
    """
    if recipe.batch_size > len(train):
        raise OptionError(
            "fit: a batch holds no more images than there are to learn from; got a batch size "
            f"of {recipe.batch_size} for {len(train)} images. Take a smaller batch_size."
        )
    state = TrainingState() if state is None else state
    watcher = Watcher() if watcher is None else watcher
    loader = DataLoader(train, recipe.batch_size, shuffle=True)
    schedule = named(recipe.schedule)
    steps = recipe.epochs * len(loader)
    while state.epoch < recipe.epochs:
        model.train()
        begin = time.perf_counter()
        for images, labels in _batches(loader, state):
            optimiser.lr = schedule(recipe.lr, state.epoch * len(loader) + state.step, steps)
            moved = shifted(images, recipe.shift, default_generator())
            scores, loss = _train_step(model, optimiser, moved, labels)
            _require_finite(loss, state, recipe)
            state.count(loss, _hits(scores, labels), len(labels))
            state.seconds, begin = state.seconds + time.perf_counter() - begin, time.perf_counter()
            watcher.after_step(state, loss)
        result = evaluate(model, test, after_batch=watcher.after_evaluated_batch)
        state.seconds += time.perf_counter() - begin
        state.finish_epoch(optimiser.lr, result)
        watcher.after_epoch(state)
    return state


def _train_step(
    model: Module, optimiser: Optimiser, images: npt.NDArray[Any], labels: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[Any], float]:
    """Forward, backward, update; return the scores and the mean loss, both before the update."""
    optimiser.zero_grad()
    scores = model(Tensor(images))
    loss = cross_entropy(scores, labels)
    loss.backward()
    optimiser.step()
    return scores.numpy(), float(loss.item())


def _batches(
    loader: DataLoader, state: TrainingState
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[np.int64]]]:
    """Start an epoch, or go on in the middle of one, in the order it was started with."""
    generator = default_generator().bit_generator
    if state.order_state is None:
        state.order_state = dict(generator.state)
        return iter(loader)
    now = generator.state
    generator.state = state.order_state
    batches = iter(loader)  # draws the order
    generator.state = now
    return itertools.islice(batches, state.step, None)


def _hits(scores: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> int:
    return int(np.count_nonzero(scores.argmax(axis=1) == labels))


def _require_finite(loss: float, state: TrainingState, recipe: Recipe) -> None:
    if not math.isfinite(loss):
        raise DivergedError(
            f"fit: the loss stays a finite number; got {loss} in step {state.step + 1} of epoch "
            f"{state.epoch + 1} with learning rate {recipe.lr:g}. Train anew with a smaller lr."
        )


def evaluate(
    model: Module,
    dataset: ArrayDataset,
    batch_size: int = EVALUATION_BATCH,
    after_batch: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Compare a network's answers with the labels, without recording a graph.

    Parameters
    ----------
    model : Module
        Maps images to scores; in evaluation mode meanwhile.
    dataset : ArrayDataset
        At least one example.
    batch_size : int, in images
    after_batch : callable, optional
        Called with the number of images done and their total.

    Returns
    -------
    Evaluation
        Mean loss, and how many answers were right.

    Raises
    ------
    OptionError
        If there is nothing to evaluate on.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> model = tg.nn.Linear(2, 2)
    >>> model.load_state_dict({"weight": 9 * np.eye(2), "bias": np.zeros(2)})
    >>> images = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    >>> str(evaluate(model, tg.data.ArrayDataset(images, [0, 1, 1])))
    '66.7 % (2 of 3)'
    """
    if not len(dataset):
        raise OptionError("evaluate: there are examples to evaluate on; got an empty data set")
    loss_sum, correct, done = 0.0, 0, 0
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            for images, labels in DataLoader(dataset, batch_size):
                scores = model(Tensor(images))
                loss_sum += float(cross_entropy(scores, labels).item()) * len(labels)
                correct += _hits(scores.numpy(), labels)
                done += len(labels)
                if after_batch is not None:
                    after_batch(done, len(dataset))
    finally:
        model.train(was_training)
    return Evaluation(loss_sum / done, correct, done)


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

    weights, memory = model.state_dict(), optimiser.state_dict()
    bits = default_generator().bit_generator
    drawn = bits.state
    images, labels = dataset.batch(np.arange(min(batch_size, len(dataset))))
    images = shifted(images.astype(np.float32, copy=False), 0, default_generator())

    def step() -> None:
        optimiser.zero_grad()
        loss = cross_entropy(model(Tensor(images)), labels)
        check()
        loss.backward()
        check()
        optimiser.step()
        evaluate(model, dataset.subset(range(len(labels))))

    def tell(names: str, done: int, total: int) -> None:
        say(f"compiling {names} … ({done} of {total} done)")

    begin = time.perf_counter()
    try:
        with listed() as needed:
            step()
        missing = [kernel for kernel in needed if not kernel.is_stored()]
        compiling = time.perf_counter()
        compile_all(missing, processes_worth(missing), tell, check)
        waited = time.perf_counter() - compiling
        with timed_compilation() as timer:
            step()
    finally:
        model.load_state_dict(weights)
        optimiser.load_state_dict(memory)
        optimiser.zero_grad()
        bits.state = drawn
    check()
    functions = len(missing) + timer.functions
    return WarmUp(time.perf_counter() - begin, waited + timer.seconds, functions)

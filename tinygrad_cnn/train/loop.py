"""The training loop, in plain sight; and continuing in mid-epoch."""

import math
import time
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.anomaly import detect_anomaly
from tinygrad_cnn.data import ArrayDataset, DataLoader
from tinygrad_cnn.errors import DivergedError, NotFiniteError, OptionError
from tinygrad_cnn.functional import cross_entropy
from tinygrad_cnn.nn import Module
from tinygrad_cnn.optim import EMA, Optimiser, clip_grad_norm_
from tinygrad_cnn.optim.schedules import named
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.train.augmentation import compose
from tinygrad_cnn.train.evaluation import evaluate
from tinygrad_cnn.train.metrics import hits
from tinygrad_cnn.train.recipe import Recipe
from tinygrad_cnn.train.shift import shifted
from tinygrad_cnn.train.state import TrainingState
from tinygrad_cnn.train.stopping import BestWeights, settle

__all__ = ["Watcher", "fit", "loader_of", "train_step"]

Array = npt.NDArray[Any]


class Watcher:
    """Is told how training goes; what a method raises ends it. This one does nothing.

    After a step and after an epoch the state is whole: weights, optimiser, random generator
    and ``state`` belong together, so a checkpoint may be written then. During an evaluation
    the network may hold the average of its weights.
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
    *,
    held_out: ArrayDataset | None = None,
    average: EMA | None = None,
    best: BestWeights | None = None,
    watch: bool = False,
) -> TrainingState:
    """Train a network: for each batch forward, backward, update; each epoch ends with a test.

    Nothing is chosen by the test images: they are looked at to be reported.

    Parameters
    ----------
    model : Module
        Maps images (N, C, H, W) to scores (N, classes); changed in place.
    optimiser : Optimiser
        Over the parameters of `model`. Where it has several groups of them, the schedule goes
        from the learning rate of each; where there is one, from the recipe's.
    train, test : ArrayDataset
        The images to learn from, and to report on.
    recipe : Recipe
    state : TrainingState, optional
        Where to go on; weights, optimiser and the default generator are as they were then.
        The run then does bit for bit what one without a stop does.
    watcher : Watcher, optional
        Told after each step and epoch.
    held_out : ArrayDataset, optional
        Images that decide when to stop; see :func:`~tinygrad_cnn.train.hold_out`.
    average : EMA, optional
        By default one of the recipe's decay, if it has one. A run that goes on has to give it.
    best : BestWeights, optional
        Likewise, where the recipe has patience.
    watch : bool
        Look at every value of every step, and stop at the first that is no finite number.

    Returns
    -------
    TrainingState
        With one record for each epoch.

    Raises
    ------
    OptionError
        If a batch is larger than the training set, or there is nothing to wait for.
    DivergedError
        If the loss is no longer a number; it names the first value that was none. Or if the
        scores of images that are not learnt from are none.

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
    _check(recipe, train, held_out)
    state = TrainingState() if state is None else state
    watcher = Watcher() if watcher is None else watcher
    if average is None and recipe.average is not None:
        average = EMA(model, recipe.average)
    if best is None and recipe.patience is not None:
        best = BestWeights(model)
    loader, schedule = loader_of(train, recipe), named(recipe.schedule)
    steps, groups = recipe.epochs * len(loader), optimiser.param_groups
    state.rates = state.rates or [group["lr"] for group in groups]
    if len(groups) == 1:
        state.rates = [recipe.lr]
    if state.loader is not None:
        loader.load_state(state.loader)
    while not state.ends(recipe.epochs):
        model.train()
        begin = time.perf_counter()
        for images, labels in loader:
            done = state.epoch * len(loader) + state.step
            for group, rate in zip(groups, state.rates, strict=True):
                group["lr"] = schedule(rate, done, steps)
            drawn = default_generator().bit_generator.state
            moved = shifted(images, recipe.shift, default_generator())
            try:
                with detect_anomaly() if watch else nullcontext():
                    scores, loss = train_step(model, optimiser, moved, labels, recipe)
            except NotFiniteError as found:
                raise _diverged("one that is not", state, recipe, str(found)) from found
            if not math.isfinite(loss):
                default_generator().bit_generator.state = drawn
                moved = shifted(images, recipe.shift, default_generator())
                origin = _origin(model, moved, labels, recipe.accumulate)
                raise _diverged(str(loss), state, recipe, origin)
            if average is not None:
                average.update()
            first, among_five = hits(scores, labels)
            state.count(loss, first, len(labels), among_five)
            state.seconds, begin = state.seconds + time.perf_counter() - begin, time.perf_counter()
            state.loader = loader.state()
            watcher.after_step(state, loss)
        with nullcontext() if average is None else average.swapped_in():
            try:
                result = evaluate(model, test, after_batch=watcher.after_evaluated_batch)
                unlearnt = None
                if held_out is not None:
                    unlearnt = evaluate(model, held_out, after_batch=watcher.after_evaluated_batch)
            except NotFiniteError as found:
                raise DivergedError(
                    f"fit: the scores stay numbers; got NaN after epoch {state.epoch + 1} with "
                    f"learning rate {recipe.lr:g}. {found}"
                ) from found
            state.seconds += time.perf_counter() - begin
            state.finish_epoch(groups[0]["lr"], result, unlearnt)
            if best is not None and unlearnt is not None:
                best.offer(unlearnt.loss, state)
        state.loader = loader.state()
        if recipe.patience is not None:
            state.stopped = state.epoch - state.best_epoch >= recipe.patience
        watcher.after_epoch(state)
    settle(model, average, best)
    return state


def loader_of(train: ArrayDataset, recipe: Recipe) -> DataLoader:
    """Return the loader of a recipe's batches: shuffled, and transformed as it says."""
    return DataLoader(
        train,
        recipe.batch_size,
        shuffle=True,
        num_workers=recipe.workers,
        transform=compose(recipe.augment),
    )


def train_step(
    model: Module,
    optimiser: Optimiser,
    images: Array,
    labels: npt.NDArray[np.int64],
    recipe: Recipe,
) -> tuple[Array, float]:
    """Forward, backward, update; return the scores and the mean loss, both before the update.

    The batch is taken in as many parts as the recipe says. The loss is the mean over the whole
    batch, ``L = Σ_p (n_p / n) L_p`` with L_p the mean over the n_p images of part p, so the
    gradients of the parts add up to that of the batch. Where the loss is no finite number,
    nothing is updated.
    """
    optimiser.zero_grad()
    scores, mean = [], 0.0
    for part, wanted in _parts(images, labels, recipe.accumulate):
        answers = model(Tensor(part))
        loss = cross_entropy(answers, wanted)
        if len(wanted) < len(labels):
            loss = loss * (len(wanted) / len(labels))
        scores.append(answers.numpy())
        mean += float(loss.item())
        if not math.isfinite(mean):
            return np.concatenate(scores), mean
        loss.backward()
    if recipe.clip is not None:
        clip_grad_norm_(optimiser.parameters, recipe.clip)
    optimiser.step()
    return scores[0] if len(scores) == 1 else np.concatenate(scores), mean


def _parts(images: Array, labels: Array, count: int) -> list[tuple[Array, Array]]:
    if count == 1:
        return [(images, labels)]
    count = min(count, len(labels))
    cut = (np.array_split(images, count), np.array_split(labels, count))
    return [(np.ascontiguousarray(part), wanted) for part, wanted in zip(*cut, strict=True)]


def _origin(model: Module, images: Array, labels: Array, parts: int) -> str:
    """Run a batch forward and backward once more, and name the first value that went bad."""
    model.zero_grad()
    try:
        with detect_anomaly():
            for part, wanted in _parts(images, labels, parts):
                cross_entropy(model(Tensor(part)), wanted).backward()
    except NotFiniteError as found:
        return str(found)
    return ""  # nothing in between was bad: the mean itself overflowed


def _diverged(what: str, state: TrainingState, recipe: Recipe, origin: str) -> DivergedError:
    began = f"It began here: {origin}. " if origin else ""
    return DivergedError(
        f"fit: the loss stays a finite number; got {what} in step {state.step + 1} of epoch "
        f"{state.epoch + 1} with learning rate {recipe.lr:g}. {began}Train anew with a smaller lr."
    )


def _check(recipe: Recipe, train: ArrayDataset, held_out: ArrayDataset | None) -> None:
    if recipe.batch_size > len(train):
        raise OptionError(
            "fit: a batch holds no more images than there are to learn from; got a batch size "
            f"of {recipe.batch_size} for {len(train)} images. Take a smaller batch_size."
        )
    if recipe.patience is not None and held_out is None:
        raise OptionError(
            f"fit: patience, {recipe.patience} epochs here, waits for held-out images; got none. "
            "Take some off with hold_out(train, share, seed)."
        )

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.data import ArrayDataset, Split
from tinygrad_cnn.errors import DivergedError, NotFiniteError, OptionError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.random import default_generator
from tinygrad_cnn.train import (
    Recipe,
    RunConfiguration,
    TrainingState,
    Watcher,
    evaluate,
    fit,
    load_checkpoint,
    save_checkpoint,
    take_checkpoint,
    warm_up,
)

Build = Callable[[], Module]


class StopError(Exception):
    """Ends a run where a test wants it to end."""


class StopAt(Watcher):
    """Ends a run after so many calls of any kind."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def _count(self, *values: Any) -> None:
        self.calls -= 1
        if not self.calls:
            raise StopError

    after_step = after_evaluated_batch = after_epoch = _count


def trained(build: Build, split: Split, recipe: Recipe) -> tuple[Module, TrainingState]:
    model = build()
    return model, fit(model, recipe.make_optimiser(model.parameters()), *split, recipe)


def untimed(state: TrainingState) -> list[tuple[Any, ...]]:
    return [(r.epoch, r.lr, *r.train, *r.test) for r in state.history]


def assert_same_weights(one: Module, other: Module) -> None:
    for name, array in one.state_dict().items():
        np.testing.assert_array_equal(array, other.state_dict()[name], strict=True)


def test_a_seeded_run_repeats_bit_for_bit(build: Build, split: Split, recipe: Recipe) -> None:
    first, state = trained(build, split, recipe)
    second, again = trained(build, split, recipe)
    assert_same_weights(first, second)
    assert untimed(state) == untimed(again)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("calls", [1, 3, 5, 6, 7, 8, 13, 20])
def test_a_run_stopped_anywhere_goes_on_as_if_it_never_was(
    optimiser: str,
    calls: int,
    build: Build,
    split: Split,
    recipe: Recipe,
    configuration: RunConfiguration,
    tmp_path: Path,
) -> None:
    # Of each seven calls five follow a step, one an evaluated batch and one the epoch.
    recipe = recipe.with_options(optimiser=optimiser)
    whole, expected = trained(build, split, recipe)
    model, state = build(), TrainingState()
    interrupted = recipe.make_optimiser(model.parameters())
    with pytest.raises(StopError):
        fit(model, interrupted, *split, recipe, state, StopAt(calls))
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, take_checkpoint(configuration, state, model, interrupted))

    tg.manual_seed(99)  # another process knows nothing of the first one's generator
    checkpoint = load_checkpoint(path)
    other = type(model)()
    fresh = recipe.make_optimiser(other.parameters())
    checkpoint.restore(other, fresh)
    found = fit(other, fresh, *split, recipe, checkpoint.state)
    assert_same_weights(whole, other)
    assert untimed(found) == untimed(expected)


def test_the_rate_follows_the_schedule(build: Build, split: Split, recipe: Recipe) -> None:
    model = build()
    optimiser = recipe.make_optimiser(model.parameters())
    rates = []

    class Note(Watcher):
        def after_step(self, state: TrainingState, loss: float) -> None:
            rates.append(optimiser.lr)

    fit(model, optimiser, *split, recipe, watcher=Note())
    steps = np.arange(15)
    np.testing.assert_allclose(rates, 0.02 * (1 + np.cos(np.pi * steps / 15)) / 2, rtol=1e-12)


def test_the_record_of_an_epoch_adds_up_its_batches(
    build: Build, split: Split, recipe: Recipe
) -> None:
    model = build()
    losses: list[float] = []

    class Note(Watcher):
        def after_step(self, state: TrainingState, loss: float) -> None:
            losses.append(loss)

    state = fit(model, recipe.make_optimiser(model.parameters()), *split, recipe, watcher=Note())
    record = state.history[0]
    assert record.train_loss == pytest.approx(np.mean(losses[:5]), rel=1e-12)
    assert (record.train_total, record.test_total) == (40, 12)
    assert [r.epoch for r in state.history] == [1, 2, 3]


def test_training_lowers_the_loss(build: Build, split: Split) -> None:
    recipe = Recipe("adam", lr=0.05, batch_size=10, epochs=60, schedule="cosine")
    _, state = trained(build, split, recipe)
    assert state.history[-1].train_loss < 0.1 * state.history[0].train_loss


def test_evaluate_agrees_with_arithmetic_written_out(build: Build, split: Split) -> None:
    model = build()
    weights = {name: array.astype(np.float64) for name, array in model.state_dict().items()}
    x = split.test.images.reshape(12, 36).astype(np.float64)
    hidden = 1 / (1 + np.exp(-(x @ weights["hidden.weight"].T + weights["hidden.bias"])))
    scores = hidden @ weights["output.weight"].T + weights["output.bias"]
    exponentials = np.exp(scores)
    shares = exponentials / exponentials.sum(axis=1, keepdims=True)
    loss = -np.log(shares[np.arange(12), split.test.labels]).mean()
    for batch_size in (1, 5, 12, 100):
        found = evaluate(model, split.test, batch_size)
        assert found.loss == pytest.approx(loss, rel=1e-5)
        assert (found.correct, found.total) == (
            (scores.argmax(axis=1) == split.test.labels).sum(), 12
        )  # fmt: skip


def test_evaluate_leaves_the_mode_as_it_was_and_records_nothing(build: Build, split: Split) -> None:
    model = build()
    for training in (True, False):
        model.train(training)
        evaluate(model, split.test)
        assert model.training is training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_warm_up_leaves_no_trace(build: Build, split: Split, recipe: Recipe) -> None:
    model = build()
    optimiser = recipe.make_optimiser(model.parameters())
    weights, memory = model.state_dict(), optimiser.state_dict()
    drawn = default_generator().bit_generator.state
    warm_up(model, optimiser, split.train, recipe.batch_size)
    assert default_generator().bit_generator.state == drawn
    for before, after in ((weights, model.state_dict()), (memory, optimiser.state_dict())):
        assert before.keys() == after.keys()
        for name in before:
            np.testing.assert_array_equal(before[name], after[name], strict=True)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_warm_up_that_is_interrupted_leaves_no_trace_either(
    calls: int, build: Build, split: Split, recipe: Recipe
) -> None:
    model = build()
    optimiser = recipe.make_optimiser(model.parameters())
    weights = model.state_dict()
    countdown = itertools.count(1)

    def check() -> None:
        if next(countdown) == calls:
            raise StopError

    with pytest.raises(StopError):
        warm_up(model, optimiser, split.train, recipe.batch_size, check)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, weights[name], strict=True)
    assert optimiser.steps == 0


def test_a_batch_larger_than_the_data_is_refused(build: Build, split: Split) -> None:
    recipe = Recipe("adam", lr=0.02, batch_size=41, epochs=1, schedule="cosine")
    with pytest.raises(OptionError, match=r"got a batch size of 41 for 40 images"):
        trained(build, split, recipe)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_a_loss_that_is_no_number_ends_the_run(build: Build, split: Split) -> None:
    model = build()
    model.load_state_dict({**model.state_dict(), "output.bias": np.array([np.nan, 0, 0])})
    recipe = Recipe("sgd", lr=0.1, batch_size=8, epochs=1, schedule="constant")
    with pytest.raises(DivergedError, match=r"got nan in step 1 of epoch 1 .* smaller lr"):
        fit(model, recipe.make_optimiser(model.parameters()), *split, recipe)


def test_an_image_without_an_answer_is_counted_neither_right_nor_wrong(
    build: Build, split: Split, recipe: Recipe
) -> None:
    images = split.test.images.copy()
    images[9, 0, 3, 3] = np.nan
    test = ArrayDataset(images, split.test.labels)
    model = build()
    with pytest.raises(NotFiniteError, match=r"evaluate: .* got NaN for image 9\."):
        evaluate(model, test, batch_size=4)
    with pytest.raises(DivergedError, match=r"got NaN after epoch 1 with learning rate 0\.02"):
        fit(model, recipe.make_optimiser(model.parameters()), split.train, test, recipe)


def test_an_evaluation_hands_out_its_scores(build: Build, split: Split) -> None:
    model, kept = build(), list[Any]()
    evaluate(model, split.test, batch_size=5, keep=kept)
    assert [len(scores) for scores in kept] == [5, 5, 2]
    with tg.no_grad():
        expected = model(tg.Tensor(split.test.images)).numpy()
    np.testing.assert_allclose(np.concatenate(kept), expected, rtol=1e-6, atol=1e-6)


def test_nothing_to_evaluate_on_is_refused(build: Build) -> None:
    empty = ArrayDataset(np.zeros((0, 1, 6, 6), np.float32), np.zeros(0, np.int64))
    with pytest.raises(OptionError, match="got an empty data set"):
        evaluate(build(), empty)

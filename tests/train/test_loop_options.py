"""What a recipe asks of the loop besides plain steps, one option at a time and all together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.data import ArrayDataset, Split
from tinygrad_cnn.errors import DivergedError, OptionError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.optim import EMA
from tinygrad_cnn.train import (
    BestWeights,
    Recipe,
    RunConfiguration,
    TrainingState,
    Watcher,
    evaluate,
    fit,
    hold_out,
    load_checkpoint,
    save_checkpoint,
    take_checkpoint,
)

Build = Callable[[], Module]
PLAIN = Recipe("sgd", lr=0.1, batch_size=8, epochs=3, schedule="constant")
CROPS = (("random-crop", {"padding": 1}), ("random-flip", {}))


def trained(
    build: Build, split: Split, recipe: Recipe, **options: Any
) -> tuple[Module, TrainingState]:
    model = build()
    optimiser = recipe.make_optimiser(model.parameters())
    return model, fit(model, optimiser, *split, recipe, **options)


def weights(model: Module) -> dict[str, np.ndarray]:
    return {name: array.astype(np.float64) for name, array in model.state_dict().items()}


class Snapshots(Watcher):
    """Copies the weights after each step, or each epoch."""

    def __init__(self, model: Module) -> None:
        self.model = model
        self.steps: list[dict[str, np.ndarray]] = []
        self.epochs: list[dict[str, np.ndarray]] = []

    def after_step(self, state: TrainingState, loss: float) -> None:
        self.steps.append(weights(self.model))

    def after_epoch(self, state: TrainingState) -> None:
        self.epochs.append(weights(self.model))


def snapshots(build: Build, split: Split, recipe: Recipe, **options: Any) -> Snapshots:
    model = build()
    watcher = Snapshots(model)
    optimiser = recipe.make_optimiser(model.parameters())
    fit(model, optimiser, *split, recipe, watcher=watcher, **options)
    return watcher


@pytest.mark.parametrize("parts", [2, 3, 8])
def test_parts_of_a_batch_add_up_to_its_gradient(parts: int, build: Build, split: Split) -> None:
    uneven = PLAIN.with_options(batch_size=9)  # the last of 40 images are a batch of four
    whole, state = trained(build, split, uneven)
    in_parts, other = trained(build, split, uneven.with_options(accumulate=parts))
    for name, array in weights(whole).items():
        np.testing.assert_allclose(weights(in_parts)[name], array, rtol=1e-4, atol=1e-6)
    for one, two in zip(state.history, other.history, strict=True):
        assert one.train_loss == pytest.approx(two.train_loss, rel=1e-5)
        assert one.train_total == two.train_total == 40


def test_clipping_bounds_the_length_of_a_step(build: Build, split: Split) -> None:
    before = weights(build())
    for found in snapshots(build, split, PLAIN.with_options(clip=0.01)).steps:
        squares = sum(np.square(found[name] - before[name]).sum() for name in before)
        assert np.sqrt(squares) <= 0.1 * 0.01 * (1 + 1e-3)  # rate times norm
        before = found


def test_the_average_of_the_weights_is_what_answers(build: Build, split: Split) -> None:
    recipe = PLAIN.with_options(average=0.8)
    steps = snapshots(build, split, recipe).steps
    expected = steps[0]
    for found in steps[1:]:
        expected = {name: 0.8 * expected[name] + 0.2 * found[name] for name in found}
    model, state = trained(build, split, recipe)
    for name, array in weights(model).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-7)
    assert evaluate(model, split.test) == state.history[-1].test


def test_training_ends_when_held_out_images_are_learnt_no_better(
    build: Build, split: Split
) -> None:
    standing = PLAIN.with_options(lr=1e-30, epochs=50, patience=2)
    learnt, held_out = hold_out(split.train, 0.25, seed=1)
    assert held_out is not None
    _, state = trained(build, Split(learnt, split.test), standing, held_out=held_out)
    assert (state.best_epoch, state.epoch, state.stopped) == (1, 3, True)
    assert state.history[-1].held_out_total == 10
    assert state.ends(50)


def test_the_weights_of_the_lowest_held_out_loss_are_kept(build: Build, split: Split) -> None:
    recipe = Recipe("sgd", lr=3.0, batch_size=8, epochs=12, schedule="constant", patience=3)
    learnt, held_out = hold_out(split.train, 0.25, seed=1)
    parts = Split(learnt, split.test)
    kept = snapshots(build, parts, recipe, held_out=held_out).epochs
    model, state = trained(build, parts, recipe, held_out=held_out)
    losses = [record.held_out_loss for record in state.history]
    assert state.best_epoch == 1 + int(np.argmin(losses))
    assert state.result == state.history[state.best_epoch - 1].test
    for name, array in weights(model).items():
        np.testing.assert_array_equal(array, kept[state.best_epoch - 1][name])


def test_patience_needs_something_to_wait_for(build: Build, split: Split) -> None:
    with pytest.raises(OptionError, match=r"waits for held-out images; got none"):
        trained(build, split, PLAIN.with_options(patience=2))


def test_each_group_of_parameters_keeps_to_the_schedule_from_its_own_rate(
    build: Build, split: Split
) -> None:
    model, rates = build(), []
    groups = [
        {"params": [p for name, p in model.named_parameters() if "weight" in name], "lr": 0.2},
        {"params": [p for name, p in model.named_parameters() if "bias" in name], "lr": 0.05},
    ]
    optimiser = tg.optim.SGD(groups, lr=0.1)

    class Note(Watcher):
        def after_step(self, state: TrainingState, loss: float) -> None:
            rates.append([group["lr"] for group in optimiser.param_groups])

    recipe = PLAIN.with_options(schedule="linear")
    fit(model, optimiser, *split, recipe, watcher=Note())
    falling = 1.0 - np.arange(15) / 15
    np.testing.assert_allclose(rates, np.outer(falling, [0.2, 0.05]), rtol=1e-12)


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_change_nothing(workers: int, build: Build, split: Split) -> None:
    recipe = PLAIN.with_options(augment=CROPS, shift=1)
    alone, _ = trained(build, split, recipe)
    helped, _ = trained(build, split, recipe.with_options(workers=workers))
    plain, _ = trained(build, split, recipe.with_options(augment=()))
    for name, array in weights(alone).items():
        np.testing.assert_array_equal(array, weights(helped)[name])
    assert any((weights(plain)[name] != array).any() for name, array in weights(alone).items())


def test_top_5_is_counted_where_there_are_more_classes(generator: np.random.Generator) -> None:
    images = generator.normal(size=(30, 8)).astype(np.float32)
    labels = generator.integers(0, 8, 30)
    dataset = ArrayDataset(images, labels)
    model = tg.nn.Linear(8, 8)
    ranked = np.argsort(-model(tg.Tensor(images)).numpy(), axis=1, kind="stable")
    expected = int((ranked[:, :5] == labels[:, None]).any(axis=1).sum())
    assert evaluate(model, dataset, batch_size=7).top5 == expected
    recipe = PLAIN.with_options(epochs=1, lr=1e-30)
    optimiser = recipe.make_optimiser(model.parameters())
    record = fit(model, optimiser, dataset, dataset, recipe).history[0]
    assert (record.train_top5, record.test_top5) == (expected, expected)


def test_top_5_is_not_told_of_five_classes(build: Build, split: Split) -> None:
    assert evaluate(build(), split.test).top5 is None


# -- values that are no numbers ----------------------------------------------------------


def poisoned(build: Build) -> Module:
    model = build()
    weight = model.state_dict()["output.weight"]
    weight[1, 2] = np.inf
    model.load_state_dict({**model.state_dict(), "output.weight": weight})
    return model


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("watch", [False, True])
@pytest.mark.parametrize("parts", [1, 3])
def test_the_first_bad_value_is_named(watch: bool, parts: int, build: Build, split: Split) -> None:
    recipe = PLAIN.with_options(accumulate=parts)
    model = poisoned(build)
    optimiser = recipe.make_optimiser(model.parameters())
    told = r"step 1 of epoch 1 .* It began here: .* of affine in output .* computed from .* weight"
    with pytest.raises(DivergedError, match=told):
        fit(model, optimiser, *split, recipe, watch=watch)


def test_watching_changes_nothing(build: Build, split: Split) -> None:
    one, _ = trained(build, split, PLAIN)
    two, _ = trained(build, split, PLAIN, watch=True)
    for name, array in weights(one).items():
        np.testing.assert_array_equal(array, weights(two)[name])


# -- all together ------------------------------------------------------------------------


class StopError(Exception):
    """Ends a run where a test wants it to end."""


@pytest.mark.parametrize("calls", [1, 4, 5, 6, 11, 12, 17, 18])
def test_a_run_with_everything_goes_on_as_if_it_had_never_stopped(
    calls: int, build: Build, split: Split, configuration: RunConfiguration, tmp_path: Path
) -> None:
    recipe = Recipe(
        "adamw", 0.02, 8, 5, "one-cycle", shift=1, weight_decay=0.1, augment=CROPS, accumulate=3,
        clip=1.0, average=0.9, patience=2, workers=2, optimiser_options={"amsgrad": True},
    )  # fmt: skip
    learnt, held_out = hold_out(split.train, 0.1, seed=7)
    configuration = RunConfiguration("small", "few", recipe, 7)

    class Stop(Watcher):
        left = calls

        def after_step(self, *values: Any) -> None:
            self.left -= 1
            if not self.left:
                raise StopError

        after_epoch = after_step

    def start(model: Module, state: TrainingState, watcher: Watcher | None) -> Any:
        optimiser = recipe.make_optimiser(model.parameters())
        parts = (model, optimiser, EMA(model, 0.9), BestWeights(model))

        def go() -> TrainingState:
            return fit(
                *parts[:2], learnt, split.test, recipe, state, watcher,
                held_out=held_out, average=parts[2], best=parts[3],
            )  # fmt: skip

        return parts, go

    whole, go = start(build(), TrainingState(), None)
    expected = go()
    state = TrainingState()
    parts, go = start(build(), state, Stop())
    with pytest.raises(StopError):
        go()
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, take_checkpoint(configuration, state, *parts))

    tg.manual_seed(99)
    checkpoint = load_checkpoint(path)
    parts, go = start(type(parts[0])(), checkpoint.state, None)
    checkpoint.restore(*parts)
    found = go()
    assert (found.epoch, found.best_epoch) == (expected.epoch, expected.best_epoch)
    for one, two in zip(whole, parts, strict=True):
        for name, array in one.state_dict().items():
            np.testing.assert_array_equal(array, two.state_dict()[name], strict=True)

    save_checkpoint(path, take_checkpoint(configuration, found, *parts))
    loaded = build()
    load_checkpoint(path).load_into(loaded)
    for name, array in weights(parts[0]).items():
        np.testing.assert_array_equal(array, weights(loaded)[name])

"""Mistakes of training steps, read off what changed."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError
from tinygrad_cnn.explain import diagnose_training, diagnose_updates, fault
from tinygrad_cnn.optim import SGD, Adam


def training(optimiser_of: Any = None, dtype: str = "float32", ends_clean: bool = False) -> Any:
    rng = np.random.default_rng(0)
    w = tg.Tensor(rng.normal(size=(4, 6)), dtype=dtype, requires_grad=True, name="w")
    b = tg.Tensor(rng.normal(size=4), dtype=dtype, requires_grad=True, name="b")
    batches = [
        (tg.Tensor(rng.normal(size=(8, 6)), dtype=dtype), rng.integers(0, 4, 8)) for _ in range(5)
    ]
    make = optimiser_of or (lambda p: SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01))
    optimiser, count = make([w, b]), iter(batches)

    def step() -> None:
        images, labels = next(count)
        if not ends_clean:
            optimiser.zero_grad()
        F.cross_entropy(F.linear(images, w, b), labels).backward()
        optimiser.step()
        if ends_clean:
            optimiser.zero_grad()

    return step, [w, b]


STEPS = ("zero_grad_left_out", "momentum_sign_turned", "weight_decay_sign_turned", "step_uphill")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", STEPS)
def test_each_mistake_is_named(name: str, dtype: str) -> None:
    with fault(name):
        found = diagnose_training(*training(dtype=dtype))
    assert found.fault == name, str(found)
    assert len(found.candidates) == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: SGD(p, lr=0.1), "rate 0.1, momentum 0, weight decay 0"),
        (lambda p: SGD(p, lr=0.02, momentum=0.5), "rate 0.02, momentum 0.5, weight decay 0"),
        (lambda p: SGD(p, lr=0.1, weight_decay=0.05), "rate 0.1, momentum 0, weight decay 0.05"),
        (lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True), "the updates are not those"),
        (lambda p: Adam(p, lr=0.01), "the updates are not those of SGD"),
    ],
)
@pytest.mark.parametrize("ends_clean", [False, True])
def test_right_steps_are_called_right(make: Any, words: str, ends_clean: bool) -> None:
    found = diagnose_training(*training(make, "float64", ends_clean))
    assert not found.found, str(found)
    assert words in str(found)


def test_momentum_of_one_and_kept_gradients_are_the_same_updates() -> None:
    rng = np.random.default_rng(0)
    g = [rng.normal(size=(3, 4)) for _ in range(4)]
    start = rng.normal(size=(3, 4))
    kept, velocity, rolled, total = [start], np.zeros((3, 4)), [start], np.zeros((3, 4))
    for each in g:
        total = total + each
        velocity = velocity + each
        kept.append(kept[-1] - 0.1 * total)
        rolled.append(rolled[-1] - 0.1 * velocity)
    np.testing.assert_allclose(kept, rolled)
    found = diagnose_updates({"w": kept}, {"w": g})
    assert found.fault == "zero_grad_left_out"
    assert "every gradient counts for ever" in str(found)


UPDATES: dict[str, tuple[float, float, float, str | None]] = {
    "right": (0.1, 0.9, 0.01, None),
    "plain": (0.1, 0.0, 0.0, None),
    "uphill": (-0.1, 0.5, 0.01, "step_uphill"),
    "momentum": (0.1, -0.5, 0.0, "momentum_sign_turned"),
    "decay": (0.1, 0.5, -0.01, "weight_decay_sign_turned"),
}


@pytest.mark.parametrize(("rate", "momentum", "decay", "name"), UPDATES.values(), ids=UPDATES)
def test_updates_of_another_program(
    rate: float, momentum: float, decay: float, name: str | None
) -> None:
    rng = np.random.default_rng(1)
    g = [rng.normal(size=(5, 4)) for _ in range(3)]
    places, velocity = [rng.normal(size=(5, 4))], np.zeros((5, 4))
    for each in g:
        velocity = momentum * velocity + each + decay * places[-1]
        places.append(places[-1] - rate * velocity)
    assert diagnose_updates({"w": places}, {"w": g}).fault == name


W, G = [np.ones(9) * k for k in range(4)], [np.ones(9)] * 3
REFUSED: dict[str, tuple[Any, Any, str]] = {
    "function": (lambda: diagnose_training(3, []), DTypeError, "step is a function.*int"),
    "array": (lambda: diagnose_training(print, [1.0]), DTypeError, "are Tensors; got float"),
    "nothing": (
        lambda: diagnose_training(lambda: None, [tg.Tensor([1.0])]),
        OptionError, "changed none of 1",
    ),
    "names": (lambda: diagnose_updates({"w": W}, {"v": G}), OptionError, "got w and v"),
    "none": (lambda: diagnose_updates({}, {}), OptionError, "got none and none"),
    "steps": (lambda: diagnose_updates({"w": W[:2]}, {"w": G[:1]}), OptionError, "2 values and 1"),
    "shapes": (
        lambda: diagnose_updates({"w": W}, {"w": [np.ones(3)] * 3}), ShapeError, "one shape"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_judged_is_refused(call: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        call()

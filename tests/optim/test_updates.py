"""Every optimiser, step by step over 100 steps: what its equations say, and what PyTorch does."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.optim import Optimiser

STEPS = 100
SHAPES = ((), (7,), (3, 4), (2, 3, 3, 3), (0, 2))
OPTIONS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "dampening": 0.3}),  # of no effect without momentum
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.1}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.005, "alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1}),
    ("RMSprop", {"momentum": 0.9}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01, "amsgrad": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True}),
]
both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64])
every_row = pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)

# Rounding enters each step once or a few times, and steps are of the size of the parameters.
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}

Start = list[np.ndarray]
Gradients = list[list[np.ndarray | None]]


def task(dtype: Any) -> tuple[Start, Gradients]:
    """Return parameters, and for each step their gradients.

    One has no gradient ever, one only from the 30th step on, one in every third step.
    """
    generator = np.random.default_rng(7)
    start = [np.asarray(generator.normal(size=shape), dtype) for shape in SHAPES]
    start.append(np.ones(3, dtype))

    def given(position: int, step: int) -> bool:
        return position < 5 and (position != 2 or step >= 30) and (position != 3 or step % 3 == 1)

    gradients: Gradients = [
        [
            np.asarray(generator.normal(0.3, 1.0, array.shape), dtype) if given(k, step) else None
            for k, array in enumerate(start)
        ]
        for step in range(STEPS)
    ]
    return start, gradients


def ours(name: str, options: dict, start: Start, gradients: Gradients) -> list[Start]:
    parameters = [tg.Tensor(array, requires_grad=True) for array in start]
    optimiser = getattr(tg.optim, name)(parameters, **options)
    path = []
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = None if gradient is None else tg.Tensor(gradient)
        optimiser.step()
        path.append([parameter.numpy().copy() for parameter in parameters])
    return path


def theirs(name: str, options: dict, start: Start, gradients: Gradients) -> list[Start]:
    torch = pytest.importorskip("torch")
    parameters = [torch.tensor(array, requires_grad=True) for array in start]
    optimiser = getattr(torch.optim, name)(parameters, **options)
    path = []
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = None if gradient is None else torch.from_numpy(np.array(gradient))
        optimiser.step()
        path.append([parameter.detach().numpy().copy() for parameter in parameters])
    return path


def closed_sum(weights: np.ndarray, values: list[np.ndarray]) -> np.ndarray:
    return sum(w * v for w, v in zip(weights, values, strict=True))


def expected(name: str, options: dict, start: Start, gradients: Gradients) -> list[Start]:
    """Follow the equations in float64, each mean as the weighted sum that it stands for."""
    after = [np.array(array, np.float64) for array in start]
    seen: list[list[np.ndarray]] = [[] for _ in start]  # all g of a parameter
    other: list[list[np.ndarray]] = [[] for _ in start]  # Adadelta's and RMSprop's steps
    path = []
    for step in gradients:
        for k, gradient in enumerate(step):
            if gradient is not None:
                after[k] = UPDATES[name](options, after[k], gradient, seen[k], other[k])
        path.append([array.copy() for array in after])
    return path


def mean_weights(keep: float, count: int) -> np.ndarray:
    return (1 - keep) * keep ** np.arange(count - 1, -1, -1.0)


def with_decay(options: dict, theta: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    return gradient.astype(np.float64) + options.get("weight_decay", 0.0) * theta


def sgd(options, theta, gradient, seen, other):
    g = with_decay(options, theta, gradient)
    seen.append(g)
    momentum = options.get("momentum", 0.0)
    if not momentum:
        return theta - options["lr"] * g
    weights = (1 - options.get("dampening", 0.0)) * momentum ** np.arange(len(seen) - 1, -1, -1.0)
    weights[0] = momentum ** (len(seen) - 1.0)
    v = closed_sum(weights, seen)
    return theta - options["lr"] * (g + momentum * v if options.get("nesterov") else v)


def adagrad(options, theta, gradient, seen, other):
    g = with_decay(options, theta, gradient)
    seen.append(g)
    total = options.get("initial_accumulator_value", 0.0) + sum(each**2 for each in seen)
    rate = options.get("lr", 0.01) / (1 + (len(seen) - 1) * options.get("lr_decay", 0.0))
    return theta - rate * g / (np.sqrt(total) + options.get("eps", 1e-10))


def adadelta(options, theta, gradient, seen, other):
    g = with_decay(options, theta, gradient)
    seen.append(g)
    rho, eps = options.get("rho", 0.9), options.get("eps", 1e-6)
    square = closed_sum(mean_weights(rho, len(seen)), [each**2 for each in seen])
    change = closed_sum(mean_weights(rho, len(other)), [each**2 for each in other])
    delta = np.sqrt((change + eps) / (square + eps)) * g
    other.append(delta)
    return theta - options.get("lr", 1.0) * delta


def rmsprop(options, theta, gradient, seen, other):
    g = with_decay(options, theta, gradient)
    seen.append(g)
    weights = mean_weights(options.get("alpha", 0.99), len(seen))
    variance = closed_sum(weights, [each**2 for each in seen])
    if options.get("centered"):
        variance = variance - closed_sum(weights, seen) ** 2
    other.append(g / (np.sqrt(variance) + options.get("eps", 1e-8)))
    kept = options.get("momentum", 0.0) ** np.arange(len(other) - 1, -1, -1.0)
    return theta - options.get("lr", 0.01) * closed_sum(kept, other)


def adam(options, theta, gradient, seen, other, decoupled=False):
    rate, decay = options.get("lr", 0.001), options.get("weight_decay", 0.01)
    g = gradient.astype(np.float64) if decoupled else with_decay(options, theta, gradient)
    seen.append(g)
    betas, count = options.get("betas", (0.9, 0.999)), len(seen)
    mean = closed_sum(mean_weights(betas[0], count), seen)
    other.append(closed_sum(mean_weights(betas[1], count), [each**2 for each in seen]))
    square = np.max(other, axis=0) if options.get("amsgrad") else other[-1]
    step = mean / (1 - betas[0] ** count)
    step = step / (np.sqrt(square / (1 - betas[1] ** count)) + options.get("eps", 1e-8))
    return (theta - rate * decay * theta if decoupled else theta) - rate * step


def adamw(options, theta, gradient, seen, other):
    return adam(options, theta, gradient, seen, other, decoupled=True)


UPDATES = {
    "SGD": sgd,
    "Adagrad": adagrad,
    "Adadelta": adadelta,
    "RMSprop": rmsprop,
    "Adam": adam,
    "AdamW": adamw,
}


def require_equal_paths(path: list[Start], wanted: list[Start], dtype: Any) -> None:
    for step, (found, want) in enumerate(zip(path, wanted, strict=True)):
        for array, other in zip(found, want, strict=True):
            limit = TOLERANCE[dtype] * max(1.0, np.abs(other).max(initial=0.0))
            np.testing.assert_allclose(array, other, rtol=0, atol=limit, err_msg=f"step {step}")


@every_row
@both_types
def test_each_step_is_what_the_equations_say(name: str, options: dict, dtype: Any) -> None:
    given = task(dtype)
    require_equal_paths(ours(name, options, *given), expected(name, options, *given), dtype)


@pytest.mark.parity
@every_row
@both_types
def test_each_step_is_that_of_pytorch(name: str, options: dict, dtype: Any) -> None:
    given = task(dtype)
    require_equal_paths(ours(name, options, *given), theirs(name, options, *given), dtype)


def test_every_optimiser_has_rows() -> None:
    kinds = [getattr(tg.optim, name) for name in tg.optim.__all__]
    optimisers = {k.__name__ for k in kinds if isinstance(k, type) and issubclass(k, Optimiser)}
    assert optimisers == {name for name, _ in OPTIONS} | {"Optimiser"}


def test_a_variance_that_rounding_makes_negative_counts_as_nothing() -> None:
    w = tg.Tensor([1.0], requires_grad=True)
    optimiser = tg.optim.RMSprop([w], lr=1e-9, alpha=0.1, centered=True)
    for _ in range(200):
        w.grad = tg.Tensor([0.3])
        optimiser.step()
    assert np.isfinite(w.item())

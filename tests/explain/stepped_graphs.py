"""Graphs that are stepped through: every kind of fan-in, twins of networks."""

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import models
from tinygrad_cnn.explain import Stepper, step

Leaves = dict[str, Any]
Build = Callable[[], tuple[Leaves, Any]]


def leaf(name: str, *shape: int, seed: int = 0) -> tg.Tensor:
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return tg.Tensor(values, requires_grad=True, name=name)


# -- small graphs that have every kind of fan-in -------------------------------------------


def diamond() -> tuple[Leaves, Any]:
    x = leaf("x", 3, 4)
    h = tg.name(x.tanh(), "h")
    return {"x": x}, (h.exp() + h * 2.0 + h.sigmoid()).sum()


def read_twice_by_one_element() -> tuple[Leaves, Any]:
    x, w = leaf("x", 5), leaf("w", 5, seed=1)
    h = x * w
    return {"x": x, "w": w}, (h * h * x).mean()


def residual_chain() -> tuple[Leaves, Any]:
    x, w = leaf("x", 2, 2, 5, 5), leaf("w", 2, 2, 3, 3, seed=1)
    h = x
    for _ in range(3):
        h = F.conv2d(h, w, padding=1).relu() + h
    return {"x": x, "w": w}, (h * h).mean()


def retained_and_hooked() -> tuple[Leaves, Any]:
    x = leaf("x", 4)
    h = tg.name(x.exp(), "h").retain_grad()
    h.register_hook(lambda signal: signal * 3.0)
    x.register_hook(lambda signal: signal * 0.1)
    return {"x": x, "h": h}, (h * h + x).sum()


def scalars_and_tensors() -> tuple[Leaves, Any]:
    x, s = leaf("x", 3), tg.Scalar(0.7, requires_grad=True, name="s")
    first, second, _ = (x * 2.0).scalars()
    return {"x": x, "s": s}, first * second * s + s.exp() * first


def recomputed() -> tuple[Leaves, Any]:
    x = leaf("x", 6)
    h = tg.checkpoint(lambda z: F.dropout(z.sigmoid() * z, 0.5), x)
    return {"x": x}, (h + x).sum()


def joined() -> tuple[Leaves, Any]:
    x = leaf("x", 2, 3)
    h = tg.concatenate([x, x.relu(), x * x], 1)
    return {"x": x}, (tg.concatenate([h, h], 0) * 0.5).sum()


def from_an_error_signal_of_its_own() -> tuple[Leaves, Any]:
    x = leaf("x", 2, 3)
    return {"x": x}, x.sigmoid() * x


GRAPHS: dict[str, Build] = {
    build.__name__: build
    for build in (
        diamond, read_twice_by_one_element, residual_chain, retained_and_hooked,
        scalars_and_tensors, recomputed, joined, from_an_error_signal_of_its_own,
    )
}  # fmt: skip


def network(name: str) -> tuple[Leaves, Any]:
    row = models.find(name)
    tg.manual_seed(3)
    made = row.build_twin()
    images = np.random.default_rng(1).normal(size=(2, *row.twin_input)).astype(np.float32)
    x = tg.Tensor(images, requires_grad=True, name="x")
    return {"x": x, **dict(made.named_parameters())}, row.loss(made(x), np.array([1, 0]))


def seed_of(result: Any) -> Any:
    return None if result.shape == () else tg.Tensor(np.full(result.shape, 0.3, np.float32))


def bits(leaves: Leaves) -> dict[str, tuple[bytes, int]]:
    return {
        name: (np.asarray(each.grad._value).tobytes(), each.grad_passes)
        for name, each in leaves.items()
        if each.grad is not None
    }


def by_backward(build: Build) -> dict[str, tuple[bytes, int]]:
    tg.manual_seed(5)
    leaves, result = build()
    result.backward(seed_of(result))
    return bits(leaves)


def stepping(build: Build) -> tuple[Leaves, Stepper]:
    tg.manual_seed(5)
    leaves, result = build()
    return leaves, step(result, seed_of(result))

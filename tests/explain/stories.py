"""Runs whose stories are kept as golden files; `python stories.py` writes them anew."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F

GOLDEN = Path(__file__).parent / "golden"


def neuron() -> str:
    """Sigmoid ∘ affine on plain numbers."""
    x, y = tg.Scalar(2.0), tg.Scalar(1.0)
    w = tg.Scalar(0.5, requires_grad=True, name="w")
    b = tg.Scalar(-1.5, requires_grad=True, name="b")
    with tg.explain.record():
        loss = F.squared_error(F.sigmoid(F.affine(x, w, b)), y)
        loss.backward()
    return tg.explain.story(loss)


def before_backward() -> str:
    """The same values, but no walk back has been made."""
    x = tg.Tensor([1.0, -2.0, 0.0], requires_grad=True)
    with tg.explain.record():
        loss = (x.relu() * 3.0).sum()
    return tg.explain.story(loss)


def not_recorded() -> str:
    """Structure only."""
    x = tg.Tensor([1.0, -2.0, 0.0], requires_grad=True)
    return tg.explain.story((x.relu() * 3.0).sum())


def two_passes() -> str:
    """A gradient that adds up two walks."""
    x = tg.Tensor([1.0, -2.0], requires_grad=True, name="x")
    with tg.explain.record():
        loss = (x * x).sum()
        loss.backward(retain_graph=True)
        loss.backward()
    return tg.explain.story(loss)


def _lenet5(**options: str) -> str:
    tg.manual_seed(0)
    model = tg.models.build("lenet5", **options)
    test = tg.data.load("digits").test
    with tg.explain.record():
        loss = F.cross_entropy(model(tg.Tensor(test.images[:4])), test.labels[:4])
        loss.backward()
    return tg.explain.story(loss)


def lenet5() -> str:
    """LeNet-5 as it is taught."""
    return _lenet5()


def lenet5_sigmoid_after_conv() -> str:
    """Its literal form: three affine elements in a row."""
    return _lenet5(sigmoid_after="conv")


def lenet5_original() -> str:
    """LeNet-5 of 1998."""
    return _lenet5(variant="original")


def residual() -> str:
    """A fan-in: two error signals reach one value."""
    x = tg.Tensor(np.arange(4.0), requires_grad=True, name="x")
    with tg.explain.record():
        h = x * 2.0
        loss = (h.tanh() + h).sum()
        loss.backward()
    return tg.explain.story(loss)


STORIES: tuple[Callable[[], str], ...] = (
    neuron,
    before_backward,
    not_recorded,
    two_passes,
    residual,
    lenet5,
    lenet5_sigmoid_after_conv,
    lenet5_original,
)

if __name__ == "__main__":
    for run in STORIES:
        (GOLDEN / f"{run.__name__}.txt").write_text(run() + "\n", encoding="utf-8")

"""Runs that renderers are tested on: twins without memory, and small recorded ones."""

from collections.abc import Callable
from functools import cache

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import models, nn
from tinygrad_cnn.explain import GraphDump, dump, record


@cache
def structure(name: str, twin: bool = True) -> GraphDump:
    """The structure of a network: shapes alone."""
    row = models.find(name)
    with nn.without_memory():
        network = row.build_twin() if twin else row.build(allocate=False)
    shape = row.twin_input if twin else row.input_shape
    with record():
        scores = network(tg.zeros(2, *shape, device="shapes"))
        first, *others = scores if isinstance(scores, tuple) else (scores,)
        loss = first.sum()
        for each in others:
            loss = loss + each.sum()
    return dump(loss, name)


def small_network() -> GraphDump:
    """A recorded run of LeNet-5's twin."""
    row = models.find("lenet5")
    tg.random.manual_seed(0)
    network = row.build_twin()
    images = np.random.default_rng(1).normal(size=(3, *row.twin_input))
    with record():
        loss = row.loss(network(tg.Tensor(images, dtype=np.float32)), np.array([0, 1, 0]))
        loss.backward()
    return dump(loss, "LeNet-5 & its twin <small>")


def neuron(weight: float = 0.5, decay: float = 0.1) -> GraphDump:
    """A neuron on plain numbers, with a weight that enters three times."""
    w = tg.Scalar(weight, requires_grad=True, name="w")
    b = tg.Scalar(-1.5, requires_grad=True, name="b")
    x, t = tg.Scalar(2.0, name="x"), tg.Scalar(1.0, name="t")
    with record():
        loss = F.squared_error((w * x + b).sigmoid(), t) + w * w * decay
        loss.backward()
    return dump(loss)


def nothing_wanted() -> GraphDump:
    """A run without gradients."""
    with record(), tg.no_grad():
        return dump(tg.Tensor([1.0, 2.0]).exp().sum())


def not_finite() -> GraphDump:
    """Infinite figures, in both directions."""
    x = tg.Tensor([1e30, -np.inf, 0.0], requires_grad=True, dtype=np.float32)
    with record():
        y = (x * x).sum()
        y.backward()
    return dump(y)


def begun_late() -> GraphDump:
    """A value that was computed before the recording began."""
    before = tg.Tensor([1.0, 2.0], requires_grad=True, name='a "name"\\ \n|') * 2.0
    with record():
        y = (before * before).sum()
        y.backward()
    return dump(y, '"quoted" \\ <title> & | 100 % {δ_1} #')


def foreign() -> GraphDump:
    """What another framework could write: few facts, in its own words."""
    value = {
        "name": None, "role": "made", "shape": [2, 3], "dtype": "torch.float32",
        "device": "cuda:0", "requires_grad": True, "passes": 0, "forward": None,
        "number": None, "signal": None,
    }  # fmt: skip
    rule = {
        "inputs": ["input"], "outputs": ["output"], "forward": "aten::gelu({input})",
        "backward": {}, "latex": "", "latex_backward": {},
    }  # fmt: skip
    nothing = {"multiply_adds": 0, "bytes": 0}
    element = {
        "name": "GeluBackward0", "scope": "blocks[0]", "options": {"approximate": None},
        "rule": 0, "convention": "", "cost": {"forward": nothing, "gradients": {}},
        "source": None, "forward": {"seconds": 0.0, "kernels": []}, "backward": None,
        "outgoing": None, "incoming": None, "passes": 0,
    }  # fmt: skip
    figures = {"norm": 2.0, "least": -1.0, "largest": "inf", "zeros": 0.0}
    return GraphDump.from_json(
        {
            "format": "tinygrad_cnn graph", "version": 1, "library": "torch", "title": "",
            "recorded": True, "result": 2, "rules": [rule], "fan_ins": [],
            "values": [{**value, "role": "constant"}, {**value, "forward": figures}, value],
            "elements": [
                {**element, "number": 1, "inputs": [0], "outputs": [1]},
                {**element, "number": 2, "inputs": [1], "outputs": [2]},
            ],
        }
    )  # fmt: skip


RUNS: dict[str, Callable[[], GraphDump]] = {
    run.__name__: run
    for run in (small_network, neuron, nothing_wanted, not_finite, begun_late, foreign)
}

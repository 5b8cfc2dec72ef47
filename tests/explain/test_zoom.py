"""Zoom: a number of a tensor element as scalars; both granularities agree, or it is said."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import (
    GraphError,
    KernelMismatchError,
    OptionError,
    ShapeError,
    UnknownNameError,
)
from tinygrad_cnn.explain import Zoom, record, zoom
from tinygrad_cnn.explain.derivation.chain import Chain
from tinygrad_cnn.kernels import registry

from .derivation_cases import ROWS, Row, run


def checked(loss: Any, name: str, index: tuple[int, ...]) -> Zoom | None:
    """Expand a number and check it; None of a constant."""
    try:
        return zoom(loss, name, index).check()
    except GraphError as error:
        assert "whatever they are" in str(error)  # noqa: PT017
        return None


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_values_and_gradients_are_the_same_as_scalars(row: Row) -> None:
    loss, given = run(row)
    graph = tg.explain.dump(loss)
    step = next(step for step in graph.steps if step.name == row.elements[0])
    shape = step.outputs[0].shape
    name = Chain(graph).names[step.outputs[0].key]
    generator = np.random.default_rng(2)
    for _ in range(3):
        index = tuple(int(generator.integers(size)) for size in shape)
        checked(loss, name, index)
    for tensor in given:
        index = tuple(int(generator.integers(size)) for size in tensor.shape)
        expanded = checked(loss, tensor.name, index)
        assert expanded is None or expanded.recorded == tensor.grad.numpy()[index]


def layer() -> tg.Tensor:
    generator = np.random.default_rng(0)
    x = tg.Tensor(generator.normal(size=(2, 2, 5, 5)), requires_grad=True, name="x")
    w = tg.Tensor(generator.normal(size=(3, 2, 3, 3)), requires_grad=True, name="w")
    with record(keep="arrays"):
        loss = F.sigmoid(F.conv2d(x, w, padding=1)).sum()
        loss.backward()
    return loss


def test_what_is_printed() -> None:
    expanded = zoom(layer(), "conv2d", (0, 1, 0, 0))
    lines = expanded.text().splitlines()
    assert lines[0] == "conv2d[0,1,0,0] of conv2d, as 15 scalar elements"
    assert lines[2] == "  conv2d[0,1,0,0] = Σ_{c<2, u<3, v<3} w[1,c,u,v]·x[0,c,u-1,v-1]"
    assert lines[-1] == "16 partial derivatives, all agree"
    assert "multiply" in expanded.story()
    assert "composite function of 15 elements" in expanded.story()


@pytest.mark.parametrize("ties", ["first", "last", "split", "all"])
def test_ties_are_broken_as_the_element_breaks_them(ties: str) -> None:
    x = tg.Tensor([[[[1.0, 3.0], [3.0, 3.0]]]], requires_grad=True, name="x")
    with record(keep="arrays"):
        loss = F.max_pool2d(x, 2, ties=ties).sum()
        loss.backward()
    expanded = zoom(loss, "max_pool2d" + "_shared" * (ties in ("split", "all")), (0, 0, 0, 0))
    expanded.check()
    assert len(expanded.partials) == 4


def test_a_wrong_kernel_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = layer()
    known = {kernel.variant: kernel for kernel in registry.variants("conv2d_grad_input")}
    monkeypatch.setitem(registry._KERNELS, ("conv2d_grad_input", "cpu"), known)

    @registry.implements("conv2d_grad_input", device="cpu", variant="wrong", rank=99)
    def wrong(grad: Any, weight: Any, window: Any, out: Any) -> None:
        known["reference"].function(grad, weight, window, out)
        out[-1, -1, -1, -1] += 0.01  # far from the pixels that take part

    with tg.kernels.use(conv2d_grad_input="wrong"):
        expanded = zoom(loss, "conv2d", (0, 1, 2, 2))
    assert "DISAGREE" in expanded.text()
    assert [wrong.name for wrong in expanded.disagreements()] == ["x[1,1,4,4]"]
    with pytest.raises(KernelMismatchError, match=r"got 0.01 from conv2d where scalars give"):
        expanded.check()
    registry._answers.clear()


def test_wrong_statistics_of_a_batch_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A normalised number depends on all others of its channel: tensors have to say so too."""
    loss, _ = run(ROWS["batch norm"])
    assert len(zoom(loss, "batch_norm", (1, 2, 0, 1)).check().partials) == 18 + 2
    known = {kernel.variant: kernel for kernel in registry.variants("batch_norm_grad_sums")}
    monkeypatch.setitem(registry._KERNELS, ("batch_norm_grad_sums", "cpu"), known)

    @registry.implements("batch_norm_grad_sums", device="cpu", variant="wrong", rank=99)
    def wrong(*arguments: Any) -> None:
        known["reference"].function(*arguments)
        arguments[-1][2] += 0.25  # Σ δ, which each of the channel loses its share of

    with tg.kernels.use(batch_norm_grad_sums="wrong"):
        expanded = zoom(loss, "batch_norm", (1, 2, 0, 1))
    assert len(expanded.disagreements()) == 18 + 1  # all values, and the bias
    registry._answers.clear()


class Recurrent(tg.nn.Module):
    """One matrix, read twice, and the second time of what it made itself."""

    def __init__(self) -> None:
        super().__init__()
        self.step = tg.nn.Linear(3, 3)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        h = F.affine(x, self.step.weight, self.step.bias, activation="tanh")
        return F.affine(h, self.step.weight, self.step.bias, activation="tanh")


def test_a_weight_that_is_read_twice_has_the_sum_of_both() -> None:
    tg.manual_seed(0)
    network = Recurrent()
    x = tg.Tensor([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5]], requires_grad=True, name="x")
    with record(keep="arrays"):
        loss = network(x).sum()
        loss.backward()
    expanded = zoom(loss, "step.weight", (1, 2)).check()
    assert expanded.label == "affine_tanh, affine_tanh"
    assert expanded.recorded == network.step.weight.grad.numpy()[1, 2]
    assert "δ(L)" not in {p.name for p in expanded.partials}
    assert {"x[0,2]", "affine_tanh#1[0,2]", "step.weight[1,0]"} <= {
        p.name for p in expanded.partials
    }
    assert len(zoom(loss, "step.bias", 1).check().partials) > 4


def test_an_error_signal_is_the_sum_of_what_came() -> None:
    x = tg.Tensor([0.5, -1.0], requires_grad=True, name="x")
    with record(keep="arrays"):
        h = x * 2.0
        loss = (h.tanh() + h * h).sum()
        loss.backward()
    expanded = zoom(loss, "δ(multiply#1)", 1).check()
    assert expanded.label == "tanh, multiply"
    assert expanded.name == "δ(multiply#1)[1]"
    assert expanded.scalar == pytest.approx(1 - np.tanh(-2.0) ** 2 - 4.0)
    assert zoom(loss, "multiply#1", 1).check().scalar == -2.0


def test_dropout_keeps_the_mask_that_was_drawn() -> None:
    loss, (x,) = run(ROWS["dropout"])
    gradient, slopes = x.grad.numpy(), set()
    for index in np.ndindex(x.shape):
        (by_value,) = zoom(loss, "dropout", index).check().partials
        assert (by_value.scalar != 0) == (gradient[index] != 0)
        slopes.add(by_value.scalar)
        assert zoom(loss, "a", index).check().recorded == gradient[index]
    assert slopes == {0.0, 2.0}


def twice() -> tg.Tensor:
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    with record(keep="arrays"):
        loss = (x * x + x).sum()
        loss.backward()
    return loss


def checkpointed() -> tg.Tensor:
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    with record(keep="arrays"):
        loss = tg.checkpoint(lambda x: x.exp(), x).sum()
        loss.backward()
    return loss


def large() -> tg.Tensor:
    x = tg.Tensor(np.ones((3, 1, 100, 100), np.float32), name="x")
    w = tg.Tensor(np.ones((1, 1, 3, 3), np.float32), requires_grad=True, name="w")
    with record(keep="arrays"):
        loss = F.conv2d(x, w).sum()
        loss.backward()
    return loss


REFUSALS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "another name": (
        lambda: zoom(layer(), "conv"),
        UnknownNameError,
        "zoom: the known names are x, w, .*got 'conv'",
    ),
    "an index too far": (
        lambda: zoom(layer(), "w", (3, 0, 0, 0)),
        ShapeError,
        r"zoom: an index of w, shape \(3, 2, 3, 3\).*got \(3, 0, 0, 0\)",
    ),
    "a function run again": (
        lambda: zoom(checkpointed(), "x", 0),
        OptionError,
        "got checkpoint, which has none: it runs a function again .* without tg.checkpoint",
    ),
    "too many terms": (
        lambda: zoom(large(), "w", (0, 0, 1, 1)),
        OptionError,
        r"at most 20,000 terms; got 28,812 and more in one number of conv2d. Record a run of "
        r"fewer or smaller images; derive\(\) checks",
    ),
    "the beginning of a walk": (
        lambda: zoom(twice(), "δ(L)"),
        GraphError,
        "error signal that came from other elements is expanded; got that of L",
    ),
    "figures alone": (
        lambda: zoom(tg.explain.GraphDump.from_json(tg.explain.dump(twice()).to_json()), "x", 0),
        OptionError,
        r'zoom: its numbers are .*keep="arrays"\); got a run of which figures alone were kept',
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals_say_what_there_is(
    call: Callable[[], Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        call()

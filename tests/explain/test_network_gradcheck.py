"""A whole network against differences: right as it is, caught where its backward is spoiled."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.element import ELEMENTS
from tinygrad_cnn.errors import DTypeError, OptionError, UnknownNameError
from tinygrad_cnn.explain import gradcheck_network

Tanh: Any = ELEMENTS["tanh"]
LABELS = np.array([0, 1, 1])


class SteepTanh(Tanh):  # type: ignore[misc]
    """Wrong where it matters: an error signal that is too large by 1 %."""

    def backward(self, signal: Any) -> Any:
        return super().backward(signal) * 1.01


class Net(nn.Module):
    def __init__(self, tanh: Any = Tanh) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.drop = nn.Dropout(0.5)
        self.top = nn.Linear(8, 2)
        self.tanh = tanh

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        x = self.tanh()(self.norm(self.conv(x)))
        return self.top(self.drop(F.flatten(F.avg_pool2d(x, 2), 1)))


def net(tanh: Any = Tanh) -> tuple[Net, tg.Tensor]:
    tg.random.manual_seed(0)
    images = np.random.default_rng(0).normal(size=(3, 1, 6, 6)).astype(np.float32)
    return Net(tanh), tg.Tensor(images)


def objective(scores: tg.Tensor) -> tg.Tensor:
    return F.cross_entropy(scores, LABELS)


@pytest.mark.parametrize("double", [True, False])
def test_a_network_with_batch_norm_and_dropout_is_right_and_left_alone(double: bool) -> None:
    network, images = net()
    before = {name: value.copy() for name, value in network.state_dict().items()}
    state = tg.random.default_generator().bit_generator.state
    report = gradcheck_network(network, images, objective, double=double, limit=3)
    expected = ("right",) if double else ("right", "precision")
    assert all(found.verdict in expected for found in report.inputs), str(report)
    assert [found.input for found in report.inputs] == [n for n, _ in network.named_parameters()]
    assert {found.dtype for found in report.inputs} == {"float64" if double else "float32"}
    if not double:  # what rounding hides is looked at again with more digits
        doubted = [found for found in report.inputs if found.verdict == "precision"]
        assert doubted
        assert {found.in_double for found in doubted} == {"right"}
    after = network.state_dict()
    assert all(np.array_equal(after[name], value) for name, value in before.items())
    assert tg.random.default_generator().bit_generator.state == state
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("double", [True, False])
def test_a_spoiled_backward_is_called_wrong_below_it_alone(double: bool) -> None:
    report = gradcheck_network(*net(SteepTanh), objective, double=double, limit=3)
    verdicts = {found.input: found.verdict for found in report.inputs}
    assert verdicts["top.weight"] in ("right", "precision")
    if double:
        assert report.verdict == "rule wrong"
        assert verdicts["norm.weight"] == verdicts["norm.bias"] == "rule wrong"
    else:
        assert {found.in_double for found in report.inputs if found.input == "norm.bias"} <= {
            "rule wrong", None,
        }  # fmt: skip


def test_only_what_is_named_is_checked() -> None:
    report = gradcheck_network(*net(), objective, ["top.bias"], limit=1)
    assert [(found.input, len(found.elements)) for found in report.inputs] == [("top.bias", 1)]


REFUSALS: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    (("lenet5",), {}, DTypeError, "gradcheck_network: it takes a Module .*; got str"),
    ((net()[0], np.ones(3)), {}, DTypeError, "Tensor of images; got ndarray"),
    (net(), {"parameters": ["top.wait"]}, UnknownNameError, "Did you mean 'top.weight'"),
    (net(), {"limit": 0}, OptionError, "limit is a positive number of elements; got 0"),
]


@pytest.mark.parametrize(("given", "options", "error", "message"), REFUSALS)
def test_what_cannot_be_checked_is_refused(
    given: tuple[Any, ...], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    network, images = (*given, tg.ones(1))[:2]
    with pytest.raises(error, match=message):
        gradcheck_network(network, images, objective, **options)

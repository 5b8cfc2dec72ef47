"""Positional arguments mean what they mean in PyTorch, or are refused."""

import inspect

import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError

SHARED = [
    ("nn", "Linear"),
    ("nn", "Conv2d"),
    ("nn", "MaxPool2d"),
    ("nn", "AvgPool2d"),
    ("nn", "Flatten"),
    ("nn", "CrossEntropyLoss"),
    ("nn", "MSELoss"),
    ("optim", "SGD"),
    ("optim", "Adam"),
]


def positional(kind: type) -> list[tuple[str, object]]:
    parameters = inspect.signature(kind).parameters.values()
    return [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


@pytest.mark.parity
@pytest.mark.parametrize(("module", "name"), SHARED)
def test_places_and_defaults_are_those_of_pytorch(module: str, name: str) -> None:
    torch = pytest.importorskip("torch")
    ours = positional(getattr(getattr(tg, module), name))
    theirs = positional(getattr(getattr(torch, module), name))[: len(ours)]
    if module == "optim":  # the list of parameters, which PyTorch calls params
        assert ours.pop(0)[0] == "parameters"
        assert theirs.pop(0)[0] == "params"
    assert ours == theirs


@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("Conv2d", (3, 2, 3, 2, 1, 1, 1, False)),
        ("Conv2d", (3, 2, (3, 1), 1, (1, 0), (1, 1))),
        ("MaxPool2d", (3, 2, 1, 1, False, False)),
        ("AvgPool2d", (2, None, 1, False, True)),
    ],
)
def test_the_same_arguments_give_the_same_shapes(name: str, given: tuple) -> None:
    torch = pytest.importorskip("torch")
    layer, other = getattr(nn, name)(*given), getattr(torch.nn, name)(*given)
    assert layer(tg.Tensor([[[[0.5] * 7] * 6] * 3])).shape == other(torch.zeros(1, 3, 6, 7)).shape
    shapes = {path: tuple(value.shape) for path, value in other.state_dict().items()}
    assert {path: value.shape for path, value in layer.state_dict().items()} == shapes


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: nn.Conv2d(3, 16, 3, 1, 1, 2),
            "Conv2d: dilation is 1, another .*; got 2. Leave it out",
        ),
        (lambda: nn.Conv2d(3, 16, 3, dilation=(1, 2)), r"dilation is 1, .*; got \(1, 2\)"),
        (lambda: nn.Conv2d(4, 16, 3, 1, 1, 1, 2), "Conv2d: groups is 1, .* not built yet; got 2"),
        (lambda: nn.Conv2d(3, 16, 3, 1, 1, False), "Conv2d: dilation is 1, .*; got False"),
        (lambda: nn.MaxPool2d(3, 2, 1, 2), "MaxPool2d: dilation is 1, .* not built yet; got 2"),
        (lambda: nn.MaxPool2d(3, 2, 1, 1, True), "return_indices is False, .*; got True"),
        (lambda: nn.MaxPool2d(3, ceil_mode=True), "MaxPool2d: ceil_mode is False, .*; got True"),
        (lambda: nn.AvgPool2d(3, 2, 1, True), "AvgPool2d: ceil_mode is False, .*; got True"),
        (lambda: nn.AvgPool2d(3, 2, 1, False, False), "count_include_pad is True, .*; got False"),
    ],
)
def test_what_pytorch_has_there_and_is_not_built_is_refused(make, match) -> None:
    with pytest.raises(OptionError, match=match):
        make()

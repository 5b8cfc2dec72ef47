"""Positional arguments mean what they mean in PyTorch, or are refused."""

import inspect

import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError

SHARED = [
    ("nn", "Linear"),
    ("nn", "Conv1d"),
    ("nn", "Conv2d"),
    ("nn", "ConvTranspose2d"),
    ("nn", "MaxPool2d"),
    ("nn", "MaxUnpool2d"),
    ("nn", "AvgPool2d"),
    ("nn", "LPPool2d"),
    ("nn", "AdaptiveAvgPool2d"),
    ("nn", "BatchNorm1d"),
    ("nn", "BatchNorm2d"),
    ("nn", "LocalResponseNorm"),
    ("nn", "Dropout"),
    ("nn", "Dropout2d"),
    ("nn", "Flatten"),
    ("nn", "CrossEntropyLoss"),
    ("nn", "MSELoss"),
    ("nn", "L1Loss"),
    ("nn", "NLLLoss"),
    ("nn", "BCEWithLogitsLoss"),
    ("nn", "MultiMarginLoss"),
    ("nn", "ReLU"),
    ("nn", "LeakyReLU"),
    ("nn", "ELU"),
    ("nn", "Softplus"),
    ("nn", "Hardsigmoid"),
    ("nn", "Softmax"),
    ("nn", "LogSoftmax"),
    ("optim", "SGD"),
    ("optim", "Adam"),
    ("optim", "AdamW"),
    ("optim", "Adagrad"),
    ("optim", "Adadelta"),
    ("optim", "RMSprop"),
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
        ("Conv2d", (3, 6, 3, 2, 2, (2, 1), 3, False, "zeros")),
        ("Conv2d", (3, 3, (2, 3), 1, "same", 2)),
        ("ConvTranspose2d", (3, 6, 3, 2, 1, 1, 3, False, 2, "zeros")),
        ("MaxPool2d", (3, 2, 1, 1, False, False)),
        ("MaxPool2d", (2, None, 1, (3, 1), False, True)),
        ("AvgPool2d", (2, None, 1, False, True)),
        ("AvgPool2d", (3, (2, 1), 1, True, False, 5)),
        ("LPPool2d", (2, 3, 2, True)),
        ("AdaptiveAvgPool2d", ((None, 3),)),
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
            lambda: nn.Conv2d(3, 16, 3, 1, 1, 1, 1, True, "reflect"),
            "Conv2d: padding_mode is 'zeros', another one is not built; got 'reflect'",
        ),
        (lambda: nn.Conv1d(1, 1, 3, padding_mode="circular"), "Conv1d: padding_mode is 'zeros'"),
        (lambda: nn.Conv2d(4, 16, 3, groups=3), "Conv2d: groups divides .*; got groups 3 for 4"),
        (lambda: nn.Conv2d(4, 16, 3, groups=0), "Conv2d: groups is a positive integer; got 0"),
        (lambda: nn.ConvTranspose2d(4, 3, 3, groups=2), "ConvTranspose2d: groups divides"),
        (lambda: nn.Conv2d(3, 16, 3, 2, "same"), "Conv2d: padding 'same' goes with stride 1 only"),
        (lambda: nn.Conv2d(3, 16, 3, 1, "all"), "Conv2d: padding is 'same' or 'valid' where"),
        (lambda: nn.Conv2d(3, 16, 3, 1, 1, False), "Conv2d: dilation is an integer .*; got False"),
        (lambda: nn.MaxPool2d(3, 2, 1, False), "MaxPool2d: dilation is an integer .*; got False"),
        (lambda: nn.MaxPool2d(3, 2, 2), r"MaxPool2d: padding is at most half .*got padding \(2, 2"),
        (lambda: nn.MaxPool2d(3, ties="both"), "MaxPool2d: ties is one of first, .*; got 'both'"),
        (lambda: nn.AvgPool2d(3, 0), "AvgPool2d: stride is an integer of at least 1"),
        (lambda: nn.Pool2d(max, (1, 2, 3)), r"Pool2d: kernel_size .*; got \(1, 2, 3\)"),
    ],
)
def test_what_pytorch_has_there_and_is_not_built_is_refused(make, match) -> None:
    with pytest.raises(OptionError, match=match):
        make()

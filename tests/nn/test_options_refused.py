"""A layer refuses an option when it is made, and not when it first runs."""

from collections.abc import Callable
from typing import Any

import pytest

from tinygrad_cnn import nn
from tinygrad_cnn.errors import DTypeError, OptionError


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: nn.LPPool2d(0, 2), "LPPool2d: norm_type, .* of at least 1; got 0"),
        (lambda: nn.AdaptiveAvgPool2d(0), "AdaptiveAvgPool2d: output_size .*; got 0"),
        (lambda: nn.AvgPool2d(2, divisor_override=0), "AvgPool2d: divisor_override .*; got 0"),
        (
            lambda: nn.ConvTranspose2d(2, 1, 2, stride=2, output_padding=2),
            "ConvTranspose2d: output_padding is below the stride",
        ),
        (lambda: nn.Linear(True, 2), "Linear: in_features is a positive integer; got True"),
        (lambda: nn.BatchNorm2d(2, eps=-1.0), "BatchNorm2d: eps is .* at least 0; got -1.0"),
        (lambda: nn.BatchNorm1d(2, momentum="a"), "BatchNorm1d: momentum is .*; got 'a'"),
        (lambda: nn.LocalResponseNorm(3, "a"), "LocalResponseNorm: alpha is .*; got 'a'"),
        (lambda: nn.ReLU(at_zero=2), "ReLU: at_zero is a finite number from 0 to 1; got 2"),
        (lambda: nn.LeakyReLU(None), "LeakyReLU: negative_slope is .*; got None"),
        (lambda: nn.ELU("1"), "ELU: alpha is a finite number; got '1'"),
        (lambda: nn.Softplus(0), "Softplus: beta is a finite number above 0; got 0"),
        (lambda: nn.Softplus(1, None), "Softplus: threshold is a finite number; got None"),
        (lambda: nn.Hardsigmoid(slope=0), "Hardsigmoid: slope is .* above 0; got 0"),
        (lambda: nn.MSELoss(reduction="avg"), "MSELoss: reduction is one of .*; got 'avg'"),
        (lambda: nn.CrossEntropyLoss(label_smoothing=2), "CrossEntropyLoss: label_smoothing"),
        (lambda: nn.HingeLoss(None), "HingeLoss: margin is a finite number; got None"),
        (lambda: nn.MultiMarginLoss(2), "MultiMarginLoss: p is 1, another one .*; got 2"),
        (
            lambda: nn.Conv2d(1, 1, 1, activation="elu"),
            "Conv2d: activation is None, 'relu', 'sigmoid' or 'tanh'",
        ),
        (
            lambda: nn.Linear(1, 1, activation="elu"),
            "Linear: activation is None, 'relu', 'sigmoid' or 'tanh'",
        ),
        (lambda: nn.BatchNorm2d(1, activation="elu"), "BatchNorm2d: activation is None or 'relu'"),
        (lambda: nn.Add("elu"), "Add: activation is None or 'relu'"),
        (lambda: nn.RBFLoss("j"), "RBFLoss: j is a finite number; got 'j'"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_at_once(
    make: Callable[[], Any], match: str
) -> None:
    with pytest.raises(OptionError, match=match):
        make()


def test_pooling_with_what_is_no_function_is_refused_at_once() -> None:
    with pytest.raises(DTypeError, match="Pool2d: it takes a function; got str"):
        nn.Pool2d("mean", 2)  # type: ignore[arg-type]

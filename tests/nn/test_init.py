"""Initial weights: their distributions, against the papers' formulas and against PyTorch."""

import math

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.nn import Parameter, init

SHAPE = (60, 20, 5, 5)  # fan-in 500, fan-out 1500
FAN_IN, FAN_OUT, COUNT = 500, 1500, 30_000


def drawn(fill, *options, shape=SHAPE, dtype=np.float64, **named):
    weight = Parameter(np.full(shape, np.nan, dtype))
    assert fill(weight, *options, generator=np.random.default_rng(0), **named) is weight
    return weight.numpy()


def near_zero_mean(values, std):
    """Six standard errors of the mean of independent numbers."""
    return abs(values.mean()) < 6 * std / math.sqrt(values.size)


@pytest.mark.parametrize(
    ("fill", "named", "std"),
    [
        (init.lecun_normal_, {}, (1 / FAN_IN) ** 0.5),
        (init.xavier_normal_, {}, (2 / (FAN_IN + FAN_OUT)) ** 0.5),
        (init.xavier_normal_, {"gain": 4.0}, 4 * (2 / (FAN_IN + FAN_OUT)) ** 0.5),
        (init.kaiming_normal_, {}, (2 / FAN_IN) ** 0.5),
        (init.kaiming_normal_, {"mode": "fan_out"}, (2 / FAN_OUT) ** 0.5),
        (init.kaiming_normal_, {"a": 2.0}, (2 / 5 / FAN_IN) ** 0.5),
        (init.kaiming_normal_, {"nonlinearity": "linear"}, (1 / FAN_IN) ** 0.5),
        (init.kaiming_normal_, {"nonlinearity": "tanh"}, 5 / 3 * (1 / FAN_IN) ** 0.5),
        (init.normal_, {}, 1.0),
        (init.normal_, {"std": 0.25}, 0.25),
    ],
)
def test_normal_weights_have_the_deviation_of_their_paper(fill, named, std):
    values = drawn(fill, **named)
    assert near_zero_mean(values, std)
    # The deviation of n normal numbers errs by 1 / √(2n) of itself; six times that is 2.4 %.
    assert values.std() == pytest.approx(std, rel=6 / math.sqrt(2 * COUNT))
    inside = (np.abs(values) < std).mean()
    assert inside == pytest.approx(0.6827, abs=6 * 0.466 / math.sqrt(COUNT))


@pytest.mark.parametrize(
    ("fill", "named", "bound"),
    [
        (init.lecun_uniform_, {}, 2.4 / FAN_IN),
        (init.lecun_uniform_, {"fan_in": 24}, 0.1),
        (init.xavier_uniform_, {}, (6 / (FAN_IN + FAN_OUT)) ** 0.5),
        (init.xavier_uniform_, {"gain": 4.0}, 4 * (6 / (FAN_IN + FAN_OUT)) ** 0.5),
        (init.kaiming_uniform_, {}, (6 / FAN_IN) ** 0.5),
        (init.kaiming_uniform_, {"mode": "fan_out", "nonlinearity": "relu"}, (6 / FAN_OUT) ** 0.5),
        (init.kaiming_uniform_, {"a": math.sqrt(5)}, (1 / FAN_IN) ** 0.5),
        (init.uniform_, {"a": -3.0, "b": 3.0}, 3.0),
    ],
)
def test_uniform_weights_fill_the_bounds_of_their_paper(fill, named, bound):
    values = drawn(fill, **named)
    assert near_zero_mean(values, bound / math.sqrt(3))
    largest = np.abs(values).max()
    assert bound * (1 - 20 / COUNT) < largest <= bound
    assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_truncated_weights_stay_inside_and_are_not_piled_up_at_the_ends():
    values = drawn(init.trunc_normal_, 0.5, 0.1, 0.4, 0.7)
    assert values.min() >= 0.4
    assert values.max() <= 0.7
    assert (values > 0.699).mean() < 0.003
    a, b, density = -1.0, 2.0, lambda t: math.exp(-t * t / 2) / math.sqrt(2 * math.pi)
    mass = 0.5 * (math.erf(b / math.sqrt(2)) - math.erf(a / math.sqrt(2)))
    mean = 0.5 + 0.1 * (density(a) - density(b)) / mass
    assert values.mean() == pytest.approx(mean, abs=6 * 0.1 / math.sqrt(COUNT))


def test_grouped_filters_count_the_channels_of_their_group():
    assert init.fans((8, 1, 3, 3)) == (9, 72)  # depthwise
    assert drawn(init.kaiming_normal_, shape=(4000, 1, 3, 3)).std() == pytest.approx(
        (2 / 9) ** 0.5, rel=0.03
    )


@pytest.mark.parametrize(
    ("fill", "options", "value"),
    [(init.zeros_, (), 0.0), (init.ones_, (), 1.0), (init.constant_, (0.2,), 0.2)],
)
def test_constants_fill_every_place(fill, options, value):
    weight = Parameter(np.full((3, 2), np.nan, np.float32))
    assert fill(weight, *options) is weight
    np.testing.assert_array_equal(weight.numpy(), np.full((3, 2), value, np.float32))


@pytest.mark.parametrize(
    "fill",
    [
        init.uniform_, init.normal_, init.trunc_normal_, init.lecun_uniform_, init.lecun_normal_,
        init.xavier_uniform_, init.xavier_normal_, init.kaiming_uniform_, init.kaiming_normal_,
    ],
)  # fmt: skip
def test_filling_is_not_recorded_and_follows_the_seed(fill):
    weights = []
    for _ in range(2):
        tg.manual_seed(5)
        weight = Parameter(np.zeros((4, 3), np.float32))
        fill(weight)
        assert weight.requires_grad
        assert weight.creator is None
        assert weight.dtype == np.float32
        weights.append(weight.numpy())
    np.testing.assert_array_equal(*weights)


@pytest.mark.parity
@pytest.mark.parametrize("slope", [None, 0.0, 0.2, 3])
@pytest.mark.parametrize("name", [*init._GAINS, "leaky_relu"])
def test_gains_are_those_of_pytorch(name, slope):
    torch = pytest.importorskip("torch")
    assert init.calculate_gain(name, slope) == torch.nn.init.calculate_gain(name, slope)


@pytest.mark.parity
@pytest.mark.parametrize("shape", [(7, 5), (6, 4, 3), (6, 2, 3, 5), (4, 1, 3, 3)])
def test_fans_are_those_of_pytorch(shape):
    torch = pytest.importorskip("torch")
    expected = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    assert init.fans(shape) == expected


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda w: init.kaiming_normal_(w, mode="fan_avg"), OptionError,
         "init: mode is one of fan_in, fan_out; got 'fan_avg'"),
        (lambda w: init.kaiming_uniform_(w, nonlinearity="swish"), OptionError,
         "calculate_gain: nonlinearity is one of linear, .*, leaky_relu; got 'swish'"),
        (lambda w: init.kaiming_normal_(w, a="x"), OptionError, "the slope is a number; got 'x'"),
        (lambda w: init.xavier_normal_(w[0]), ShapeError, "a weight has at least two axes"),
        (lambda w: init.lecun_normal_(w[:, :0]), OptionError,
         r"init: a fan is at least 1; got shape \(2, 0\)"),
        (lambda w: init.uniform_(w, 2.0, 1.0), OptionError, "uniform_: a is at most b; got 2.0"),
        (lambda w: init.normal_(w, 0.0, -1.0), OptionError, "std is .* at least 0; got -1.0"),
        (lambda w: init.xavier_normal_(w, "relu"), OptionError, "gain is .* number; got 'relu'"),
        (lambda w: init.xavier_uniform_(w, None), OptionError, "gain is a finite number; got None"),
        (lambda w: init.trunc_normal_(w, 0.0, 1.0, 5.0, 6.0), OptionError,
         r"trunc_normal_: a\.\.b holds a good part of the distribution; got 5.0\.\.6.0"),
    ],
)  # fmt: skip
def test_what_tells_no_distribution_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call(tg.Tensor(np.zeros((2, 3))))

"""Averages of weights: as sums over all weights seen, and as PyTorch's AveragedModel."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import CheckpointError, DTypeError, OptionError
from tinygrad_cnn.graph import Node
from tinygrad_cnn.optim import EMA

SHAPES = ((), (7,), (3, 4), (0, 2))


def walk(steps: int, dtype: type = np.float64) -> list[list[np.ndarray]]:
    generator = np.random.default_rng(4)
    return [
        [np.asarray(generator.normal(size=shape), dtype) for shape in SHAPES] for _ in range(steps)
    ]


def averaged(path: list[list[np.ndarray]], average: EMA) -> None:
    for values in path:
        for parameter, array in zip(average.parameters, values, strict=True):
            parameter.data = array
        average.update()


def weights(dtype: type = np.float64) -> list[tg.Tensor]:
    return [tg.Tensor(np.ones(shape, dtype), requires_grad=True) for shape in SHAPES]


def inside(average: EMA, call) -> None:
    with average.swapped_in():
        call(average)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias_correction", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.9, 0.999])
def test_the_average_is_the_weighted_mean_of_all_weights_seen(
    dtype, bias_correction, decay
) -> None:
    path = walk(100, dtype)
    average = EMA(weights(dtype), decay, bias_correction)
    averaged(path, average)
    shares = (1 - decay) * decay ** np.arange(99, -1, -1.0)
    shares[0] = shares[0] if bias_correction else decay**99
    shares /= shares.sum()
    for k, found in enumerate(average.averages()):
        wanted = sum(
            share * values[k].astype(float) for share, values in zip(shares, path, strict=True)
        )
        tolerance = 1e-5 if dtype is np.float32 else 1e-12
        assert found.dtype == dtype
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)


@pytest.mark.parity
def test_averages_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    path = walk(30)
    average = EMA(weights(), 0.9)
    averaged(path, average)
    model = torch.nn.ParameterList([torch.ones(shape, dtype=torch.float64) for shape in SHAPES])
    twin = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for values in path:
        with torch.no_grad():
            for parameter, array in zip(model, values, strict=True):
                parameter.copy_(torch.from_numpy(array))
        twin.update_parameters(model)
    for found, want in zip(average.averages(), twin.module.parameters(), strict=True):
        np.testing.assert_allclose(found, want.detach().numpy(), rtol=0, atol=1e-13)


def test_averages_are_swapped_in_and_the_weights_come_back_also_after_an_error() -> None:
    model = tg.nn.Linear(3, 2)
    average = EMA(model, 0.5)
    average.update()
    before = model.state_dict()
    model.weight.data = model.weight.numpy() + 2.0
    average.update()
    seen = []

    def evaluate(average: EMA) -> None:
        seen.append(model.weight.numpy().copy())
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        inside(average, evaluate)
    np.testing.assert_allclose(seen[0], before["weight"] + 1.0, rtol=1e-6)
    np.testing.assert_array_equal(model.weight.numpy(), before["weight"] + np.float32(2.0))


def test_before_the_first_update_the_average_is_the_weights() -> None:
    model = tg.nn.Linear(3, 2)
    for bias_correction in (False, True):
        with EMA(model, bias_correction=bias_correction).swapped_in():
            assert np.isfinite(model.weight.numpy()).all()


def test_weights_that_lie_otherwise_in_memory_are_averaged() -> None:
    array = np.arange(6.0).reshape(2, 3).T
    w = tg.Tensor.wrap(array, Node(array.shape, array.dtype, "cpu", requires_grad=True))
    average = EMA([w])
    average.update()
    with average.swapped_in():
        np.testing.assert_array_equal(array, [[0, 3], [1, 4], [2, 5]])


def test_a_saved_average_goes_on_bit_for_bit() -> None:
    path = walk(20)
    whole, first, second = (EMA(weights(), 0.9, bias_correction=True) for _ in range(3))
    averaged(path, whole)
    averaged(path[:7], first)
    second.load_state_dict(first.state_dict())
    averaged(path[7:], second)
    for found, want in zip(second.averages(), whole.averages(), strict=True):
        np.testing.assert_array_equal(found, want)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda w: EMA([w], decay=1.0), OptionError, r"EMA: decay lies in \[0, 1\); got 1.0"),
        (lambda w: EMA([w], 0.9, 1), OptionError, "EMA: bias_correction is True or False; got 1"),
        (lambda w: EMA([]), OptionError, "EMA: there are weights to average; got nothing"),
        (lambda w: EMA([w, w]), OptionError, "EMA: each parameter comes once"),
        (lambda w: EMA([1.0]), DTypeError, "EMA: each parameter is a Tensor; got a float"),
        (lambda w: EMA(3), DTypeError, "EMA: .* list of tensors; got one int"),
        (
            lambda w: inside(EMA([w]), lambda average: average.update()),
            OptionError,
            r"EMA: an update takes in .* inside swapped_in\(\)",
        ),
        (
            lambda w: inside(EMA([w]), lambda average: inside(average, lambda again: None)),
            OptionError,
            "EMA: averages are swapped in once",
        ),
        (lambda w: EMA([w]).load_state_dict({}), CheckpointError, "EMA: the state belongs to"),
        (
            lambda w: EMA([w]).load_state_dict({**EMA([w]).state_dict(), "updates": -1}),
            OptionError,
            r"EMA: updates lies in \[0, inf\); got -1",
        ),
    ],
)
def test_what_cannot_be_averaged_is_refused(call, error, match) -> None:
    with pytest.raises(error, match=match):
        call(tg.Tensor([1.0], requires_grad=True))

"""Verdicts on right rules, wrong rules, too few digits, kinks, ties and edges."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.element import ELEMENTS
from tinygrad_cnn.errors import DTypeError, GraphError, OptionError
from tinygrad_cnn.explain import explain_gradcheck

Affine: Any = ELEMENTS["affine"]
Conv2d: Any = ELEMENTS["conv2d"]
Tanh: Any = ELEMENTS["tanh"]
Relu: Any = ELEMENTS["relu"]
DOUBLE, SINGLE = np.float64, np.float32


def leaf(*shape: int, name: str = "x", seed: int = 0, dtype: Any = DOUBLE) -> tg.Tensor:
    values = np.random.default_rng(seed).normal(size=shape).astype(dtype)
    return tg.Tensor(values, requires_grad=True, name=name)


def at(*values: float, dtype: Any = DOUBLE, name: str = "x") -> tg.Tensor:
    return tg.Tensor(np.array(values, dtype), requires_grad=True, name=name)


def layer(dtype: Any) -> list[tg.Tensor]:
    shapes = {"x": (2, 2, 4, 4), "weight": (3, 2, 3, 3), "bias": (3,)}
    return [
        leaf(*shape, name=name, seed=k, dtype=dtype)
        for k, (name, shape) in enumerate(shapes.items())
    ]


def affine(dtype: Any) -> list[tg.Tensor]:
    shapes = {"x": (4, 3), "weight": (2, 3), "bias": (2,)}
    return [
        leaf(*shape, name=name, seed=k, dtype=dtype)
        for k, (name, shape) in enumerate(shapes.items())
    ]


RIGHT: dict[str, tuple[Any, Callable[[Any], list[tg.Tensor]]]] = {
    "tanh": (F.tanh, lambda dtype: [leaf(3, 4, dtype=dtype)]),
    "convolution": (lambda x, w, b: F.conv2d(x, w, b, padding=1), layer),
    "strided": (lambda x, w, b: F.conv2d(x, w, b, 2, 1).tanh(), layer),
    "affine": (lambda x, w, b: F.softmax(F.linear(x, w, b)), affine),
    "mean pooling": (lambda x: F.avg_pool2d(x, 2), lambda dtype: [leaf(2, 1, 4, 4, dtype=dtype)]),
    "max pooling": (lambda x: F.max_pool2d(x, 2), lambda dtype: [leaf(2, 1, 4, 4, dtype=dtype)]),
    "rectifier": (F.relu, lambda dtype: [at(-1.0, 0.5, 2.0, -0.25, dtype=dtype)]),
    "steep": (lambda x: (x * 20.0).tanh(), lambda dtype: [at(1e-3, 0.02, -0.05, dtype=dtype)]),
    "large and small": (lambda x: x * x, lambda dtype: [at(1e-3, 3.0, -500.0, dtype=dtype)]),
}


@pytest.mark.parametrize(("function", "make"), RIGHT.values(), ids=RIGHT)
def test_right_rules_are_called_right(function: Any, make: Any) -> None:
    report = explain_gradcheck(function, *make(DOUBLE))
    assert report.verdict == "right", str(report)
    for found in report.inputs:
        assert set(found.counts) == {"right"}
        assert found.direction is not None
        assert found.direction.verdict == "right"


@pytest.mark.parametrize(("function", "make"), RIGHT.values(), ids=RIGHT)
def test_in_single_precision_a_right_rule_is_never_called_wrong(function: Any, make: Any) -> None:
    report = explain_gradcheck(function, *make(SINGLE))
    assert report.verdict in ("right", "precision"), str(report)
    for found in report.inputs:
        assert set(found.counts) <= {"right", "precision", "kink"}
        if found.verdict == "precision":
            assert found.in_double == "right"


# -- wrong rules -------------------------------------------------------------------------


class WrongSign(Tanh):
    def backward(self, signal: Any) -> Any:
        return -super().backward(signal)


class SlopeOfTheInput(Tanh):
    """1 - z² in place of 1 - a²: right to first order at 0."""

    def forward(self, z: Any) -> Any:
        self.z = z
        return super().forward(z)

    def backward(self, signal: Any) -> Any:
        return signal * tg.Tensor(1 - self.z * self.z)


class OneElementOff(Tanh):
    def backward(self, signal: Any) -> Any:
        wrong = np.zeros(signal.shape, signal.dtype)
        wrong[1, 0] = 1e-2
        return super().backward(signal) + tg.Tensor(wrong)


class TransposedWeight(Affine):
    def backward(self, signal: Any) -> Any:
        to_x, to_weight, to_bias = super().backward(signal)
        return to_x, to_weight[::-1], to_bias


class NoSumOverTheBatch(Affine):
    def backward(self, signal: Any) -> Any:
        to_x, to_weight, _ = super().backward(signal)
        return to_x, to_weight, signal[0]


class UnturnedFilter(Conv2d):
    def backward(self, signal: Any) -> Any:
        to_x, *rest = super().backward(signal)
        return to_x[:, :, ::-1, ::-1], *rest


class LeaksBelowZero(Relu):
    def backward(self, signal: Any) -> Any:
        return super().backward(signal) + signal * 0.01


WRONG: dict[str, tuple[Any, Callable[[Any], list[tg.Tensor]], str]] = {
    "sign": (lambda x: WrongSign()(x), lambda d: [leaf(3, 2, dtype=d)], "x"),
    "slope": (lambda x: SlopeOfTheInput()(x), lambda d: [leaf(3, 2, dtype=d)], "x"),
    "one element": (lambda x: OneElementOff()(x), lambda d: [leaf(3, 2, dtype=d)], "x"),
    "rows": (lambda x, w, b: TransposedWeight()(x, w, b), affine, "weight"),
    "batch": (lambda x, w, b: NoSumOverTheBatch()(x, w, b), affine, "bias"),
    "filter": (
        lambda x, w, b: UnturnedFilter((1, 1), ((0, 0), (0, 0)))(x, w, b),
        layer,
        "x",
    ),
    "leak": (lambda x: LeaksBelowZero()(x), lambda d: [at(-1.0, 0.5, 2.0, 0.0, dtype=d)], "x"),
    "cut": (lambda x: x * x.detach(), lambda d: [leaf(3, 2, dtype=d)], "x"),
}


@pytest.mark.parametrize("dtype", [DOUBLE, SINGLE])
@pytest.mark.parametrize(("function", "make", "name"), WRONG.values(), ids=WRONG)
def test_wrong_rules_are_called_wrong_and_named(
    function: Any, make: Any, name: str, dtype: Any
) -> None:
    report = explain_gradcheck(function, *make(dtype))
    assert report.verdict == "rule wrong"
    verdicts = {found.input: found.verdict for found in report.inputs}
    assert [each for each, verdict in verdicts.items() if verdict == "rule wrong"] == [name]
    text = str(report)
    assert "← best" in text
    assert f"{name} [" in text


def test_the_worst_element_is_the_wrong_one() -> None:
    (found,) = explain_gradcheck(lambda x: OneElementOff()(x), leaf(3, 2)).inputs
    assert found.worst is not None
    assert (found.worst.index, found.worst.verdict) == ((1, 0), "rule wrong")
    assert found.worst.apart == pytest.approx(1e-2, rel=1e-6)
    assert found.worst.ulps > 1e6 * found.worst.ulps_told
    assert found.counts["rule wrong"] == 1


def test_what_no_element_shows_the_random_direction_does() -> None:
    # Of 400 elements three are drawn; the wrong one, [1, 0], is not among them.
    report = explain_gradcheck(lambda x: OneElementOff()(x), leaf(20, 20), limit=3)
    (found,) = report.inputs
    assert len(found.elements) == 3
    assert set(found.counts) == {"right"}
    assert report.verdict == "rule wrong"
    assert "x all, at random: backward() gives" in str(report)


# -- precision ---------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [1e6, 1e8, 1e10])
def test_digits_lost_inside_are_no_wrong_rule(offset: float) -> None:
    report = explain_gradcheck(lambda x: (x.tanh() + offset) - offset, at(0.3, -0.7, 1.2))
    assert report.verdict == ("right" if offset < 1e7 else "precision"), str(report)
    if offset > 1e7:
        assert "differences cannot tell" in str(report)


def test_single_precision_is_named_as_the_reason() -> None:
    report = explain_gradcheck(F.tanh, leaf(3, 2, dtype=SINGLE))
    assert report.verdict == "precision"
    assert "the same in double precision: right" in str(report)


def test_a_function_that_cannot_run_in_double_precision_is_judged_by_what_is_known() -> None:
    weight = leaf(2, 3, seed=1, dtype=SINGLE).detach()
    report = explain_gradcheck(lambda x: F.linear(x, weight).tanh(), leaf(2, 3, dtype=SINGLE))
    assert report.verdict == "precision"
    assert report.inputs[0].in_double is None


# -- kinks, ties, edges --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [DOUBLE, SINGLE])
def test_rectifiers_at_zero_are_excluded_and_counted(dtype: Any) -> None:
    report = explain_gradcheck(F.relu, at(-1.0, 0.0, 2.0, 0.0, dtype=dtype))
    (found,) = report.inputs
    assert found.counts["kink"] == 2
    assert report.verdict in ("right", "precision")


@pytest.mark.parametrize("distance", [1e-9, 1e-7, 1e-5, 1e-3])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_kink_nearby_is_stepped_below(distance: float, side: float) -> None:
    (found,) = explain_gradcheck(F.relu, at(side * distance, 5.0)).inputs
    near = found.elements[0]
    assert near.verdict == "right"
    assert near.sweep.near is not None
    assert near.sweep.near >= distance
    assert near.sweep.slope == pytest.approx(near.analytic, abs=1e-6)


def test_ties_are_told_from_kinks() -> None:
    image = np.array([[[[1.0, 3.0, 0.0, 0.5], [3.0, 2.0, 0.2, -1.0]]]])
    tied = tg.Tensor(image, requires_grad=True, name="image")
    (found,) = explain_gradcheck(lambda x: F.max_pool2d(x, 2), tied).inputs
    assert {e.index for e in found.elements if e.verdict == "tie"} == {(0, 0, 0, 1), (0, 0, 1, 0)}
    assert found.counts == {"right": 6, "tie": 2}
    assert found.verdict == "right"


@pytest.mark.parametrize(
    ("function", "size"),
    [(lambda x: F.max_pool2d(x, 2), 4), (lambda x: F.max_pool2d(x, 3), 3)],
    ids=["four windows", "one window"],
)
def test_where_nothing_can_be_compared_the_verdict_says_so(function: Any, size: int) -> None:
    zeros = tg.Tensor(np.zeros((1, 1, size, size)), requires_grad=True, name="image")
    report = explain_gradcheck(function, zeros)
    assert report.verdict == "kink"
    assert report.inputs[0].counts == {"tie": size * size}


@pytest.mark.parametrize(("number", "outside"), [(0, False), (0.5, False), (1, False)])
def test_every_convention_at_a_kink_is_a_sub_gradient(number: float, outside: bool) -> None:
    report = explain_gradcheck(lambda x: F.relu(x, at_zero=number), at(0.0, 1.0))
    (kink,) = (e for e in report.inputs[0].elements if e.verdict == "kink")
    assert kink.within is not outside
    assert "no sub-gradient" not in str(report)


def test_what_is_no_sub_gradient_is_remarked_and_not_judged() -> None:
    class TwiceAtZero(Relu):
        def backward(self, signal: Any) -> Any:
            return super().backward(signal) + signal * tg.Tensor([2.0, 0.0], dtype=DOUBLE)

    report = explain_gradcheck(lambda x: TwiceAtZero()(x), at(0.0, 1.0))
    assert report.verdict == "right"
    assert "at 1 of 1 kinks and ties backward() lies outside" in str(report)


def test_the_edge_of_a_domain_is_excluded() -> None:
    (found,) = explain_gradcheck(F.sqrt, at(0.0, 4.0)).inputs
    assert found.counts == {"edge": 1, "right": 1}


def test_where_the_function_has_no_value_nothing_is_compared() -> None:
    report = explain_gradcheck(F.log, at(-1.0, -2.0, math.nan))
    assert report.inputs[0].counts == {"edge": 3}
    assert report.verdict == "kink"


@given(st.floats(-3.0, 3.0), st.sampled_from([F.tanh, F.sigmoid, F.exp, F.softplus, F.elu]))
def test_smooth_functions_have_no_kinks_anywhere(place: float, function: Any) -> None:
    report = explain_gradcheck(function, tg.Scalar(place, requires_grad=True, name="z"))
    assert report.inputs[0].counts == {"right": 1}, str(report)


# -- the sweep ---------------------------------------------------------------------------


def test_truncation_falls_as_the_square_and_round_off_rises_as_the_step_shrinks() -> None:
    (found,) = explain_gradcheck(F.exp, at(0.5)).inputs
    sweep = found.elements[0].sweep
    coarse = sweep.truncation[1:6]
    ratios = [one / other for one, other in pairwise(coarse)]
    assert ratios == pytest.approx([16.0] * 4, rel=0.1)
    assert sweep.roundoff[3] * 4 == pytest.approx(sweep.roundoff[4])
    # The textbook's best step for central differences is about eps^(1/3).
    assert sweep.best is not None
    assert 1e-7 < sweep.steps[sweep.best] < 1e-3
    assert abs(sweep.slope - found.elements[0].analytic) <= sweep.uncertainty


def test_estimated_errors_cover_the_true_ones() -> None:
    x = leaf(4, 5)
    (found,) = explain_gradcheck(lambda x: x.tanh().exp(), x).inputs
    for element in found.elements:
        assert element.apart <= element.sweep.uncertainty


# -- inputs ------------------------------------------------------------------------------


def test_inputs_are_afterwards_what_they_were() -> None:
    x, s = leaf(2, 3), tg.Scalar(0.7, requires_grad=True)
    (x.sum() * 2.0).backward()
    kept, value, memory, before = x.grad, x.numpy().copy(), x._value, x.version.count
    explain_gradcheck(lambda x, s: x * tg.stack([s]), x, s)
    np.testing.assert_array_equal(x.numpy(), value)
    assert x._value is memory
    assert (x.grad, x.grad_passes, x.version.count) == (kept, 1, before)
    assert (s.item(), s.grad) == (0.7, None)


def test_equal_calls_give_equal_reports() -> None:
    reports = [str(explain_gradcheck(F.tanh, leaf(3, 4, dtype=SINGLE))) for _ in range(2)]
    assert reports[0] == reports[1]


def test_an_input_without_influence_has_a_zero_gradient() -> None:
    report = explain_gradcheck(lambda x, y: x * 2.0, leaf(2), leaf(2, name="y"))
    assert report.verdict == "right"
    assert all(math.isnan(e.ulps) for e in report.inputs[1].elements)


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "no function": (
        lambda: explain_gradcheck(leaf(2), leaf(2)),  # type: ignore[arg-type]
        DTypeError,
        "a function of the inputs is checked; got Tensor. Write",
    ),
    "array": (lambda: explain_gradcheck(F.tanh, np.ones(2)), DTypeError, "ndarray as input 0"),
    "no leaf": (lambda: explain_gradcheck(F.tanh, leaf(2) * 2.0), GraphError, "inputs are leaves"),
    "nothing asked": (
        lambda: explain_gradcheck(F.tanh, leaf(2).detach()),
        OptionError,
        "none of 1",
    ),
    "no output": (lambda: explain_gradcheck(lambda x: x.argmax(), leaf(2)), DTypeError, "an out"),
    "limit": (lambda: explain_gradcheck(F.tanh, leaf(2), limit=0), OptionError, "limit is a pos"),
}


@pytest.mark.parametrize(("call", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_checked_is_refused(call: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=f"explain_gradcheck: .*{words}"):
        call()

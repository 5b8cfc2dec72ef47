"""The gradient checker finds what is wrong, names it, and disturbs nothing."""

import re
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.element import ELEMENTS
from tinygrad_cnn.errors import DTypeError, GradcheckError, GraphError, OptionError

Affine: Any = ELEMENTS["affine"]
Conv2d: Any = ELEMENTS["conv2d"]
Tanh: Any = ELEMENTS["tanh"]
TanhGrad: Any = ELEMENTS["tanh_grad"]


def leaf(*shape: int, name: str | None = None, seed: int = 0) -> tg.Tensor:
    values = np.random.default_rng(seed).normal(size=shape)
    return tg.Tensor(values, requires_grad=True, name=name)


# -- planted faults: elements without a name= are not registered -------------------------


class WrongSign(Tanh):
    def backward(self, signal: Any) -> Any:
        return -super().backward(signal)


class TransposedWeight(Affine):
    def backward(self, signal: Any) -> Any:
        to_x, to_weight, to_bias = super().backward(signal)
        return to_x, to_weight.T, to_bias


class NoSumOverTheBatch(Affine):
    def backward(self, signal: Any) -> Any:
        to_x, to_weight, _ = super().backward(signal)
        return to_x, to_weight, signal[0]


class RowReversedInput(Conv2d):
    """Wrong only in where signals go: an error signal of ones would not see it."""

    def backward(self, signal: Any) -> Any:
        to_x, *rest = super().backward(signal)
        return to_x[:, :, ::-1], *rest


class ForgetsOneInput(Affine):
    def backward(self, signal: Any) -> Any:
        to_x, _, to_bias = super().backward(signal)
        return to_x, None, to_bias


class OneElementOff(Tanh):
    def backward(self, signal: Any) -> Any:
        right = super().backward(signal)
        wrong = np.zeros(right.shape)
        wrong[1, 0] = 0.125
        return right + tg.Tensor(wrong)


def affine(element: Any) -> tuple[Any, list[tg.Tensor]]:
    inputs = [leaf(2, 3, name="x"), leaf(3, 3, name="weight", seed=1), leaf(3, name="bias", seed=2)]
    return lambda *given: element()(*given), inputs


def reversed_rows() -> tuple[Any, list[tg.Tensor]]:
    inputs = [leaf(1, 1, 4, 3, name="image"), leaf(1, 1, 2, 2, name="weight", seed=1)]
    return lambda *given: RowReversedInput((1, 1), ((0, 0), (0, 0)))(*given), inputs


FAULTS = {
    "wrong-sign": (lambda: (lambda z: WrongSign()(z), [leaf(2, 2, name="z")]), "tanh", "z"),
    "transposed-weight": (lambda: affine(TransposedWeight), "affine", "weight"),
    "no-sum-over-batch": (lambda: affine(NoSumOverTheBatch), "affine", "bias"),
    "forgotten-input": (lambda: affine(ForgetsOneInput), "affine", "weight"),
    "reversed-rows": (reversed_rows, "conv2d", "image"),
}


@pytest.mark.parametrize(("fault", "element", "name"), FAULTS.values(), ids=FAULTS)
def test_planted_faults_are_found_and_named(fault: Any, element: str, name: str) -> None:
    function, inputs = fault()
    with pytest.raises(GradcheckError, match=rf"element '{element}'.*FAILED") as caught:
        tg.gradcheck(function, *inputs)
    assert re.search(rf"^  {name}\[.*\]: backward\(\) gives ", str(caught.value), re.MULTILINE)
    report = tg.gradcheck(function, *inputs, raises=False)
    assert not report.passed
    assert {failure.input for failure in report.failures} == {name}
    gaps = [failure.difference for failure in report.failures]
    assert gaps == sorted(gaps, reverse=True)
    assert report.worst == report.failures[0]


def test_a_row_reversed_gradient_passes_a_signal_of_ones_where_the_filter_has_one_pixel() -> None:
    # Why the signal is random: with ones, every pixel gets the same, in whatever order.
    image, weight = leaf(1, 1, 4, 3, name="image"), leaf(1, 1, 1, 1, seed=1)
    RowReversedInput((1, 1), ((0, 0), (0, 0)))(image, weight).sum().backward()
    right = leaf(1, 1, 4, 3)
    F.conv2d(right, weight).sum().backward()
    np.testing.assert_array_equal(image.grad.numpy(), right.grad.numpy())
    image.zero_grad()
    report = tg.gradcheck(
        lambda x: RowReversedInput((1, 1), ((0, 0), (0, 0)))(x, weight), image, raises=False
    )
    assert not report.passed


def test_a_failure_gives_index_both_values_and_their_difference() -> None:
    z = leaf(2, 2, name="z")
    report = tg.gradcheck(lambda z: OneElementOff()(z), z, raises=False)
    (failure,) = report.failures
    assert (failure.input, failure.index) == ("z", (1, 0))
    assert failure.analytic - failure.numeric == pytest.approx(0.125)
    text = str(report)
    assert "z[1, 0]: backward() gives " in text
    assert f"{failure.numeric:.9g}" in text
    assert "apart by 0.125" in text
    assert "4 elements compared, 1 differ" in text


def test_an_input_without_a_name_goes_by_its_position() -> None:
    with pytest.raises(GradcheckError, match=r"input 1\[0\]"):
        tg.gradcheck(lambda x, y: x + WrongSign()(y), leaf(1), leaf(1, seed=1))


def test_a_long_list_of_failures_is_cut() -> None:
    report = tg.gradcheck(lambda z: WrongSign()(z), leaf(5, 5), raises=False)
    assert len(report.failures) == 25
    assert str(report).endswith("and 15 more")


def test_a_function_that_cuts_its_graph_is_found() -> None:
    assert not tg.gradcheck(lambda x: x * x.detach(), leaf(2), raises=False).passed
    assert not tg.gradcheck(lambda x: x.detach().tanh(), leaf(2), raises=False).passed


def test_a_wrong_second_derivative_is_found() -> None:
    class WrongSlope(TanhGrad):
        def slope_of_slope(self, a: Any) -> Any:
            return a * 2.0

    class TanhWithWrongSlope(Tanh):
        gradient = WrongSlope

    z = leaf(3, name="z")
    assert tg.gradcheck(lambda z: TanhWithWrongSlope()(z), z).passed
    with pytest.raises(GradcheckError, match=r"gradient of <lambda>.*FAILED"):
        tg.gradgradcheck(lambda z: TanhWithWrongSlope()(z), z)


# -- kinks and ties ----------------------------------------------------------------------


def test_kinks_are_counted_and_not_judged() -> None:
    z = tg.Tensor(np.array([-1.0, 0.0, 2.0, 0.0]), requires_grad=True)
    report = tg.gradcheck(F.relu, z)
    assert (report.passed, report.checked, report.excluded) == (True, 2, 2)
    assert "2 excluded" in str(report)


def test_ties_are_counted_and_not_judged() -> None:
    image = tg.Tensor(np.array([[[[1.0, 3.0], [3.0, 2.0]]]]), requires_grad=True)
    report = tg.gradcheck(lambda x: F.max_pool2d(x, 2), image)
    assert (report.checked, report.excluded) == (2, 2)


def test_the_edge_of_a_domain_is_excluded() -> None:
    report = tg.gradcheck(F.sqrt, tg.Tensor(np.array([0.0, 4.0]), requires_grad=True))
    assert (report.checked, report.excluded) == (1, 1)


def test_strong_curvature_is_no_kink() -> None:
    x = tg.Tensor(np.array([0.0, 1e-3, 3.0, -50.0]), requires_grad=True)
    assert tg.gradcheck(lambda x: x**4 + x * x, x).checked == 4
    assert tg.gradcheck(lambda x: (x * 20.0).tanh(), x).checked == 4


# -- what may be checked -----------------------------------------------------------------


def test_several_inputs_and_outputs_of_both_kinds() -> None:
    def function(x: Any, s: Any, labels: Any) -> Any:
        values, winners = x.max(1)
        return values * tg.stack([s]), winners, s * s, x[labels]

    x, s = leaf(2, 3), tg.Scalar(0.7, requires_grad=True, name="s")
    report = tg.gradcheck(function, x, s, tg.Tensor([1, 0]))
    assert report.checked == 7
    assert [found.input for found in report.inputs] == ["input 0", "s"]
    assert tg.gradgradcheck(function, x, s, tg.Tensor([1, 0])).passed


def test_an_input_that_has_no_influence_has_a_zero_gradient() -> None:
    assert tg.gradcheck(lambda x, y: x * 2.0, leaf(2), leaf(2, seed=1)).checked == 4


def test_parameters_that_a_function_closes_over_can_be_inputs() -> None:
    weight, x = leaf(2, 3, name="weight"), leaf(4, 3, seed=1).detach()
    assert tg.gradcheck(lambda _: F.affine(x, weight).tanh(), weight).checked == 6


def test_inputs_are_afterwards_what_they_were() -> None:
    x, s = leaf(2, 3), tg.Scalar(0.7, requires_grad=True)
    (x.sum() * 2.0).backward()
    kept, value, memory = x.grad, x.numpy().copy(), x._value
    before = x.version.count
    for check in (tg.gradcheck, tg.gradgradcheck):
        check(lambda x, s: x * tg.stack([s]), x, s)
    np.testing.assert_array_equal(x.numpy(), value)
    assert x._value is memory
    assert (x.grad, x.grad_passes, x.version.count) == (kept, 1, before)
    assert (s.item(), s.grad) == (0.7, None)

    def fails(x: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tg.gradcheck(fails, x)
    assert x.grad is kept


def test_read_only_inputs_are_checked() -> None:
    x = leaf(3)
    x._value.flags.writeable = False
    assert tg.gradcheck(F.tanh, x).passed


def test_the_signal_is_random_in_size_and_sign() -> None:
    seen = []

    class Listening(Tanh):
        def backward(self, signal: Any) -> Any:
            seen.append(signal.numpy())
            return super().backward(signal)

    tg.gradcheck(lambda z: Listening()(z), leaf(20))
    (signal,) = seen
    assert signal.min() < -0.5
    assert signal.max() > 0.5
    assert np.abs(signal).min() >= 0.5
    assert len(np.unique(signal)) == 20


def test_the_generator_decides_on_the_signal() -> None:
    def worst(seed: int) -> float:
        drawn = np.random.default_rng(seed)
        return tg.gradcheck(F.exp, leaf(3), generator=drawn).worst.analytic  # type: ignore[union-attr]

    assert worst(1) == worst(1)
    assert worst(1) != worst(2)


REFUSED = {
    "float32": (lambda: tg.gradcheck(F.tanh, tg.Tensor([1.0], requires_grad=True)), DTypeError,
                r"float32 as input 0\. Convert with \.double\(\)"),
    "array": (lambda: tg.gradcheck(F.tanh, np.ones(2)), DTypeError, "ndarray as input 0"),
    "no-leaf": (lambda: tg.gradcheck(F.tanh, leaf(2) * 2.0), GraphError, r"detach\(\)"),
    "nothing-asked": (lambda: tg.gradcheck(F.tanh, leaf(2).detach()), OptionError, "none of 1"),
    "float32-inside": (lambda: tg.gradcheck(lambda x: x.float(), leaf(2)), DTypeError,
                       "float32 as output 0"),
    "no-output": (lambda: tg.gradcheck(lambda x: x.argmax(), leaf(2)), DTypeError, "none of"),
    "a-number": (lambda: tg.gradcheck(lambda x: 1.0, leaf(2)), DTypeError, "float as output 0"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_checked_is_refused(call: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        call()

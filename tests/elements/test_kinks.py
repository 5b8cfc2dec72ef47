"""What stands for a derivative where there is none, and what happens far out."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F

THIRD = 1 / 3


def slope_at(function: Callable[[Any], Any], place: float, kind: str) -> float:
    """Return δ of the input for δ = 1 of the output, at one place, on scalars or on tensors."""
    if kind == "scalar":
        z: Any = tg.Scalar(place, requires_grad=True)
        function(z).backward()
        return float(z.grad)
    z = tg.Tensor(np.array([place, place]), requires_grad=True)
    function(z).sum().backward()
    first, second = z.grad.tolist()
    assert first == second
    return float(first)


KINKS: tuple[tuple[str, Callable[[Any], Any], float, float], ...] = (
    ("relu", F.relu, 0.0, 0.0),
    ("relu-negative-zero", F.relu, -0.0, 0.0),
    ("relu-0", lambda z: F.relu(z, at_zero=0), 0.0, 0.0),
    ("relu-half", lambda z: F.relu(z, at_zero=0.5), 0.0, 0.5),
    ("relu-half-negative-zero", lambda z: F.relu(z, at_zero=0.5), -0.0, 0.5),
    ("relu-1", lambda z: F.relu(z, at_zero=1), 0.0, 1.0),
    ("relu-third", lambda z: F.relu(z, at_zero=THIRD), 0.0, THIRD),
    ("relu-third-above", lambda z: F.relu(z, at_zero=THIRD), 1e-300, 1.0),
    ("relu-third-below", lambda z: F.relu(z, at_zero=THIRD), -1e-300, 0.0),
    ("leaky_relu", lambda z: F.leaky_relu(z, 0.25), 0.0, 0.25),
    ("elu-smooth", F.elu, 0.0, 1.0),
    ("elu", lambda z: F.elu(z, 0.5), 0.0, 0.5),
    ("hardsigmoid-low", lambda z: F.hardsigmoid(z, 0.5), -1.0, 0.0),
    ("hardsigmoid-high", lambda z: F.hardsigmoid(z, 0.5), 1.0, 0.0),
    ("softplus-threshold", lambda z: F.softplus(z, 1.0, 0.0), 0.0, 0.5),
    ("abs", F.abs, 0.0, 0.0),
    ("abs-negative-zero", F.abs, -0.0, 0.0),
    ("l1_loss", lambda z: F.l1_loss(z, z.detach(), "sum"), 2.0, 0.0),
    ("hinge_loss", lambda z: F.hinge_loss(z, z.detach(), reduction="sum"), 1.0, 0.0),
    ("hinge_loss-0", lambda z: F.hinge_loss(z, z.detach() * 0 - 1, 0.0, reduction="sum"), 0.0, 0.0),
)


@pytest.mark.parametrize("kind", ["scalar", "tensor"])
@pytest.mark.parametrize(
    ("function", "place", "slope"), [k[1:] for k in KINKS], ids=[k[0] for k in KINKS]
)
def test_the_derivative_at_a_kink_is_what_the_convention_says(
    function: Callable[[Any], Any], place: float, slope: float, kind: str
) -> None:
    assert slope_at(function, place, kind) == slope


def test_a_score_at_the_margin_counts_nothing() -> None:
    x = tg.Tensor([[2.0, 1.0, 1.5, 0.0]], requires_grad=True)
    F.multi_margin_loss(x, np.array([0])).backward()
    assert x.grad.tolist() == [[-0.25, 0.0, 0.25, 0.0]]


@pytest.mark.parametrize("number", [0, 0.5, 1, THIRD])
def test_a_story_tells_the_derivative_that_was_chosen(number: float) -> None:
    with tg.explain.record():
        loss = F.relu(tg.Tensor([0.0, 1.0], requires_grad=True), at_zero=number).sum()
        loss.backward()
    assert f"relu: the derivative at z = 0 is {number:g}" in tg.explain.story(loss)


def test_the_second_derivative_of_a_rectifier_is_zero_whatever_was_chosen() -> None:
    z = tg.Tensor([-1.0, 0.0, 2.0], requires_grad=True)
    (F.relu(z, at_zero=0.5) * z).sum().backward(create_graph=True)
    first = z.grad
    assert first.tolist() == [0.0, 0.0, 4.0]


FAR = (-math.inf, -1e3, 1e3, math.inf)
EXPECTED: dict[Callable[[Any], Any], tuple[tuple[float, ...], tuple[float, ...]]] = {
    F.elu: ((-1.0, -1.0, 1e3, math.inf), (0.0, 0.0, 1.0, 1.0)),
    F.softplus: ((0.0, 0.0, 1e3, math.inf), (0.0, 0.0, 1.0, 1.0)),
    F.hardsigmoid: ((0.0, 0.0, 1.0, 1.0), (0.0,) * 4),
    F.relu: ((0.0, 0.0, 1e3, math.inf), (0.0, 0.0, 1.0, 1.0)),
    F.abs: ((math.inf, 1e3, 1e3, math.inf), (-1.0, -1.0, 1.0, 1.0)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", EXPECTED)
def test_nothing_overflows_far_out_and_nan_stays_nan(
    function: Callable[[Any], Any], dtype: type
) -> None:
    values, slopes = EXPECTED[function]
    z = tg.Tensor(np.array(FAR, dtype), requires_grad=True)
    a = function(z)
    a.backward(tg.Tensor(np.ones(4, dtype)))
    assert tuple(a.tolist()) == values
    assert tuple(z.grad.tolist()) == slopes
    for place, value, slope in zip(FAR, values, slopes, strict=True):
        scalar = tg.Scalar(place, requires_grad=True)
        result = function(scalar)
        result.backward()
        assert (float(result), float(scalar.grad)) == (value, slope)
    assert math.isnan(function(tg.Tensor(np.array([np.nan], dtype))).item())
    assert math.isnan(float(function(tg.Scalar(math.nan))))


@given(st.floats(-700.0, 700.0), st.floats(0.1, 4.0))
def test_softplus_keeps_the_digits_of_small_values(z: float, beta: float) -> None:
    value = F.softplus(tg.Scalar(z), beta, math.inf).item()
    # softplus(z) - softplus(-z) = z, and both are positive
    other = F.softplus(tg.Scalar(-z), beta, math.inf).item()
    assert value - other == pytest.approx(z, rel=1e-14, abs=1e-14)
    if beta * z < -30.0 and beta * z > -700.0:
        assert value == pytest.approx(math.exp(beta * z) / beta, rel=1e-12)


@pytest.mark.parametrize("truth", [0.0, 1.0])
@pytest.mark.parametrize("logit", [-1e3, -40.0, 40.0, 1e3])
def test_binary_cross_entropy_is_exact_for_large_logits(logit: float, truth: float) -> None:
    x = tg.Scalar(logit, requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, truth)
    loss.backward()
    wrong = logit if truth == 0.0 else -logit
    assert loss.item() == pytest.approx(max(wrong, 0.0) + math.exp(-abs(wrong)), rel=1e-15)
    probability = math.exp(min(wrong, 0.0)) / (1.0 + math.exp(-abs(wrong)))  # of the other answer
    expected = probability if truth == 0.0 else -probability
    assert float(x.grad) == pytest.approx(expected, rel=1e-12, abs=1e-300)


def test_rbf_loss_takes_penalties_of_any_size() -> None:
    s = tg.Tensor(np.array([[-1e4, -2e4, -3e4], [0.0, -1e4, -5.0]]), requires_grad=True)
    losses = F.rbf_loss(s, np.array([0, 1]), reduction="none")
    losses.sum().backward()
    assert losses.tolist()[0] == pytest.approx(1e4 - 0.1)  # the rubbish class is nearer
    assert np.isfinite(s.grad.numpy()).all()
    np.testing.assert_allclose(s.grad.numpy()[0], [-1.0, 0.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("function", [F.cross_entropy, F.nll_loss])
def test_a_batch_of_ignored_labels_has_no_mean_and_sends_no_signal(function: Any) -> None:
    x = tg.Tensor(np.ones((2, 3)), requires_grad=True)
    loss = function(x, np.array([-100, -100]))
    loss.backward()
    assert math.isnan(loss.item())
    assert not x.grad.numpy().any()


def test_a_class_weight_changed_before_backward_is_noticed() -> None:
    weight = tg.Tensor(np.ones(3, np.float32), name="class_weight")
    x = tg.Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    loss = F.cross_entropy(x, np.array([0, 1]), weight)
    weight[...] = 2.0
    with pytest.raises(tg.errors.GraphError, match="'class_weight' for its gradient; got it chang"):
        loss.backward()


def test_penalties_on_weights_are_ordinary_sums() -> None:
    w = tg.Tensor([-2.0, 0.0, 3.0], requires_grad=True)
    (0.5 * abs(w).sum() + 0.1 * (w * w).sum()).backward()
    assert w.grad.tolist() == pytest.approx([-0.5 - 0.4, 0.0, 0.5 + 0.6])


@pytest.mark.parametrize(("place", "slope"), [(0.0, 1.0), (1.0, 1.0), (-0.1, 0.0), (1.1, 0.0)])
def test_at_a_bound_a_clamp_lets_the_error_signal_through(place: float, slope: float) -> None:
    assert slope_at(lambda z: F.clamp(z, 0, 1), place, "tensor") == slope
    assert np.isnan(F.clamp(tg.Tensor([math.nan]), 0, 1).item())

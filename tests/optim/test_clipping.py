"""Gradient clipping: norms against float64 and PyTorch, in place, NaN and infinity."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DivergedError, DTypeError, OptionError
from tinygrad_cnn.graph import Node
from tinygrad_cnn.optim import clip_grad_norm_, clip_grad_value_

SHAPES = ((), (7,), (3, 4), (70_000,), (0, 2))
NORMS = [0.5, 1.0, 2.0, 3.0, math.inf]


def parameters(dtype: type = np.float32) -> list[tg.Tensor]:
    generator = np.random.default_rng(3)
    made = []
    for shape in SHAPES:
        made.append(tg.Tensor(np.zeros(shape, dtype), requires_grad=True))
        made[-1].grad = tg.Tensor(np.asarray(generator.normal(size=shape), dtype))
    return [*made, tg.Tensor(np.ones(3, dtype), requires_grad=True)]  # one without a gradient


def gradients(made: list[tg.Tensor]) -> list[np.ndarray]:
    return [p.grad.numpy().copy() for p in made if p.grad is not None]


@pytest.mark.parametrize("norm_type", NORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("max_norm", [0.0, 0.1, 1e12, math.inf])
def test_the_norm_of_all_gradients_is_bounded(norm_type, dtype, max_norm) -> None:
    made = parameters(dtype)
    before = gradients(made)
    joined = np.concatenate([g.reshape(-1) for g in before]).astype(np.float64)
    wanted = np.linalg.norm(joined, norm_type)
    norm = clip_grad_norm_(made, max_norm, norm_type)
    unit = 4 * np.finfo(dtype).eps
    assert norm.shape == ()
    assert norm.dtype == dtype
    np.testing.assert_allclose(norm.item(), wanted, rtol=max(unit, 1e-11))
    factor = min(1.0, max_norm / (wanted + 1e-6))
    for g, was in zip(gradients(made), before, strict=True):
        np.testing.assert_allclose(g, was * factor, rtol=max(unit, 1e-11))


@pytest.mark.parity
@pytest.mark.parametrize("norm_type", NORMS)
@pytest.mark.parametrize("max_norm", [0.1, 1e12])
def test_norms_and_gradients_are_those_of_pytorch(norm_type, max_norm) -> None:
    torch = pytest.importorskip("torch")
    made = parameters(np.float64)
    twins = [torch.tensor(p.numpy().copy(), requires_grad=True) for p in made]
    for twin, parameter in zip(twins, made, strict=True):
        if parameter.grad is not None:
            twin.grad = torch.tensor(parameter.grad.numpy().copy())
    norm = clip_grad_norm_(made, max_norm, norm_type)
    # PyTorch has no norm inf of nothing
    twins = [twin for twin in twins if twin.numel()]
    other = torch.nn.utils.clip_grad_norm_(twins, max_norm, norm_type)
    np.testing.assert_allclose(norm.item(), other.item(), rtol=1e-11)
    clip_grad_value_(made, 0.01)
    torch.nn.utils.clip_grad_value_(twins, 0.01)
    found = [g for g in gradients(made) if g.size]
    for g, twin in zip(found, [t for t in twins if t.grad is not None], strict=True):
        np.testing.assert_allclose(g, twin.grad.numpy(), rtol=1e-11)


@given(
    values=st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=9),
    max_norm=st.floats(1e-6, 1e6),
    norm_type=st.sampled_from(NORMS),
)
def test_a_clipped_norm_is_at_most_what_was_asked_and_the_direction_stays(
    values: list, max_norm: float, norm_type: float
) -> None:
    w = tg.Tensor(np.zeros(len(values)), requires_grad=True)
    w.grad = tg.Tensor(np.array(values))
    clip_grad_norm_(w, max_norm, norm_type)
    after = w.grad.numpy()
    assert clip_grad_norm_(w, math.inf, norm_type).item() <= max_norm * (1 + 1e-12)
    factor = np.abs(after).max() / max(np.abs(values).max(), 1e-300)
    np.testing.assert_allclose(after, np.array(values) * factor, rtol=1e-9, atol=1e-300)


def test_values_are_cut_off_and_a_nan_stays() -> None:
    w = tg.Tensor(np.zeros(4), requires_grad=True)
    w.grad = tg.Tensor([3.0, -3.0, 0.5, math.nan], dtype=np.float64)
    clip_grad_value_(w, 1)
    np.testing.assert_array_equal(w.grad.numpy(), [1.0, -1.0, 0.5, math.nan])


def test_gradients_change_in_place_and_backward_notices() -> None:
    w = tg.Tensor([3.0, 4.0], requires_grad=True)
    w.grad = held = tg.Tensor([3.0, 4.0])
    clip_grad_norm_(iter([w]), 1.0)
    assert held is w.grad
    np.testing.assert_allclose(held.numpy(), [0.6, 0.8], rtol=1e-6)
    assert held.version.count > 0


def test_a_gradient_whose_values_share_memory_is_replaced() -> None:
    w = tg.Tensor([0.0, 0.0], requires_grad=True)
    ones = np.broadcast_to(np.ones(1, np.float32), (2,))
    for clip in (lambda: clip_grad_value_(w, 0.5), lambda: clip_grad_norm_(w, 0.5, math.inf)):
        w.grad = tg.Tensor.wrap(ones, Node((2,), ones.dtype, "cpu"))
        clip()
        np.testing.assert_allclose(w.grad.numpy(), 0.5, rtol=1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_norm_that_is_no_number_is_refused_where_that_is_asked_for(bad) -> None:
    w = tg.Tensor([1.0, 1.0], requires_grad=True)
    w.grad = tg.Tensor([1.0, bad])
    with pytest.raises(DivergedError, match=r"clip_grad_norm_: .* finite number; got (nan|inf)"):
        clip_grad_norm_([w], 1.0, error_if_nonfinite=True)
    assert w.grad.tolist()[0] == 1.0
    clip_grad_norm_([w], 1.0)  # as in PyTorch: 1 / inf = 0, and 0 · inf = NaN
    assert np.isnan(w.grad.numpy()).tolist() == [math.isnan(bad), True]


def test_nothing_to_clip_has_no_norm() -> None:
    w = tg.Tensor([1.0], requires_grad=True)
    assert clip_grad_norm_([w], 1.0).item() == 0.0
    assert clip_grad_norm_([], 1.0, math.inf).item() == 0.0
    clip_grad_value_([], 1.0)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda w: clip_grad_norm_([w], -1.0), OptionError, "max_norm is a number .*; got -1.0"),
        (lambda w: clip_grad_norm_([w], math.nan), OptionError, "max_norm is .*; got nan"),
        (lambda w: clip_grad_norm_([w], "1"), OptionError, "max_norm is .*; got '1'"),
        (lambda w: clip_grad_norm_([w], 1.0, 0), OptionError, "norm_type is .* above 0.*; got 0"),
        (lambda w: clip_grad_norm_([w], 1.0, "fro"), OptionError, "norm_type is .*; got 'fro'"),
        (lambda w: clip_grad_value_([w], -0.1), OptionError, "clip_value is .*; got -0.1"),
        (lambda w: clip_grad_value_(3, 1.0), DTypeError, "list of tensors; got one int"),
        (lambda w: clip_grad_norm_([1.0], 1.0), DTypeError, "got a float at position 0"),
    ],
)
def test_what_cannot_be_clipped_is_refused(call, error, match) -> None:
    with pytest.raises(error, match=match):
        call(tg.Tensor([1.0], requires_grad=True))

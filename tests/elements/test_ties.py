"""Who receives the error signal where several values are the largest."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F

# Shares of an error signal of 12 over the values 3, 7, 7, 1, 7, of which three are largest.
SHARES = {
    "first": [0, 12, 0, 0, 0],
    "last": [0, 0, 0, 0, 12],
    "split": [0, 4, 4, 0, 4],
    "all": [0, 12, 12, 0, 12],
}
VALUES = [3.0, 7.0, 7.0, 1.0, 7.0]
every_choice = pytest.mark.parametrize("ties", SHARES)


def leaf(values: Any) -> tg.Tensor:
    return tg.Tensor(np.array(values, np.float64), requires_grad=True)


def sent(result: tg.Tensor, x: tg.Tensor, signal: Any) -> list[Any]:
    x.zero_grad()
    result.backward(tg.Tensor(np.broadcast_to(np.array(signal, np.float64), result.shape)))
    return x.grad.tolist()


@every_choice
def test_a_window_with_ties_shares_its_error_signal_as_chosen(ties: str) -> None:
    x = leaf([[[VALUES]]])
    assert sent(F.max_pool2d(x, (1, 5), ties=ties), x, 12) == [[[SHARES[ties]]]]


@every_choice
@pytest.mark.parametrize(("function", "sign"), [(F.max, 1), (F.min, -1)])
def test_a_reduction_with_ties_shares_its_error_signal_as_chosen(
    ties: str, function: Any, sign: int
) -> None:
    x = leaf([[sign * v for v in VALUES]] * 2)
    assert sent(function(x, 1, ties=ties), x, 12) == [SHARES[ties]] * 2
    assert sent(function(x, 1, keepdim=True, ties=ties), x, 12) == [SHARES[ties]] * 2
    flat = leaf([sign * v for v in VALUES])
    assert sent(function(flat, ties=ties), flat, 12) == SHARES[ties]


@every_choice
def test_nan_ties_with_nan(ties: str) -> None:
    nan = float("nan")
    values = [9.0, nan, nan, 1.0, nan]
    x = leaf([[[values]]])
    assert sent(F.max_pool2d(x, (1, 5), ties=ties), x, 12) == [[[SHARES[ties]]]]
    for function in (F.max, F.min):
        flat = leaf(values)
        assert sent(function(flat, ties=ties), flat, 12) == SHARES[ties]


@every_choice
def test_windows_that_overlap_add_their_shares(ties: str) -> None:
    x = leaf([[[[5.0, 5.0, 5.0]]]])
    expected = {"first": [1, 2, 0], "last": [0, 1, 2], "split": [0.5, 1.5, 1], "all": [1, 3, 2]}
    assert sent(F.max_pool2d(x, (1, 2), 1, ties=ties), x, [1, 2]) == [[[expected[ties]]]]


@every_choice
def test_a_border_never_wins_though_all_values_are_infinitely_low(ties: str) -> None:
    x = leaf(np.full((1, 1, 2, 2), -np.inf))
    received = sent(F.max_pool2d(x, 2, padding=1, ties=ties), x, 1)
    assert received == [[[[1, 1], [1, 1]]]]


@every_choice
def test_the_second_derivative_follows_the_same_choice(ties: str) -> None:
    """With y = max(x)², δ(x) = 2 y s: its sum has the slope 2 s Σs along the winners."""
    x = leaf([[[VALUES]]])
    (F.max_pool2d(x, (1, 5), ties=ties) ** 2).backward(
        tg.Tensor(np.ones((1, 1, 1, 1))), create_graph=True
    )
    first, shares = x.grad, np.array(SHARES[ties]) / 12
    np.testing.assert_allclose(first.numpy()[0, 0, 0], 14 * shares)
    x.zero_grad()
    first.sum().backward()
    np.testing.assert_allclose(x.grad.numpy()[0, 0, 0], 2 * shares * shares.sum())


def test_gradcheck_excludes_ties_whoever_receives_the_signal() -> None:
    for ties in SHARES:
        report = tg.gradcheck(
            lambda x, ties=ties: F.max_pool2d(x, (1, 5), ties=ties), leaf([[[VALUES]]])
        )
        assert report.passed
        assert report.excluded == 3


def test_a_story_names_the_choice() -> None:
    x = leaf([[[VALUES]]])
    with tg.explain.record():
        y = F.max_pool2d(x, (1, 5), ties="split").sum()
    text = tg.explain.story(y)
    assert "ties=split" in text or "ties split" in text
    assert "note: max_pool2d_shared: equal values share the error signal" in text


@pytest.mark.parametrize("ties", ["first", "last"])
def test_indices_are_those_of_the_winners(ties: str) -> None:
    x = leaf([[[[1, 5, 0], [5, 2, 8]]]])
    _, indices = F.max_pool2d(x, (2, 2), 1, return_indices=True, ties=ties)
    assert indices.tolist() == [[[[1 if ties == "first" else 3, 5]]]]

"""Scalars: Python floats in the same graph, by the same elements."""

import math
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import GraphError

NAN, INF = math.nan, math.inf


def scalar(value: float) -> tg.Scalar:
    return tg.Scalar(value, requires_grad=True)


ARITHMETIC: list[tuple[str, Callable[..., Any], Callable[..., float]]] = [
    ("add", lambda x, y: x + y, lambda x, y: x + y),
    ("add-number", lambda x, y: 2 + x + 1.5, lambda x, y: x + 3.5),
    ("subtract", lambda x, y: x - y, lambda x, y: x - y),
    ("subtract-number", lambda x, y: (5 - x) - 1, lambda x, y: 4 - x),
    ("multiply", lambda x, y: x * y * 2, lambda x, y: 2 * x * y),
    ("divide", lambda x, y: x / y, lambda x, y: x / y),
    ("divide-number", lambda x, y: 3 / x / 2, lambda x, y: 1.5 / x),
    ("power", lambda x, y: x**y, lambda x, y: x**y),
    ("power-number", lambda x, y: 2**x + x**3, lambda x, y: 2**x + x**3),
    ("negate", lambda x, y: -x, lambda x, y: -x),
    ("exp", lambda x, y: x.exp(), lambda x, y: math.exp(x)),
    ("log", lambda x, y: x.log(), lambda x, y: math.log(x)),
    ("sqrt", lambda x, y: x.sqrt(), lambda x, y: math.sqrt(x)),
    ("sigmoid", lambda x, y: x.sigmoid(), lambda x, y: 1 / (1 + math.exp(-x))),
    ("tanh", lambda x, y: x.tanh(), lambda x, y: math.tanh(x)),
    ("relu", lambda x, y: x.relu() * y, lambda x, y: max(0.0, x) * y),
    ("scaled-tanh", lambda x, y: F.scaled_tanh(x), lambda x, y: 1.7159 * math.tanh(2 / 3 * x)),
    ("affine", lambda x, y: F.affine(x, y, x), lambda x, y: x * y + x),
    ("affine-no-bias", lambda x, y: F.affine(x, y), lambda x, y: x * y),
    ("squared-error", F.squared_error, lambda x, y: 0.5 * (y - x) ** 2),
    ("mse", F.mse_loss, lambda x, y: (y - x) ** 2),
]


@pytest.mark.parametrize(("_", "ours", "plain"), ARITHMETIC, ids=[row[0] for row in ARITHMETIC])
def test_arithmetic_and_its_derivatives(_: str, ours: Any, plain: Any) -> None:
    x, y = scalar(1.25), scalar(0.75)
    result = ours(x, y)
    assert isinstance(result, tg.Scalar)
    assert type(result._value) is float
    assert result.item() == pytest.approx(plain(1.25, 0.75), rel=1e-14)
    assert tg.gradcheck(ours, x, y).excluded == 0
    tg.gradgradcheck(ours, x, y)


EDGES: list[tuple[str, Callable[[], Any], float]] = [
    ("1/0", lambda: scalar(1.0) / 0.0, INF),
    ("-1/0", lambda: scalar(-1.0) / 0.0, -INF),
    ("1/-0", lambda: scalar(1.0) / -0.0, -INF),
    ("0/0", lambda: scalar(0.0) / 0.0, NAN),
    ("nan/0", lambda: scalar(NAN) / 0.0, NAN),
    ("log 0", lambda: scalar(0.0).log(), -INF),
    ("log -1", lambda: scalar(-1.0).log(), NAN),
    ("log inf", lambda: scalar(INF).log(), INF),
    ("sqrt -1", lambda: scalar(-1.0).sqrt(), NAN),
    ("exp 1000", lambda: scalar(1000.0).exp(), INF),
    ("exp -1000", lambda: scalar(-1000.0).exp(), 0.0),
    ("sigmoid -1000", lambda: scalar(-1000.0).sigmoid(), 0.0),
    ("sigmoid 1000", lambda: scalar(1000.0).sigmoid(), 1.0),
    ("sigmoid nan", lambda: scalar(NAN).sigmoid(), NAN),
    ("relu nan", lambda: scalar(NAN).relu(), NAN),
    ("relu -inf", lambda: scalar(-INF).relu(), 0.0),
    ("tanh inf", lambda: scalar(INF).tanh(), 1.0),
    ("0**-1", lambda: scalar(0.0) ** -1, INF),
    ("-0**-1", lambda: scalar(-0.0) ** -1, -INF),
    ("0**0", lambda: scalar(0.0) ** 0, 1.0),
    ("-8**(1/3)", lambda: scalar(-8.0) ** (1 / 3), NAN),
    ("1e200**2", lambda: scalar(1e200) ** 2, INF),
    ("-1e200**3", lambda: scalar(-1e200) ** 3, -INF),
    ("inf-inf", lambda: scalar(INF) - INF, NAN),
]


@pytest.mark.parametrize(("_", "run", "expected"), EDGES, ids=[row[0] for row in EDGES])
def test_edges_follow_ieee_754_and_never_raise(_: str, run: Any, expected: float) -> None:
    result = run()
    np.testing.assert_equal(result.item(), expected)
    result.backward()


def test_edges_of_scalars_and_tensors_agree() -> None:
    for run in (
        lambda x: x.log(),
        lambda x: x.sqrt(),
        lambda x: x.exp(),
        lambda x: x.sigmoid(),
        lambda x: x.relu(),
        lambda x: x.tanh(),
        lambda x: 1.0 / x,
        lambda x: x**-1,
        lambda x: x**2,
    ):
        for value in (0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, 1e308, -1e308):
            single = run(tg.Scalar(value)).item()
            array = run(tg.Tensor(np.array(value))).item()
            np.testing.assert_allclose(single, array, rtol=1e-15, atol=0)
            assert math.copysign(1, single) == math.copysign(1, array) or math.isnan(single)


def test_comparisons_look_at_the_number() -> None:
    x, y = tg.Scalar(1.0), tg.Scalar(2.0)
    assert x < y
    assert x <= 1.0
    assert y > 1
    assert y >= x
    assert x == 1.0
    assert x != y
    assert bool(x)
    assert not tg.Scalar(0.0)
    assert sorted([y, x])[0] is x
    assert len({x, tg.Scalar(1.0)}) == 2  # two variables, however equal


def test_a_scalar_shows_its_number() -> None:
    x = tg.Scalar(0.1234567, name="x")
    assert repr(x) == "Scalar(0.1234567)"
    assert f"{x:.2f}" == "0.12"
    assert f"{x}" == repr(x)
    assert float(x) == x.item() == x.data == 0.1234567
    assert (x.shape, x.dtype, x.device, x.name) == ((), np.float64, "scalar", "x")


def test_data_changes_in_place_and_what_was_saved_stays() -> None:
    w, x = scalar(2.0), scalar(3.0)
    product = w * x
    w.data -= 0.5
    x.data = tg.Scalar(7.0)
    assert (w.item(), x.item()) == (1.5, 7.0)
    product.backward()
    assert (w.grad.item(), x.grad.item()) == (3.0, 2.0)


def test_the_update_of_every_tutorial_changes_a_scalar_in_place() -> None:
    w = same = scalar(2.0)
    (w * w).backward()
    with tg.no_grad():
        w -= 0.25 * w.grad
        assert w is same
        w += 1
        w *= 4.0
        w /= 2.0
        w **= 2
    assert w is same
    assert (w.item(), w.requires_grad, w.is_leaf) == (16.0, True, True)


def test_in_place_arithmetic_on_a_recorded_scalar_makes_a_new_one() -> None:
    x = scalar(3.0)
    total = first = x * 2.0
    total += x
    total **= 2
    assert (total.item(), first.item()) == (81.0, 6.0)
    total.backward()
    assert x.grad.item() == 2 * 9 * 3
    plain = same = tg.Scalar(1.0)
    plain += 1.0  # nothing is recorded
    assert plain is same
    plain += x
    assert plain is not same
    assert same.item() == 2.0


@pytest.mark.parametrize(
    "change",
    [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow],
)
def test_a_leaf_that_requires_a_gradient_is_not_changed_while_recording(change: Any) -> None:
    for leaf in (scalar(2.0), tg.Tensor([2.0], requires_grad=True)):
        with pytest.raises(GraphError, match="in-place arithmetic"):
            change(leaf, 2.0)
        assert leaf.item() == 2.0


def test_numpy_numbers_are_numbers() -> None:
    x = scalar(2.0)
    assert isinstance(np.float64(3.0) * x, tg.Scalar)
    assert isinstance(x + np.float32(1.0), tg.Scalar)
    assert type((x + np.int64(1)).item()) is float


def test_a_pickled_scalar_is_a_leaf() -> None:
    product = scalar(2.0) * 3.0
    twin = pickle.loads(pickle.dumps(product))
    assert (twin.item(), twin.is_leaf, twin.requires_grad) == (6.0, True, True)


# -- the same net on floats and on arrays ------------------------------------------------

XOR = (((0.0, 0.0), 0.0), ((0.0, 1.0), 1.0), ((1.0, 0.0), 1.0), ((1.0, 1.0), 0.0))
HIDDEN, STEPS, RATE = 4, 250, 0.5


def start() -> dict[str, Any]:
    g = np.random.default_rng(3)
    shapes = {"w1": (HIDDEN, 2), "b1": (HIDDEN,), "w2": (1, HIDDEN), "b2": (1,)}
    return {name: g.normal(size=shape) for name, shape in shapes.items()}


def trained_on_floats() -> tuple[float, list[float]]:
    values = start()
    w1 = [[scalar(float(v)) for v in row] for row in values["w1"]]
    b1 = [scalar(float(v)) for v in values["b1"]]
    w2 = [scalar(float(v)) for v in values["w2"][0]]
    b2 = scalar(float(values["b2"][0]))
    parameters = [*(w for row in w1 for w in row), *b1, *w2, b2]
    for _ in range(STEPS):
        total: Any = 0.0
        for inputs, target in XOR:
            hidden = [
                sum((w * x for w, x in zip(row, inputs, strict=True)), b).tanh()
                for row, b in zip(w1, b1, strict=True)
            ]
            out = sum((w * h for w, h in zip(w2, hidden, strict=True)), b2).sigmoid()
            total = total + F.squared_error(out, tg.Scalar(target))
        total.backward()
        for parameter in parameters:
            with tg.no_grad():
                parameter -= RATE * parameter.grad
            parameter.zero_grad()
    return total.item(), [parameter.item() for parameter in parameters]


def trained_on_arrays() -> tuple[float, list[float]]:
    p = {name: tg.Tensor(v, requires_grad=True) for name, v in start().items()}
    x = tg.Tensor(np.array([inputs for inputs, _ in XOR]))
    y = tg.Tensor(np.array([[target] for _, target in XOR]))
    for _ in range(STEPS):
        hidden = F.affine(x, p["w1"], p["b1"]).tanh()
        total = F.squared_error(F.affine(hidden, p["w2"], p["b2"]).sigmoid(), y)
        total.backward()
        with tg.no_grad():
            for parameter in p.values():
                parameter -= RATE * parameter.grad
                parameter.zero_grad()
    return total.item(), [float(v) for q in p.values() for v in q.numpy().ravel()]


def test_xor_is_learned_on_floats_as_on_arrays() -> None:
    float_loss, float_weights = trained_on_floats()
    array_loss, array_weights = trained_on_arrays()
    assert float_loss < 0.05
    assert float_loss == pytest.approx(array_loss, rel=1e-8)
    assert float_weights == pytest.approx(array_weights, rel=1e-8)

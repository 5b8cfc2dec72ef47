"""Diagnoses of random networks, own elements and other programs; and none where all is right."""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.element import ELEMENTS, FunctionElement
from tinygrad_cnn.errors import DTypeError, GraphError, OptionError, ShapeError, UnknownNameError
from tinygrad_cnn.explain import FAULTS, diagnose, fault, hit_rate
from tinygrad_cnn.explain.faults.expected import expected, faults_of, is_known
from tinygrad_cnn.explain.faults.patterns import patterns, residual
from tinygrad_cnn.explain.faults.random_nets import RandomNet
from tinygrad_cnn.explain.faults.watching import watch
from tinygrad_cnn.kernels import registry
from tinygrad_cnn.models.registry import names
from tinygrad_cnn.rule import Rule

RULES = [each.name for each in FAULTS.values() if each.kind == "rule"]
Relu: Any = ELEMENTS["relu"]
Tanh: Any = ELEMENTS["tanh"]
Conv2d: Any = ELEMENTS["conv2d"]
Affine: Any = ELEMENTS["affine"]
Softmax: Any = ELEMENTS["softmax"]


def leaf(*shape: int, name: str, seed: int = 0) -> tg.Tensor:
    values = np.random.default_rng(seed).normal(size=shape)
    return tg.Tensor(values, requires_grad=True, name=name)


# -- how often it is right -----------------------------------------------------------------


def test_every_fault_is_named_in_a_random_network() -> None:
    rates = hit_rate(1, seed=11)
    assert len(rates.rows) == len(FAULTS) + 1
    assert all(row.nets == 1 for row in rates.rows[:-1]), str(rates)
    assert rates.first == rates.among_three == 1.0, str(rates)
    assert rates.false_alarms == 0, str(rates)
    assert rates.rows[-1].nets == len(FAULTS)
    assert f"{len(FAULTS)} networks with a fault: 100.0% named first" in str(rates)
    assert "<td>kernel_not_turned</td><td>1</td>" in rates._repr_html_()


@pytest.mark.full
def test_so_it_is_in_many() -> None:
    rates = hit_rate(8, seed=90_000)
    assert rates.first >= 0.98, str(rates)
    assert rates.among_three >= 0.99, str(rates)
    assert rates.false_alarms == 0, str(rates)


@pytest.mark.parametrize("seed", range(12))
def test_a_right_network_is_called_right(seed: int) -> None:
    found = diagnose(RandomNet(seed))
    assert not found.found, str(found)
    assert found.fault is None
    assert not found.unjudged
    assert found.verdict.startswith("no fault found in")


def test_zeros_and_ties_raise_no_alarm() -> None:
    # An image without a stroke: every convolution is its bias, every maximum a tie, every
    # rectifier stands at its kink.
    image = tg.Tensor(np.zeros((2, 1, 8, 8)))
    weight = leaf(3, 1, 3, 3, name="w")
    bias = tg.Tensor(np.array([0.0, 1.0, -1.0]), requires_grad=True, name="b")

    def program() -> Any:
        x = F.conv2d(image, weight, bias, padding=1, activation="relu")
        x = F.max_pool2d(F.relu(F.max_pool2d(x, 2) - 0.5), 2)
        return (x * x).sum()

    found = diagnose(program)
    assert not found.found, str(found)


@pytest.mark.full
@pytest.mark.parametrize("model", names())
def test_no_model_raises_an_alarm(model: str) -> None:
    row = tg.models.find(model)
    tg.manual_seed(0)
    network = row.build_twin()
    rng = np.random.default_rng(0)
    images = tg.Tensor(rng.uniform(size=(3, *row.twin_input)).astype(np.float32))
    labels = np.arange(3) % 2
    found = diagnose(lambda: row.loss(network(images), labels))
    assert not found.found, str(found)


@pytest.mark.full
@pytest.mark.parametrize("model", ["lenet5_original", "resnet20", "googlenet", "vgg11_bn"])
def test_what_is_found_in_a_model_is_named(model: str) -> None:
    row = tg.models.find(model)
    tg.manual_seed(0)
    network = row.build_twin()
    images = np.random.default_rng(0).uniform(size=(3, *row.twin_input)).astype(np.float32)
    found = {}
    for name in (*RULES, "fan_in_overwritten"):
        with fault(name):
            found[name] = diagnose(lambda: row.loss(network(tg.Tensor(images)), np.arange(3) % 2))
    shown = {name: each.fault for name, each in found.items() if each.found}
    assert len(shown) >= 8
    assert shown == {name: name for name in shown}


# -- its parts: the rules in NumPy against the engine ---------------------------------------


def shaken(array: Any, share: float, draw: np.random.Generator) -> Any:
    """Return an array each of whose numbers is a share of itself larger or smaller."""
    return array * (1 + share * draw.choice((-1, 1), array.shape))


@given(st.integers(0, 10**6), st.sampled_from(RULES))
@example(5833, "relu_mask_of_signal")
@settings(max_examples=40, deadline=None)
def test_written_out_rules_agree_with_the_engine(seed: int, name: str) -> None:
    tg.manual_seed(seed)
    net = RandomNet(seed, FAULTS[name].touches)
    for switched in (None, name):
        if switched is None:
            seen = watch(net)
        else:
            with fault(name):
                seen = watch(net)
        seen.restore()
        for visit in seen.walked():
            if not is_known(visit):
                continue
            wrong = switched if switched in faults_of(visit) else None
            total = sum(np.abs(each).sum() for each in visit.outgoing if each is not None)
            rounding = 1e-5 if visit.single else 1e-13
            would = expected(visit, wrong)
            # A batch norm magnifies the rounding of a channel that is constant, and of an error
            # signal that cancels: the rule itself says how far.
            draw = np.random.default_rng(seed)
            outgoing = tuple(
                each if each is None else shaken(each, rounding, draw) for each in visit.outgoing
            )
            other = visit.receiving(outgoing)
            if visit.family == "batch_norm":
                inputs = tuple(shaken(each, rounding, draw) for each in visit.inputs)
                other = replace(other, inputs=inputs)
            carried = expected(other, wrong)
            for position, sent in visit.sent().items():
                magnified = float(np.linalg.norm(carried[position] - would[position]))
                noise = max(rounding * float(total), magnified)
                away = residual(sent, would[position], noise)
                assert away < (1e-4 if visit.single else 1e-8), (visit.place, net.description)


def test_patterns_are_put_into_words() -> None:
    right = np.arange(1.0, 10.0).reshape(3, 3)
    rows: list[tuple[Any, str]] = [
        (-right, "-1 times"),
        (right / 16, "0.0625 times"),
        (right[::-1, ::-1], "turned by 180°"),
        (right.T, "transposed"),
        (np.roll(right, (1, 1), (0, 1)), "moved by 1 down and 1 to the right"),
        (right * np.eye(3), "it is 0 at 6 of 9 places"),
        (np.full((3, 3), np.nan), "9 of 9 elements are no numbers"),
    ]
    for sent, words in rows:
        assert words in next(patterns(sent, right))
    assert "not 0 at 6 of 6" in next(patterns(right + 20, right * np.eye(3)))


# -- elements of one's own -------------------------------------------------------------------


class MaskOfSignal(Relu):
    def backward(self, signal: Any) -> Any:
        return F.relu(signal)


class Leaks(Relu):
    def backward(self, signal: Any) -> Any:
        return super().backward(signal) + signal * 0.01


class WrongSign(Tanh):
    def backward(self, signal: Any) -> Any:
        return -super().backward(signal)


class Unturned(Conv2d):
    def backward(self, signal: Any) -> Any:
        weight = tg.Tensor(self.saved("weight").numpy()[:, :, ::-1, ::-1].copy())
        _, to_weight, *rest = super().backward(signal)
        return self.grad_input(signal, weight, self.inputs[0].shape), to_weight, *rest


class OneImageOnly(Affine):
    def backward(self, signal: Any) -> Any:
        to_x, to_weight, _ = super().backward(signal)
        return to_x, to_weight, signal[0]


class NoCrossTerms(Softmax):
    def backward(self, signal: Any) -> Any:
        y = self.saved("y")
        return signal * y * (1.0 - y)


class NotANumber(Tanh):
    def backward(self, signal: Any) -> Any:
        return super().backward(signal) * math_nan()


def math_nan() -> float:
    return float("nan")


def convolved(element: Any) -> Any:
    x, w = leaf(2, 2, 6, 6, name="x"), leaf(3, 2, 3, 3, name="w", seed=1)
    return lambda: F.tanh(element((1, 1), ((1, 1), (1, 1)))(x, w)).sum()


def pointwise(element: Any) -> Any:
    x = leaf(4, 5, name="x")
    weights = leaf(4, 5, name="weights", seed=5).detach()
    return lambda: (element()(x * 2.0) * weights).sum()


def affine(element: Any) -> Any:
    x, w, b = leaf(4, 3, name="x"), leaf(2, 3, name="w", seed=1), leaf(2, name="b", seed=2)
    return lambda: F.tanh(element()(x, w, b)).sum()


OWN: dict[str, tuple[Any, str, str | None]] = {
    "mask": (pointwise(MaskOfSignal), "relu", "relu_mask_of_signal"),
    "leak": (pointwise(Leaks), "relu", None),
    "sign": (pointwise(WrongSign), "tanh", None),
    "kernel": (convolved(Unturned), "conv2d", "kernel_not_turned"),
    "bias": (affine(OneImageOnly), "affine", "bias_gradient_of_one_place"),
    "softmax": (
        pointwise(lambda: NoCrossTerms(-1)), "softmax", "softmax_without_cross_terms"
    ),
    "no number": (pointwise(NotANumber), "tanh", None),
}  # fmt: skip


@pytest.mark.parametrize(("program", "place", "name"), OWN.values(), ids=OWN)
def test_mistakes_in_own_elements_are_found_and_only_known_ones_named(
    program: Any, place: str, name: str | None
) -> None:
    found = diagnose(program)
    assert found.found
    assert found.findings[0].place == place
    assert found.fault == name, str(found)
    assert len(found.findings) == 1
    if name is None:
        assert "none of the known faults" in found.verdict
    else:
        assert FAULTS[name].mistake in str(found)
        assert name in found._repr_html_()


def test_an_element_of_ones_own_with_another_rule_is_judged_by_differences_alone() -> None:
    class Cubed(FunctionElement):
        rule = Rule(("x",), ("y",), "{x}³", {"x": "3 {x}² ∘ {δy}"})
        saves: ClassVar[Any] = {"x": ("x",)}
        factor = 3.0

        def forward(self, x: Any) -> Any:
            return x * x * x

        def backward(self, signal: Any) -> Any:
            x = self.saved("x")
            return signal * x * x * self.factor

    class Squared(Cubed):
        factor = 2.0

    assert not diagnose(pointwise(Cubed)).found
    found = diagnose(pointwise(Squared))
    assert found.fault is None
    assert "differences give" in str(found)


class OtherConvention(Relu):
    def backward(self, signal: Any) -> Any:
        (z,) = (node.variable() for node in self.inputs)
        return signal * tg.Tensor((z.numpy() >= 0).astype(float))


def test_another_sub_gradient_at_a_kink_is_no_mistake() -> None:
    mostly_empty = np.zeros((4, 50))
    mostly_empty[:, ::10] = np.random.default_rng(0).normal(size=(4, 5))
    x = tg.Tensor(mostly_empty, requires_grad=True, name="x")
    weights = leaf(4, 50, name="weights").detach()
    assert not diagnose(lambda: (OtherConvention()(x) * weights).sum()).found
    # Nor does what the empty places leave open hide a mistake at the others.
    with fault("relu_mask_left_out"):
        assert diagnose(lambda: (F.relu(x) * weights).sum()).fault == "relu_mask_left_out"


@pytest.mark.parametrize(
    "name", ["sigmoid_slope_of_z", "relu_mask_of_signal", "fan_in_overwritten"]
)
def test_networks_of_scalars_are_diagnosed(name: str) -> None:
    x = tg.Scalar(0.7, requires_grad=True, name="x")

    def program() -> Any:
        y = x * 2.0
        return (F.relu(F.sigmoid(y) + y * -0.1) * -1.0 + y) * 0.5

    assert not diagnose(program).found
    with fault(name):
        assert diagnose(program).fault == name


def test_a_wrong_kernel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # Somebody's own kernel in the place of ours: as the reference, with the filter unturned.
    known = {each.variant: each for each in registry.variants("conv2d_grad_input")}
    right = known["reference"].function

    def wrong(signal: Any, weight: Any, *others: Any) -> None:
        right(signal, np.ascontiguousarray(weight[:, :, ::-1, ::-1]), *others)

    monkeypatch.setitem(registry._KERNELS, ("conv2d_grad_input", "cpu"), known)
    registry.implements("conv2d_grad_input", device="cpu", variant="wrong", rank=99)(wrong)
    x, w = leaf(2, 2, 6, 6, name="x"), leaf(3, 2, 3, 3, name="w", seed=1)
    with tg.kernels.use(conv2d_grad_input="wrong"):
        found = diagnose(lambda: F.tanh(F.conv2d(x, w, padding=1)).sum())
    registry._answers.clear()
    assert found.fault == "kernel_not_turned", str(found)


def test_what_comes_behind_a_mistake_is_not_blamed() -> None:
    x, w, v = leaf(2, 2, 8, 8, name="x"), leaf(2, 2, 3, 3, name="w"), leaf(2, 2, 3, 3, name="v")

    def program() -> Any:
        hidden = F.tanh(F.conv2d(x, w))
        return F.tanh(Unturned((1, 1), ((0, 0), (0, 0)))(hidden, v)).sum()

    found = diagnose(program)
    assert len(found.findings) == 1
    assert found.fault == "kernel_not_turned"


def test_gradients_are_afterwards_what_they_were() -> None:
    net = RandomNet(3)
    diagnose(net)
    assert all(one.grad is None for one in net.parameters)
    net().backward()
    before = [one.grad for one in net.parameters]
    found = diagnose(net)
    assert all(one.grad is grad for one, grad in zip(net.parameters, before, strict=True))
    assert f"{len(before)} parameters had gradients" in str(found) or not found.found


# -- inputs ----------------------------------------------------------------------------------

_LEAF = leaf(2, 3, name="x")
REFUSED: dict[str, tuple[Any, Any, str]] = {
    "loss": (lambda: diagnose(_LEAF.sum()), DTypeError, "got Tensor. Write diagnose"),
    "network": (lambda: diagnose(tg.nn.Linear(2, 2)), DTypeError, "got Linear. Write diagnose"),
    "number": (lambda: diagnose(lambda: 1.0), DTypeError, "returns the loss.*got float"),
    "constant": (lambda: diagnose(lambda: _LEAF.detach().sum()), GraphError, "requires_grad"),
    "name": (
        lambda: diagnose(lambda: (_LEAF * 2.0).sum(), {"y": 1.0}),
        UnknownNameError, "known names are x; got 'y'",
    ),
    "none": (
        lambda: diagnose(lambda: (_LEAF * 2.0).sum(), {}), UnknownNameError, "names are x; got"
    ),
    "shape": (
        lambda: diagnose(lambda: (_LEAF * 2.0).sum(), {"x": np.ones(3)}),
        ShapeError, r"got \(3,\) for x \(2, 3\)",
    ),
    "nets": (lambda: hit_rate(0), OptionError, "from 1 up; got 0"),
    "seed": (lambda: hit_rate(1, -1), OptionError, "hit_rate: seed is .* from 0 up; got -1"),
    "fault": (lambda: hit_rate(1, faults=["x"]), UnknownNameError, "hit_rate: the known names"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_diagnosed_is_refused(call: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        call()

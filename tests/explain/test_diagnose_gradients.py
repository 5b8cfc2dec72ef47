"""Gradients of other programs are judged by their numbers: which mistake would have left them."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.explain import FAULTS, diagnose, fault
from tinygrad_cnn.explain.faults.patterns import residual
from tinygrad_cnn.explain.faults.random_nets import RandomNet

RULES = [each.name for each in FAULTS.values() if each.kind == "rule"]
OTHERS = [name for name in (*RULES, "fan_in_overwritten") if name != "dropout_mask_redrawn"]
QUICK = {"kernel_not_turned", "max_to_first_place", "sigmoid_slope_of_z", "fan_in_overwritten",
         "batch_norm_constant_variance", "dropout_without_scale"}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=() if each in QUICK else pytest.mark.full) for each in OTHERS],
)
def test_a_mistake_is_named_from_the_gradients_it_leaves(name: str) -> None:
    for seed in range(700, 720):
        tg.manual_seed(seed)
        net = RandomNet(seed, FAULTS[name].touches)
        right = gradients_of(net)
        with fault(name):
            wrong = gradients_of(net)
        if any(residual(wrong[key], right[key], 1e-3) > 0.05 for key in right):
            break
    else:
        pytest.fail("the fault shows in none of these networks")
    clean = diagnose(net, right)
    assert not clean.found, str(clean)
    found = diagnose(net, wrong)
    assert found.fault == name, f"{net.description}\n{found}"


def gradients_of(net: RandomNet) -> dict[str, Any]:
    net().backward()
    left = {one.name: one.grad.numpy().copy() for one in net.parameters if one.grad is not None}
    for one in (*net.parameters, net._images):
        one.grad = None
    return left  # type: ignore[return-value]  # each has a name


def test_plain_numpy_is_judged() -> None:
    rng = np.random.default_rng(0)
    x, t, w, b = rng.normal(size=(8, 5)), rng.normal(size=(8, 3)), rng.normal(size=(3, 5)), 0.5
    delta = 2 * (x @ w.T + b - t) / t.size
    weight = tg.Tensor(w, requires_grad=True, name="w")
    bias = tg.Tensor(np.full(3, b), requires_grad=True, name="b")
    inputs, targets = tg.Tensor(x), tg.Tensor(t)

    def program() -> Any:
        return F.mse_loss(F.linear(inputs, weight, bias), targets)

    good = {"w": delta.T @ x, "b": delta.sum(0)}
    rows: list[tuple[dict[str, Any], str | None]] = [
        (good, None),
        ({"w": good["w"]}, None),
        ({**good, "b": delta.mean(0)}, "bias_gradient_averaged"),
        ({**good, "b": delta[0]}, "bias_gradient_of_one_place"),
        ({**good, "w": (x.T @ delta).reshape(3, 5)}, "weight_gradient_transposed"),
        ({name: -each for name, each in good.items()}, "loss_sign_turned"),
        ({name: each * t.size for name, each in good.items()}, "batch_share_left_out"),
    ]
    for theirs, name in rows:
        found = diagnose(program, theirs)
        assert (found.fault, found.found) == (name, name is not None), str(found)
    strange = diagnose(program, {"w": good["w"] * 1.7})
    assert (strange.found, strange.fault) == (True, None)
    assert "it is 1.7 times the right one" in str(strange)

"""Derivations: the example of the lectures, whole networks, wrong kernels, refusals."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import models
from tinygrad_cnn.errors import (
    GraphError,
    OptionError,
    ShapeError,
    UnknownNameError,
)
from tinygrad_cnn.explain import derive, record

from .lenet import lenet5

# -- the example of the lectures -----------------------------------------------------------


def lecture() -> tg.Tensor:
    x = tg.Tensor([[[1.0, 2.0, 3.0, 4.0, 5.0]]], requires_grad=True, name="x")
    w = tg.Tensor([[[0.5, 0.0, -1.0]]], requires_grad=True, name="w")
    with record(keep="arrays"):
        loss = F.squared_error(F.conv1d(x, w), np.array([[[1.0, 0.0, 2.0]]], np.float32))
        loss.backward()
    return loss


LECTURE = {
    ("w", 1): "∂L/∂w1 = δ1·x1 + δ2·x2 + δ3·x3",
    ("w", 2): "∂L/∂w2 = δ1·x2 + δ2·x3 + δ3·x4",
    ("w", 3): "∂L/∂w3 = δ1·x3 + δ2·x4 + δ3·x5",
    ("x", 1): "∂L/∂x1 = δ1·w1",
    ("x", 2): "∂L/∂x2 = δ1·w2 + δ2·w1",
    ("x", 3): "∂L/∂x3 = δ1·w3 + δ2·w2 + δ3·w1",
    ("x", 4): "∂L/∂x4 = δ2·w3 + δ3·w2",
    ("x", 5): "∂L/∂x5 = δ3·w3",
}


@pytest.mark.parametrize(("of", "line"), LECTURE.items(), ids=LECTURE.values())
def test_the_example_of_the_lectures_comes_out_literally(of: tuple[str, int], line: str) -> None:
    derivation = derive(lecture(), *of, base=1).check()
    assert line in map(str.strip, derivation.text().splitlines())


def test_its_general_form_is_that_of_the_lectures() -> None:
    loss = lecture()
    for of, line in (
        ("w", "conv1d: ∂L/∂w_v = Σ_{j=1…3} δ_j·x_(j+v-1)"),
        ("x", "conv1d: ∂L/∂x_q = Σ_{v=1…3} δ_(q-v+1)·w_v"),
    ):
        assert line in derive(loss, of, base=1).text()


def test_its_numbers_are_put_in() -> None:
    derivation = derive(lecture(), "w", 2, base=1, numbers=True)
    assert derivation.text().splitlines()[-4:-1] == [
        "            = (-3.5)·2 + (-3)·3 + (-5.5)·4",
        "            = -38",
        "",
    ]
    assert (
        r"\frac{\partial L}{\partial w_{2}} & = \delta_{1} \, x_{2} + \delta_{2} \, x_{3}"
        r" + \delta_{3} \, x_{4} = \left(-3.5\right) \cdot 2 + \left(-3\right) \cdot 3"
        r" + \left(-5.5\right) \cdot 4 = -38" in derivation.latex()
    )
    assert r"$$\frac{\partial L}{\partial w_{2}}  = \delta_{1}" in derivation.markdown()


# -- whole runs ----------------------------------------------------------------------------


def neuron() -> tg.Scalar:
    x, y = tg.Scalar(2.0, name="x"), tg.Scalar(1.0, name="y")
    w = tg.Scalar(0.5, requires_grad=True, name="w")
    b = tg.Scalar(-1.5, requires_grad=True, name="b")
    with record(keep="arrays"):
        loss = F.squared_error(F.sigmoid(F.affine(x, w, b)), y)
        loss.backward()
    return loss


def test_a_neuron_of_plain_numbers() -> None:
    text = derive(neuron(), "w", numbers=True).check().text()
    assert text.splitlines()[2:-2] == [
        "  1  start: δ(L) = 1",
        "  2  squared_error: δ(sigmoid) = -δ(L)·(y - sigmoid)",
        "     = -1·(1 - 0.3775)",
        "     = -0.6225",
        "  3  sigmoid: δ(affine) = δ(sigmoid)·sigmoid·(1 - sigmoid)",
        "     = (-0.6225)·0.3775·(1 - 0.3775)",
        "     = -0.1463",
        "  4  affine: ∂L/∂w = δ(affine)·x",
        "     = (-0.1463)·2",
        "     = -0.2926",
    ]


@pytest.fixture(scope="module")
def network() -> tg.Tensor:
    return lenet5(activation="relu", pool="max")


@pytest.mark.parametrize("of", ["C1.weight", "C1.bias", "C3.weight", "F6.bias", "images", "S2"])
def test_lenet_is_derived_from_its_loss_to_any_of_its_values(network: tg.Tensor, of: str) -> None:
    derivation = derive(network, of, forward=True).check()
    assert all(line.right is not None for line in derivation.lines)
    assert all(check is not None for check in derivation.checks)


def test_lenet_of_the_lectures(network: tg.Tensor) -> None:
    text = derive(lenet5(), "C3.weight", (2, 0, 1, 1), numbers=True).check().text()
    for line in (
        "δ(C3)[n,c,i,j] = δ(sigmoid(C3))[n,c,i,j]·sigmoid(C3)[n,c,i,j]·(1 - sigmoid(C3)[n,c,i,j])",
        "∂L/∂C3.weight[2,0,1,1] = Σ_{n<3, i<10, j<10} δ(C3)[n,2,i,j]·S2[n,0,i+1,j+1]",
        "⌊(r-u)/2⌋",
        "… 297 more",
        "complete=True derives all",
    ):
        assert line in text


def test_a_recording_of_double_precision_leaves_less_to_rounding() -> None:
    derivation = derive(lenet5(np.float64), "C1.weight").check()
    assert all(check.allowed < 1e-10 for check in derivation.checks if check is not None)


def test_complete_derives_every_error_signal(network: tg.Tensor) -> None:
    short = derive(network, "F6.bias", 3)
    whole = derive(network, "F6.bias", 3, complete=True).check()
    assert "more" not in whole.text()
    places = [line.index for line in whole.lines if line.left.name == "δ(F6)" and line.index]
    assert places == [(0, 3), (1, 3), (2, 3)]
    assert len(whole.lines) > len(short.lines)


NETWORKS = ("lenet5_original", "allcnn_c", "alexnet", "googlenet", "resnet20", "se_resnet50",
            "densenet_bc100_12", "xception")  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_every_family_are_derived_without_a_gap(name: str) -> None:
    row = models.find(name)
    tg.manual_seed(0)
    network = row.build_twin()
    generator = np.random.default_rng(1)
    images = tg.Tensor(generator.normal(size=(2, *row.twin_input)), dtype=np.float32)
    with record(keep="arrays"):
        loss = row.loss(network(images), np.array([0, 1]))
        loss.backward()
    first = next(iter(network.state_dict()))
    derivation = derive(loss, first, forward=True).check()
    assert all(line.right is not None for line in derivation.lines)
    text = derive(loss, first, (0, 0, 0, 0), numbers=True).check().text()
    assert f"∂L/∂{first}[0,0,0,0] = " in text


def test_a_fan_in_is_a_sum_of_the_ways() -> None:
    x = tg.Tensor([0.5, -1.0], requires_grad=True, name="x")
    with record(keep="arrays"):
        h = x * 2.0
        loss = (h.tanh() + h).sum()
        loss.backward()
    text = derive(loss, "x", 1).check().text()
    assert "tanh: δ(multiply←tanh)[k] = δ(tanh)[k]·(1 - tanh[k]²)" in text
    assert "add: δ(multiply←add)[k] = δ(add)[k]" in text
    assert "fan-in: δ(multiply)[k] = δ(multiply←tanh)[k] + δ(multiply←add)[k]" in text
    assert "∂L/∂x[1] = δ(multiply)[1]·2" in text


def test_names_that_a_fan_in_leaves_out_are_written_before_it() -> None:
    x = tg.Tensor([0.5, -1.0], requires_grad=True, name="network.block.x")
    with record(keep="arrays"):
        h = tg.name(x * 2.0, "network.block.h")
        loss = (tg.name(h.tanh(), "network.block.a") + h).sum()
        loss.backward()
    text = derive(loss, "network.block.x").check().text()
    assert "fan-in in network.block.…:" in text
    assert "δ(…h)[k] = δ(…h←…a)[k] + δ(…h←add)[k]" in text
    assert "… in a name is the beginning of its line's label" in text


def test_a_value_read_twice_by_one_element_gets_both() -> None:
    x = tg.Tensor([3.0], requires_grad=True, name="x")
    with record(keep="arrays"):
        loss = (x * x).sum()
        loss.backward()
    assert "∂L/∂x[k] = δ(multiply)[k]·x[k] + δ(multiply)[k]·x[k]" in derive(loss, "x").text()


def test_an_element_without_a_form_says_why_and_is_gone_over() -> None:
    x = tg.Tensor([[3.0, 1.0]], requires_grad=True, name="x")
    with record(keep="arrays"):
        h = x * 2.0
        loss = (tg.checkpoint(lambda h: h.tanh(), h) * 2.0).sum()
        loss.backward()
    text = derive(loss, "x", (0, 1)).check().text()
    assert "checkpoint has no index form: it runs a function again on the walk back" in text
    assert "Run that part without tg.checkpoint to see its elements" in text
    assert "δ(checkpoint)[0,0] = δ(multiply#2)[0,0]·2" in text
    assert "δ(multiply#1)[0,1] = 0.1413" in text
    assert "∂L/∂x[0,1] = δ(multiply#1)[0,1]·2" in text
    assert "2 could not be" in text


def test_an_index_may_be_any_whole_numbers(network: tg.Tensor) -> None:
    expected = derive(network, "C3.weight", (1, 2, 3, 4)).text()
    for index in ([1, 2, 3, 4], np.array([1, 2, 3, 4]), (np.int64(1), 2, np.uint8(3), 4)):
        assert derive(network, "C3.weight", index).text() == expected
    assert "derivation of δ(S2)" in derive(network, "S2").text()
    assert derive(network, "F6.bias", np.int64(3)).lines[-1].index == (3,)


def test_the_value_itself_may_be_given(network: tg.Tensor) -> None:
    x = tg.Tensor([3.0], requires_grad=True)
    with record(keep="arrays"):
        loss = x.exp().sum()
        loss.backward()
    assert derive(loss, x).target == "x"


# -- refusals ------------------------------------------------------------------------------


def not_recorded() -> tg.Tensor:
    loss = (tg.Tensor([1.0], requires_grad=True, name="x") * 2.0).sum()
    loss.backward()
    return loss


def figures_alone() -> tg.Tensor:
    with record():
        return not_recorded()


def not_walked() -> tg.Tensor:
    with record(keep="arrays"):
        return (tg.Tensor([1.0], requires_grad=True, name="x") * 2.0).sum()


REFUSALS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "another name": (
        lambda: derive(neuron(), "weight"),
        UnknownNameError,
        r"derive: the known names are w, b, affine, sigmoid, L; got 'weight'",
    ),
    "a near name": (
        lambda: derive(lenet5(), "C3.wieght"),
        UnknownNameError,
        r"C1.weight, .*got 'C3.wieght'. Did you mean 'C3.weight'",
    ),
    "no gradient wanted": (
        lambda: derive(neuron(), "x"),
        GraphError,
        r"an error signal reached w, b, affine, sigmoid, L; got x, which none did",
    ),
    "an index too far": (
        lambda: derive(lenet5(), "C3.weight", (16, 0, 0, 0)),
        ShapeError,
        r"an index of C3.weight, shape \(16, 6, 5, 5\), has a number for each axis "
        r"\(0 to 15, 0 to 5, 0 to 4, 0 to 4\); got \(16, 0, 0, 0\)",
    ),
    "an index too short": (
        lambda: derive(lenet5(), "C3.weight", 3),
        ShapeError,
        "has a number for each axis .*; got 3",
    ),
    "an index below the base": (
        lambda: derive(lecture(), "w", 0, base=1),
        ShapeError,
        r"\(1 to 1, 1 to 1, 1 to 3\); got 0",
    ),
    "an index of truth values": (
        lambda: derive(lenet5(), "C3.weight", (True, 0, 0, 0)),
        ShapeError,
        r"has a number for each axis .*; got \(True, 0, 0, 0\)",
    ),
    "a value that took no part": (
        lambda: derive(neuron(), tg.Tensor([1.0, 2.0])),
        UnknownNameError,
        r"known names are w, b, affine, sigmoid, L; got 'Tensor of shape \(2,\)'",
    ),
    "an index of a scalar": (
        lambda: derive(neuron(), "w", 0),
        ShapeError,
        r"shape \(\), has a number for each axis \(none\); got 0",
    ),
    "no end": (
        lambda: derive(lenet5(), "C3.bias", 0, complete=True),
        OptionError,
        r"a complete derivation has at most 2,000 lines; got [\d,]+ and more, those of "
        r"δ\(\S+\) among them. Leave out complete=True",
    ),
    "another base": (
        lambda: derive(neuron(), "w", base=2),
        OptionError,
        "counted from base 0 or 1; got base 2",
    ),
    "not recorded": (
        lambda: derive(not_recorded(), "x"),
        OptionError,
        r'record\(keep="arrays"\); got a run of which nothing was recorded',
    ),
    "figures alone": (
        lambda: derive(figures_alone(), "x"),
        OptionError,
        "of which figures alone were kept",
    ),
    "not walked back": (
        lambda: derive(not_walked(), "x"),
        GraphError,
        r"Call loss.backward\(\) inside",
    ),
    "a leaf": (
        lambda: derive(tg.Tensor([1.0], requires_grad=True), "x"),
        GraphError,
        "derive: no recorded element computed this value",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals_say_what_there_is(
    call: Callable[[], Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        call()

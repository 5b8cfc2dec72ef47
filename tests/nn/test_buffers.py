"""Arrays that belong to a module's state and are not trained; lists of modules."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.errors import CheckpointError, DTypeError, OptionError, ShapeError


class Counting(nn.Module):
    """Adds a stored mean, and counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(np.ones(2, np.float32))
        self.register_buffer("mean", np.array([1.0, 2.0], np.float32))
        self.register_buffer("calls", np.array(0))
        self.register_buffer("scratch", np.zeros(3), persistent=False)
        self.register_buffer("absent", None)

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return x * self.scale + tg.Tensor(self.mean)


def nested() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2), Counting())


def test_the_state_holds_parameters_before_buffers_of_each_module() -> None:
    assert list(nested().state_dict()) == ["0.weight", "0.bias", "1.scale", "1.mean", "1.calls"]
    assert [path for path, _ in nested().named_buffers()] == ["1.mean", "1.calls", "1.scratch"]
    assert nested().count_parameters() == 8


def test_the_state_is_a_copy_and_comes_back() -> None:
    model, other = nested(), nested()
    model(tg.ones(1, 2))
    state = model.state_dict()
    model(tg.ones(1, 2))
    assert state["1.calls"] == 1
    held = other[1].mean
    other.load_state_dict({**state, "1.mean": [5, 6]})
    assert other[1].calls == 1
    assert other[1].calls.dtype == np.int64
    np.testing.assert_array_equal(held, np.array([5, 6], np.float32), strict=True)


@pytest.mark.parametrize(
    ("wrong", "error", "match"),
    [
        ({"1.mean": np.zeros(3)}, ShapeError, "1.mean of shape"),
        ({"1.calls": np.array(1.5)}, DTypeError, "whole numbers"),
        ({"1.sum": np.zeros(2)}, CheckpointError, "unknown 1.sum"),
    ],
    ids=["shape", "type", "name"],
)
def test_a_wrong_state_changes_nothing(wrong: Any, error: type, match: str) -> None:
    model = nested()
    before = model.state_dict()
    with pytest.raises(error, match=match):
        model.load_state_dict({**{path: value + 1 for path, value in before.items()}, **wrong})
    for path, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[path])


def test_a_buffer_cannot_take_the_name_of_a_parameter() -> None:
    with pytest.raises(OptionError, match="'scale', which is taken by Parameter"):
        Counting().register_buffer("scale", np.zeros(2))


def test_a_list_of_modules_is_part_of_the_module_that_holds_it() -> None:
    layers = nn.ModuleList([nn.Linear(2, 3), nn.Tanh()]).extend([nn.Linear(3, 1)])
    assert [path for path, _ in layers.named_parameters()] == [
        "0.weight", "0.bias", "2.weight", "2.bias",
    ]  # fmt: skip
    assert len(layers) == 3
    assert isinstance(layers[1], nn.Tanh)
    with pytest.raises(DTypeError, match=r"ModuleList: it joins modules; got tanh at position 3"):
        layers.append(tg.functional.tanh)  # type: ignore[arg-type]


def test_apply_visits_every_module_innermost_first() -> None:
    seen: list[str] = []
    model = nested()
    assert model.apply(lambda module: seen.append(type(module).__name__)) is model
    assert seen == ["Linear", "Counting", "Sequential"]


@pytest.mark.parametrize("name", ["", "running.mean"])
def test_a_buffer_has_a_name_that_an_attribute_can_have(name: str) -> None:
    with pytest.raises(OptionError, match="register_buffer: a name is an attribute's"):
        nn.Module().register_buffer(name, np.zeros(1))

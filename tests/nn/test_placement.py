"""Modules change their element type as a whole, and stay where they are."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.errors import DeviceError, DTypeError, GraphError, OptionError


def small() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


def test_parameters_and_buffers_change_their_type_and_nothing_else() -> None:
    model = small()
    model[3].requires_grad_(False)
    before, names = model.state_dict(), [name for name, _ in model.named_parameters()]
    assert model.double() is model
    after = model.state_dict()
    assert {array.dtype for array in after.values()} == {np.dtype("float64"), np.dtype("int64")}
    assert all((before[path] == after[path]).all() for path in before)
    assert [name for name, _ in model.named_parameters()] == names
    assert [p.requires_grad for p in model.parameters()] == [True] * 4 + [False] * 2
    assert model(tg.zeros(2, 1, 4, 4, dtype=tg.float64)).dtype == np.float64
    assert {p.dtype for p in model.float().parameters()} == {np.dtype("float32")}


def test_a_module_of_one_type_trains_as_if_it_had_been_built_so() -> None:
    layer = nn.Linear(3, 2).to(tg.float64)
    twin = nn.Linear(3, 2)
    twin.weight = nn.Parameter(layer.weight.numpy())
    twin.bias = nn.Parameter(layer.bias.numpy())
    x = tg.randn(4, 3, dtype=tg.float64)
    for one in (layer, twin):
        (one(x) ** 2).sum().backward()
    assert layer.weight.grad.tolist() == twin.weight.grad.tolist()


def test_a_graph_from_before_the_change_is_not_walked() -> None:
    layer = nn.Linear(3, 2)
    loss = (layer(tg.ones(1, 3, dtype=tg.float32).requires_grad_()) ** 2).sum()
    layer.double()
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


@pytest.mark.parametrize(
    ("move", "kind", "match"),
    [
        (lambda m: m.cuda(), DeviceError, "to: tensors live on 'cpu' here.*got 'cuda'"),
        (lambda m: m.to("cuda:0"), DeviceError, "got 'cuda:0'"),
        (lambda m: m.to("shapes"), DeviceError, "stays on the device.*got 'shapes' for .* 'cpu'"),
        (lambda m: m.to("int64"), DTypeError, "to: it needs floating-point values; got int64"),
        (lambda m: m.to("cpu", device="cpu"), OptionError, "one device"),
    ],
)
def test_what_a_module_is_not_moved_to(move, kind, match) -> None:
    model = small()
    with pytest.raises(kind, match=match):
        move(model)
    assert {p.dtype for p in model.parameters()} == {np.dtype("float32")}


def test_a_module_without_memory_is_moved_nowhere() -> None:
    with nn.without_memory():
        model = small()
    assert model.to("shapes") is model
    with pytest.raises(DeviceError, match=r"got 'cpu' for .* on 'shapes'"):
        model.cpu()


def test_children_are_the_modules_directly_inside() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU()))
    assert list(model.children()) == [model[0], model[1]]
    model.add_module("last", nn.Tanh())
    assert len(model.append(nn.ReLU())) == 4
    assert [name for name, _ in model.named_children()] == ["0", "1", "last", "3"]


@pytest.mark.parametrize("kind", [tg.optim.SGD, tg.optim.Adam])
@pytest.mark.parametrize("named", ["float64", ">f8", np.float64])
def test_a_module_of_another_type_can_be_trained(
    kind: type[tg.optim.Optimiser], named: object
) -> None:
    model = tg.nn.Linear(3, 2).to(named)
    assert model.weight.dtype is np.dtype(np.float64)  # kernels compare the objects
    before = model.weight.numpy().copy()
    optimiser = kind(model.parameters(), lr=0.1)
    tg.functional.cross_entropy(
        model(tg.Tensor(np.ones((4, 3)))), np.array([0, 1, 1, 1])
    ).backward()
    optimiser.step()
    assert (model.weight.numpy() != before).any()

"""Tensors, devices and random numbers by PyTorch's names, and what they refuse."""

import re

import numpy as np
import pytest
import safetensors.numpy as safetensors_numpy

import tinygrad_cnn as tg
from tinygrad_cnn.compat import torch
from tinygrad_cnn.errors import CheckpointError, DeviceError, DTypeError, OptionError


def test_tensor_makes_sizes_and_data_float32() -> None:
    assert torch.Tensor(2, 3).shape == (2, 3)
    assert torch.Tensor().shape == (0,)
    assert (torch.Tensor([2, 3]).dtype, torch.Tensor([2, 3]).tolist()) == (np.float32, [2.0, 3.0])
    assert isinstance(tg.zeros(1), torch.Tensor)
    assert isinstance(tg.nn.Linear(1, 1).weight, torch.Tensor)
    assert not isinstance(np.zeros(1), torch.Tensor)
    kinds = (torch.FloatTensor, torch.DoubleTensor, torch.LongTensor)
    assert [make([1]).dtype for make in kinds] == [np.float32, np.float64, np.int64]
    kinds = (torch.IntTensor, torch.ByteTensor, torch.BoolTensor)
    assert [make([1]).dtype for make in kinds] == [np.int32, np.uint8, np.bool_]
    assert torch.LongTensor(2, 1).tolist() == [[0], [0]]
    assert tg.ones(2).type(torch.LongTensor).dtype == np.int64
    assert isinstance(tg.ones(2), torch.FloatTensor)
    assert not isinstance(tg.ones(2), torch.LongTensor)


def test_element_types_go_by_their_names() -> None:
    x = torch.tensor([1, 0])
    types = [torch.float, torch.double, torch.long, torch.int, torch.uint8, torch.bool]
    assert [str(x.to(kind).dtype) for kind in types] == [
        "float32", "float64", "int64", "int32", "uint8", "bool",
    ]  # fmt: skip
    assert torch.zeros(1).dtype == torch.float32


def test_functions_are_methods() -> None:
    x = torch.tensor([[1.0, 5.0], [7.0, 2.0]])
    values, indices = torch.max(x, 1)
    assert (values.tolist(), indices.tolist()) == ([5.0, 7.0], [1, 0])
    assert torch.argmax(x, dim=1, keepdim=True).shape == (2, 1)
    assert torch.sum(x, dim=0).tolist() == [8.0, 7.0]
    assert torch.flatten(x, 0).shape == (4,)
    assert torch.softmax(x, dim=1).shape == torch.relu(x).shape == (2, 2)
    assert torch.add(x, 1).tolist() == (x + 1).tolist()
    assert torch.div(x, x).tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert torch.eq(x, 5).sum().item() == 1
    assert torch.argmax(input=x, dim=1).tolist() == torch.argmax(x, 1).tolist()
    assert torch.eye(2).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert torch.linspace(0, 1, 3, requires_grad=True).tolist() == [0.0, 0.5, 1.0]
    assert torch.rand_like(x).shape == torch.randn_like(x.double()).shape == x.shape
    assert torch.rand_like(torch.arange(3), dtype=torch.float).dtype == np.float32


def test_tensors_are_compared_as_a_whole() -> None:
    x = torch.tensor([1.0, 2.0])
    assert torch.equal(x, x.clone())
    assert not torch.equal(x, x[:1])
    assert torch.allclose(x, x + 1e-7)
    assert not torch.allclose(x, x + 1e-3)
    assert torch.is_tensor(x)
    assert not torch.is_tensor([1.0])


def test_random_whole_numbers() -> None:
    torch.manual_seed(3)
    drawn = torch.randint(2, 5, (200,))
    assert set(drawn.tolist()) == {2, 3, 4}
    assert set(torch.randint(2, (50,)).tolist()) == {0, 1}
    assert set(torch.randint(2, size=(50,)).tolist()) == {0, 1}
    assert set(torch.randint(low=1, high=3, size=(50,)).tolist()) == {1, 2}
    assert set(torch.randint(high=2, size=(50,)).tolist()) == {0, 1}
    assert torch.randint(2, (2, 3), dtype=torch.float32).dtype == np.float32
    orders = [torch.randperm(5, generator=torch.Generator().manual_seed(1)) for _ in range(2)]
    assert orders[0].tolist() == orders[1].tolist()
    assert sorted(orders[0].tolist()) == list(range(5))
    with pytest.raises(OptionError, match="randint: low lies below high, and size is a tuple"):
        torch.randint(3, 3, (1,))
    with pytest.raises(OptionError, match="got low 0, high None and size 3"):
        torch.randint(high=3)


def test_gradients_by_name() -> None:
    x = torch.autograd.Variable(torch.tensor([3.0]), requires_grad=True)
    (slope,) = torch.autograd.grad((x * x).sum(), x)
    assert slope.tolist() == [6.0]
    assert not torch.autograd.Variable(torch.zeros(1)).requires_grad
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()

    @torch.no_grad()
    def recorded() -> bool:
        return torch.is_grad_enabled()

    assert not recorded()
    assert torch.is_grad_enabled()


def test_there_is_one_device() -> None:
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    assert (str(device), device.type, repr(device)) == ("cpu", "cpu", "device(type='cpu')")
    assert f"{device}" == "cpu"
    assert torch.zeros(1, device=device).to(device).cpu().device == device
    assert torch.cuda.device_count() == 0
    torch.cuda.manual_seed_all(1)
    assert not torch.accelerator.is_available()
    assert not torch.backends.mps.is_available()
    torch.backends.cudnn.deterministic = True
    x = torch.tensor([1, 2]).to(device, non_blocking=True)
    assert (x == 2).type(torch.float).sum().item() == 1.0
    with pytest.raises(DeviceError, match=r"device: tensors live on 'cpu' here.*got 'cuda:0'"):
        torch.device("cuda:0")


def test_a_function_that_may_run_in_place_does_not() -> None:
    x = torch.tensor([-1.0, 1.0])
    functional = torch.nn.functional
    for run in (functional.relu, functional.leaky_relu, functional.elu, functional.hardsigmoid):
        assert run(x, inplace=True).tolist() == run(x).tolist()
    assert functional.dropout(x, 0.5, training=False, inplace=True).tolist() == x.tolist()
    assert x.tolist() == [-1.0, 1.0]
    with pytest.raises(OptionError, match="at_zero"):
        functional.relu(x, True)


def test_initial_weights_and_schedules_go_by_their_names() -> None:
    layer = torch.nn.Linear(3, 2)
    torch.nn.init.constant_(layer.weight, 0.5)
    assert layer.weight.sum().item() == 3.0
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, step_size=1, gamma=0.5)
    optimiser.step()
    schedule.step()
    assert schedule.get_last_lr() == [0.5]
    assert isinstance(optimiser, torch.optim.Optimizer)
    assert isinstance(optimiser, torch.optim.SGD)
    assert isinstance(schedule, torch.optim.lr_scheduler.LRScheduler)


def test_arguments_go_by_their_names() -> None:
    layer, functional = torch.nn.Linear(3, 2), torch.nn.functional
    optimiser = torch.optim.Adam(params=layer.parameters(), lr=0.5)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer=optimiser, step_size=1)
    assert (type(optimiser).__name__, type(schedule).__name__) == ("Adam", "StepLR")
    x, labels = torch.ones(4, 3), torch.tensor([0, 1, 1, 0])
    loss = functional.cross_entropy(input=layer(x), target=labels)
    assert loss.item() == functional.cross_entropy(layer(x), labels).item()
    assert functional.relu(input=x, inplace=True).tolist() == x.tolist()
    assert functional.mse_loss(input=x, target=2 * x).item() == 1.0
    with pytest.raises(OptionError, match=r"torch\.optim\.SGD: its options are .*got 'fused'"):
        torch.optim.SGD(layer.parameters(), lr=0.1, fused=True)
    with pytest.raises(OptionError, match=r"nll_loss: its options are .*got 'size_average'"):
        functional.nll_loss(x, labels, size_average=False)


# -- files -------------------------------------------------------------------------------


def model() -> tg.nn.Module:
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))


@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors", "weights", "a.ckpt"])
def test_what_is_saved_is_read_again_whatever_its_name(tmp_path, name: str) -> None:
    saved, other = model(), model()
    torch.save(saved.state_dict(), tmp_path / name)
    loaded = torch.load(str(tmp_path / name), map_location="cpu", weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in loaded.values())
    other.load_state_dict(loaded)
    for path, value in saved.state_dict().items():
        assert (other.state_dict()[path] == value).all()
        assert loaded[path].dtype == value.dtype
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_state_of_an_optimiser_is_saved_too(tmp_path) -> None:
    layer = torch.nn.Linear(2, 1)
    optimiser = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    torch.save(optimiser.state_dict(), tmp_path / "adam.pt")
    again = torch.optim.Adam(layer.parameters())
    again.load_state_dict({k: v.numpy() for k, v in torch.load(tmp_path / "adam.pt").items()})
    assert again.steps == 1


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (lambda: model(), r"save: it writes state dictionaries; got Sequential\. Write torch.save"),
        (lambda: {"nets": [{"model": model()}]}, "by name; got Sequential for 'nets/0/model'"),
        (lambda: {"loss": 1j}, "got complex for 'loss'"),
        (lambda: {"names": np.array(["a"])}, "got ndarray for 'names'"),
        (lambda: {3: torch.zeros(1)}, "names in a state dictionary are texts; got Tensor for 3"),
    ],
)
def test_nothing_but_state_dictionaries_is_saved(tmp_path, value, match: str) -> None:
    with pytest.raises(DTypeError, match=re.compile(match)):
        torch.save(value(), tmp_path / "model.pt")
    assert not list(tmp_path.iterdir())


def test_what_lies_in_what_is_saved_too(tmp_path) -> None:
    net, other = model(), model()
    state = {
        "net": net.state_dict(),
        "epoch": 3,
        "loss": torch.tensor(0.5),
        "history": [1.0, float("inf"), None, "best", True, {"rate": np.float64(0.1)}],
        "module.deep": {"module.w": torch.ones(2, 1), "none": {}},
    }
    torch.save(state, tmp_path / "last.tar")
    loaded = torch.load(tmp_path / "last.tar")
    other.load_state_dict(loaded["net"])
    assert all((other.state_dict()[name] == net.state_dict()[name]).all() for name in state["net"])
    assert (loaded["epoch"], loaded["loss"].item()) == (3, 0.5)
    assert loaded["history"] == state["history"]
    assert loaded["module.deep"]["none"] == {}
    assert loaded["module.deep"]["module.w"].tolist() == [[1.0], [1.0]]
    assert list(loaded) == list(state)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "[",
        "{}",
        "3",
        '{"code": 1}',
        '{"array": "b"}',
        '{"value": 3}',
        '{"mapping": [["a", {"array": "b"}, 3]]}',
        '{"mapping": 3}',
        '{"list": [{"array": ["a"]}]}',
        '{"list": ' * 3000 + "[]" + "}" * 3000,
    ],
    ids=range(11),
)
def test_another_note_in_a_file_is_refused(tmp_path, note: str) -> None:
    content = safetensors_numpy.save({"a": np.zeros(1)}, metadata={"structure": note})
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match="load: the note of a file says what lay in what"):
        torch.load(tmp_path / "a.pt")


@pytest.mark.parity
def test_a_state_dictionary_of_pytorch_is_read(tmp_path) -> None:
    import torch as pytorch

    theirs = pytorch.nn.Linear(3, 2)
    pytorch.save(theirs.state_dict(), tmp_path / "linear.pt")
    ours = torch.nn.Linear(3, 2)
    ours.load_state_dict(torch.load(tmp_path / "linear.pt"))
    assert ours.weight.tolist() == theirs.weight.tolist()

"""A run of PyTorch beside ours: equal where the weights are, and parted where one is changed."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models
from tinygrad_cnn.errors import DTypeError, GraphError
from tinygrad_cnn.explain import (
    Difference,
    GraphDump,
    difference,
    dump,
    dump_torch,
    fan_ins,
    record,
    story,
)
from tinygrad_cnn.explain.graph_dump import SCHEMA

pytestmark = pytest.mark.parity
torch: Any = pytest.importorskip("torch")
LABELS = np.array([1, 0])


def resnet20(widths: tuple[int, int, int], blocks: int) -> Any:
    """ResNet for CIFAR in PyTorch, as its readers write it: rectifiers are functions."""

    class Block(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, into: int, out: int, stride: int) -> None:
            super().__init__()
            self.conv1 = torch.nn.Conv2d(into, out, 3, stride, 1, bias=False)
            self.bn1, self.bn2 = torch.nn.BatchNorm2d(out), torch.nn.BatchNorm2d(out)
            self.conv2 = torch.nn.Conv2d(out, out, 3, 1, 1, bias=False)
            self.more, self.stride = (out - into) // 2, stride

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            if self.more:
                beside = (0, 0, 0, 0, self.more, self.more)
                x = torch.nn.functional.pad(x[:, :, :: self.stride, :: self.stride], beside)
            return torch.relu(y + x)

    class Net(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = torch.nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
            self.bn1 = torch.nn.BatchNorm2d(widths[0])
            into = widths[0]
            for stage, out in enumerate(widths, 1):
                strides = [1 + (stage > 1), *[1] * (blocks - 1)]
                layers = [
                    Block(out if k else into, out, stride) for k, stride in enumerate(strides)
                ]
                setattr(self, f"layer{stage}", torch.nn.Sequential(*layers))
                into = out
            self.linear = torch.nn.Linear(into, 10)

        def forward(self, x: Any) -> Any:
            x = torch.relu(self.bn1(self.conv1(x)))
            x = self.layer3(self.layer2(self.layer1(x)))
            return self.linear(torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))

    return Net()


def lenet5() -> Any:
    from tests.models.pytorch_nets.classics import LeNet5

    return LeNet5()


NETS: dict[str, Callable[[], Any]] = {
    "lenet5": lenet5,
    "resnet20": lambda: resnet20((8, 16, 32), 1),
}


def both(name: str, change: str = "", train: bool = True) -> tuple[GraphDump, GraphDump]:
    """Run ours and PyTorch's on the same weights, or with one number of PyTorch's changed."""
    row = models.find(name)
    tg.manual_seed(0)
    ours, theirs = row.build_twin(), NETS[name]()
    state = {path: torch.from_numpy(np.array(v)) for path, v in ours.state_dict().items()}
    theirs.load_state_dict(state)
    ours.train(train)
    theirs.train(train)
    if change:
        with torch.no_grad():
            theirs.get_parameter(change).view(-1)[3] += 0.5
    images = np.random.default_rng(0).normal(size=(2, *row.twin_input)).astype(np.float32)
    with record():
        loss = row.loss(ours(tg.Tensor(images)), LABELS)
        loss.backward()
    labels = torch.from_numpy(LABELS)
    graph = dump_torch(
        theirs,
        torch.from_numpy(images),
        lambda scores: torch.nn.functional.cross_entropy(scores, labels),
    )
    return dump(loss, name), graph


@pytest.mark.parametrize(("name", "train"), [("lenet5", 1), ("resnet20", 1), ("resnet20", 0)])
def test_the_same_weights_agree_in_every_value_and_error_signal(name: str, train: int) -> None:
    ours, theirs = both(name, train=bool(train))
    found = difference(ours, theirs, 1 + 2e-5)
    assert found.changes == (), str(found)
    assert found.paired == len(ours.steps) == len(theirs.steps)
    assert found.figures  # they were compared, and differ by rounding
    assert {*ours.gradients.keys()} != set()
    assert len(theirs.gradients) == len(ours.gradients)
    for mine, other in zip(fan_ins(ours).rows, fan_ins(theirs).rows, strict=True):
        for sent, also in zip(mine.fan_in.contributions, other.fan_in.contributions, strict=True):
            assert sent.norm == pytest.approx(also.norm, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "parameter", "element"),
    [
        ("lenet5", "C3.weight", "C3.conv2d"),
        ("lenet5", "F6.bias", "F6.affine"),
        ("resnet20", "layer2.0.conv1.weight", "layer2.0.conv1.conv2d"),
        ("resnet20", "layer3.0.bn2.weight", "layer3.0.bn2.batch_norm"),
    ],
)
def test_a_changed_weight_is_where_they_part(name: str, parameter: str, element: str) -> None:
    found: Difference = difference(*both(name, parameter))
    first = found.first_forward
    assert first is not None
    called = parameter.rpartition(".")[2]
    assert first[1:3] == (element, f"‖{called}‖")
    assert f"forward, figures part at {first.number} {element}: ‖{called}‖ " in str(found)
    assert found.first_backward is not None
    assert found.first_backward.number > first.number  # δ of what follows it moves as well


def test_it_is_a_document_that_says_who_ran_it() -> None:
    _, graph = both("lenet5")
    document = graph.to_json()
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["library"] == f"torch {torch.__version__}"
    again = GraphDump.from_json(json.loads(json.dumps(document)))
    assert again.to_json() == document
    assert story(again) == story(graph)
    line = next(step.source for step in graph.steps if step.source is not None)
    assert line.file.endswith("classics.py")


def test_the_module_is_left_as_it_was() -> None:
    theirs = resnet20((4, 8, 16), 1)
    theirs.layer1.append(torch.nn.ReLU(inplace=True))
    before = {path: value.clone() for path, value in theirs.state_dict().items()}
    images = torch.ones(2, 3, 8, 8)
    graph = dump_torch(theirs, images, torch.sum)
    assert any(step.label == "layer1.1.relu" for step in graph.steps)
    assert all(torch.equal(before[path], value) for path, value in theirs.state_dict().items())
    assert all(parameter.grad is None for parameter in theirs.parameters())
    assert theirs.layer1[1].inplace
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in theirs.modules())


def test_functions_of_evaluation_are_ours_too() -> None:
    layers = torch.nn.BatchNorm2d(1), torch.nn.Dropout(0.5), torch.nn.Flatten(), torch.nn.Softmax(1)
    theirs = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 3), *layers).eval()
    graph = dump_torch(theirs, torch.ones(2, 1, 5, 5), lambda y: (y * y).sum())
    assert [step.label for step in graph.steps] == [
        "0.conv2d", "1.batch_norm_inference", "3.reshape", "4.softmax", "multiply", "sum",
    ]  # fmt: skip
    assert [kept.name for kept in graph.steps[1].inputs] == [
        None, None, None, "1.weight", "1.bias",
    ]  # fmt: skip


def test_functions_that_are_not_ours_and_changes_in_place_are_told_too() -> None:
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.GELU())

    def objective(y: Any) -> Any:
        y = 1.7 * y
        y += 1
        one, other = y.chunk(2, 1)
        y = torch.cat([one, other, one * other], 1)
        y[:, 0] = 2.0
        return (y**2).sum()

    graph = dump_torch(theirs, torch.ones(4, 3), objective)
    assert [step.label for step in graph.steps] == [
        "0.affine", "1.gelu", "multiply", "add", "chunk", "multiply", "concatenate", "setitem",
        "power", "sum",
    ]  # fmt: skip
    assert all(step.outgoing is not None for step in graph.steps)
    setitem = graph.steps[7]
    assert setitem.incoming is not None
    assert setitem.outgoing is not None
    came, went = setitem.outgoing[0], setitem.incoming[0]
    assert came is not None
    assert went is not None
    # Where 2 was put, what stood there before gets nothing: δ = 2·2 in 4 rows.
    lost = came.statistics.norm**2 - went.statistics.norm**2
    assert lost == pytest.approx(4 * 4.0**2, rel=1e-5)
    assert sum(len(row.senders) for row in fan_ins(graph).rows) == 4


LINEAR = torch.nn.Linear(3, 2)
REFUSALS: list[tuple[tuple[Any, ...], type[Exception], str]] = [
    (("net", torch.ones(1), torch.sum), DTypeError, "a torch.nn.Module is run; got str"),
    ((LINEAR, torch.ones(1, 3), lambda y: y), GraphError, r"one number; got \(1, 2\)"),
    ((LINEAR, torch.ones(1, 3), lambda y: 0.0), GraphError, "one number; got float"),
    (
        (LINEAR, torch.ones(1, 3), lambda y: torch.ones(1).sum()),
        GraphError,
        "the loss comes of a parameter .* requires_grad=False",
    ),
]


@pytest.mark.parametrize(("given", "error", "message"), REFUSALS)
def test_what_cannot_be_told_is_refused(
    given: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"dump_torch: .*{message}"):
        dump_torch(*given)

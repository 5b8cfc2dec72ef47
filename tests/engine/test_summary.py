"""The table of a network: figures of papers, shared parameters, and nothing left behind."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import models, nn
from tinygrad_cnn.random import default_generator


def conv(channels: int, out: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, kernel, stride, kernel // 2)


def seen(*layers: nn.Module, size: int = 224) -> Any:
    return tg.summary(nn.Sequential(*layers), (1, size, size)).rows[-1].receptive_field


def test_lenet_is_described_as_its_paper_does() -> None:
    found = tg.summary(models.build("lenet5"), (1, 32, 32))
    assert (found.parameters, found.multiply_adds) == (61_706, 416_520)
    assert found.grad_input == found.grad_weight == 416_520
    assert [found[path].receptive_field for path in ("C1", "S2", "C3", "S4", "C5", "output")] == [
        (5, 5), (6, 6), (14, 14), (16, 16), (32, 32), (32, 32),
    ]  # fmt: skip
    assert found["C3"].output_shape == (1, 16, 10, 10)
    assert found["C3"].parameters == 2_416
    assert found["C1"].activation_bytes == 4 * 6 * 28 * 28
    assert sum(row.parameters for row in found.rows) == found.parameters


def test_receptive_fields_of_the_papers() -> None:
    assert seen(conv(1, 1), conv(1, 1)) == (5, 5)
    assert seen(conv(1, 1), conv(1, 1), conv(1, 1)) == (7, 7)
    vgg16: list[nn.Module] = []
    for convolutions in (2, 2, 3, 3, 3):
        vgg16 += [*(conv(1, 1) for _ in range(convolutions)), nn.MaxPool2d(2)]
    assert seen(*vgg16) == (212, 212)
    # of AlexNet's convolutions and poolings, down to the last one
    assert seen(
        nn.Conv2d(1, 1, 11, 4), nn.MaxPool2d(3, 2), conv(1, 1, 5), nn.MaxPool2d(3, 2),
        conv(1, 1), conv(1, 1), conv(1, 1), nn.MaxPool2d(3, 2), size=227,
    ) == (195, 195)  # fmt: skip


class Block(nn.Module):
    """A shortcut around two convolutions, and one layer that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = conv(4, 4)
        self.shared = conv(4, 4)
        self.relu = nn.ReLU()
        self.gain = nn.Parameter(np.ones((4, 1, 1), np.float32))

    def forward(self, x: Any) -> Any:
        z = self.shared(self.relu(self.first(x)))
        return self.relu(self.shared(z) + x * self.gain).mean((2, 3))


def test_elements_outside_of_layers_have_rows_and_shared_parameters_count_once() -> None:
    found = tg.summary(Block(), (4, 8, 8))
    kinds = [(row.path, row.kind) for row in found.rows]
    assert kinds == [
        ("first", "Conv2d"), ("relu", "ReLU"), ("shared", "Conv2d"), ("shared", "Conv2d"),
        ("", "multiply"), ("", "add"), ("relu", "ReLU"), ("", "mean"),
    ]  # fmt: skip
    assert [row.parameters for row in found.rows] == [148, 0, 148, 0, 4, 0, 0, 0]
    assert found.parameters == found.trainable == 300
    assert [row.receptive_field for row in found.rows[-4:]] == [(1, 1), (7, 7), (7, 7), (8, 8)]
    assert found.output_shape == (1, 4)


def test_a_network_stays_as_it_was() -> None:
    block = Block().train()
    before = {name: value.copy() for name, value in block.state_dict().items()}
    state = default_generator().bit_generator.state
    tg.summary(block, (2, 4, 8, 8))
    assert block.training
    assert default_generator().bit_generator.state == state
    assert all(parameter.grad is None for parameter in block.parameters())
    for name, value in block.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert block(tg.ones(1, 4, 8, 8)).device == "cpu"


def test_running_statistics_and_gradients_stay_as_they_were() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    model[2].eval()
    model(tg.ones(2, 3, 8, 8)).sum().backward()
    buffers = {path: (id(value), value.copy()) for path, value in model.named_buffers()}
    gradients = [parameter.grad.numpy().copy() for parameter in model.parameters()]
    tg.summary(model, (2, 3, 8, 8))
    with pytest.raises(tg.errors.ShapeError):
        tg.summary(model, (1, 3, 3, 3))  # a channel of one value: fails half way
    assert [module.training for module in model.modules()] == [True, True, True, False]
    for path, value in model.named_buffers():
        assert id(value) == buffers[path][0]
        np.testing.assert_array_equal(value, buffers[path][1], err_msg=path)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        np.testing.assert_array_equal(parameter.grad.numpy(), gradient)


def test_figures_grow_with_the_batch_and_need_no_memory() -> None:
    block = Block()
    one, many = tg.summary(block, (4, 8, 8)), tg.summary(block, (1000, 4, 8, 8))
    assert many.multiply_adds == 1000 * one.multiply_adds
    assert many.activation_bytes == 1000 * one.activation_bytes
    assert many.saved.activations == 1000 * one.saved.activations


def test_enlarging_global_and_flat_layers() -> None:
    found = tg.summary(nn.Sequential(nn.Linear(5, 3), nn.Tanh()), (7, 5))
    assert [row.receptive_field for row in found.rows] == [None, None]
    assert found.parameters == 18

    class Strided(nn.Module):
        def forward(self, x: Any) -> Any:
            return F.max_pool2d(F.max_pool2d(x, 2)[:, :, ::2, ::2], 2)

    assert tg.summary(Strided(), (1, 16, 16)).output_shape == (1, 1, 2, 2)


def test_a_checkpoint_counts_what_it_runs() -> None:
    class InSegments(Block):
        def forward(self, x: Any) -> Any:
            return tg.checkpoint(super().forward, x, parameters=self.parameters())

    plain, found = tg.summary(Block(), (4, 8, 8)), tg.summary(InSegments(), (4, 8, 8))
    assert found.multiply_adds == plain.multiply_adds
    assert found.saved.activations < plain.saved.activations


def test_the_table_is_plain_text() -> None:
    block = Block()
    block.gain.requires_grad = False
    text = str(tg.summary(block, (4, 8, 8)))
    lines = text.splitlines()
    assert lines[0].strip() == "Block, input 1x4x8x8"
    assert "shared Conv2d" in text
    assert "7x7" in text
    assert lines[-1].startswith("296 trained parameters, 4 fixed; kept for the walk back: ")
    assert not any(line.endswith(" ") for line in lines)


@pytest.mark.parametrize("shape", [(), (0, 3, 3), (1, -1, 2, 2)])
def test_an_empty_input_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(tg.errors.ShapeError, match="summary: the input is not empty; got"):
        tg.summary(Block(), shape)


def test_a_path_that_did_not_run_is_refused() -> None:
    found = tg.summary(Block(), (4, 8, 8))
    with pytest.raises(tg.errors.UnknownNameError, match=r"got 'fist'\. Did you mean 'first'"):
        found["fist"]


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(tg.errors.DTypeError, match=r"summary: .*Module; got function"):
        tg.summary(lambda x: x, (1, 2, 2))  # type: ignore[arg-type]

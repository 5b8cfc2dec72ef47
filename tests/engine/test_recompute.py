"""Checkpoints: the same bits from less memory."""

import gc
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import graph, nn
from tinygrad_cnn.graph import elements_behind
from tinygrad_cnn.random import default_generator

LONG = 100


class Noisy(nn.Module):
    """Drops values at random while it is trained, and counts its first runs."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.batches = 0

    def forward(self, x: Any) -> Any:
        z = self.linear(x)
        if not graph.is_recomputing():
            self.batches += 1
        if self.training:
            kept = default_generator().random(z.shape) < 0.5
            z = z * tg.Tensor(kept.astype(np.float32))
        return F.tanh(z)


class Plain(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Noisy() for _ in range(depth)))

    def forward(self, x: Any) -> Any:
        return self.blocks(x)


class InSegments(Plain):
    def forward(self, x: Any) -> Any:
        for block in self.blocks:
            x = tg.checkpoint(block, x)
        return x


class Nested(Plain):
    def forward(self, x: Any) -> Any:
        first, second, *rest = self.blocks
        x = tg.checkpoint(
            lambda x: tg.checkpoint(second, tg.checkpoint(first, x)),
            x,
            parameters=[*first.parameters(), *second.parameters()],
        )
        for block in rest:
            x = tg.checkpoint(block.forward, x)
        return x


class BySequence(Plain):
    def forward(self, x: Any) -> Any:
        return tg.checkpoint_sequential(self.blocks, 2, x)


def trained_once(kind: type[Plain], depth: int = 5) -> tuple[list[Any], list[int], float]:
    """Return all gradients, what the blocks counted, and the number drawn next."""
    tg.manual_seed(5)
    network = kind(depth)
    x = tg.randn(4, 6, requires_grad=True)
    (network(x) * network(x)).sum().backward()
    grads = [value.grad for value in (x, *network.parameters())]
    drawn = default_generator().random()
    return [grad.numpy() for grad in grads], [block.batches for block in network.blocks], drawn


@pytest.mark.parametrize("kind", [InSegments, BySequence, Nested])
def test_gradients_are_those_of_the_plain_run_bit_for_bit(kind: type[Plain]) -> None:
    expected, found = trained_once(Plain), trained_once(kind)
    for mine, other in zip(found[0], expected[0], strict=True):
        np.testing.assert_array_equal(mine, other, strict=True)
    if kind is not Nested:  # there some draw in another order
        assert found[1:] == expected[1:]


def test_dropout_and_batch_norm_do_in_segments_what_they_do_without() -> None:
    def run(segments: int | None) -> list[Any]:
        tg.manual_seed(8)
        blocks = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(2, 2, 3, 1, 1), nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout(0.3)
                )
                for _ in range(4)
            )
        )
        x = tg.randn(3, 2, 5, 5, requires_grad=True)
        y = blocks(x) if segments is None else tg.checkpoint_sequential(blocks, segments, x)
        (y * y).sum().backward()
        grads = [value.grad.numpy() for value in (x, *blocks.parameters())]
        return [y.numpy(), *grads, *blocks.buffers()]

    expected = run(None)
    for segments in (1, 2, 4):
        for mine, other in zip(run(segments), expected, strict=True):
            np.testing.assert_array_equal(mine, other, strict=True)


def test_the_second_run_is_in_the_mode_of_the_first() -> None:
    block, x = Noisy(), tg.Tensor(np.ones((2, 6), np.float32), requires_grad=True)
    block.eval()
    loss = tg.checkpoint(block, x).sum()
    block.train()
    loss.backward()
    assert block.training
    again = tg.Tensor(np.ones((2, 6), np.float32), requires_grad=True)
    block.eval()
    block(again).sum().backward()
    assert x.grad is not None
    assert again.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), again.grad.numpy())


def test_the_graph_shows_one_element_and_its_parameters() -> None:
    block, x = Noisy(), tg.Tensor(np.ones((2, 6), np.float32))
    y = tg.checkpoint(block, x)
    (element,) = elements_behind(y.node)
    assert element.name == "checkpoint"
    assert element.inputs == (x.node, block.linear.weight.node, block.linear.bias.node)
    assert block.linear.weight.grad is None
    with tg.no_grad():
        assert tg.checkpoint(block, x).is_leaf


def test_several_outputs_and_other_arguments() -> None:
    def split(x: Any, power: int, y: Any) -> Any:
        best, place = (x * y).max(1)
        return x**power, best, place

    x = tg.Tensor([[1.0, 3.0], [4.0, 2.0]], requires_grad=True)
    y = tg.Tensor([2.0, 1.0], requires_grad=True)
    powers, best, place = tg.checkpoint(split, x, 2, y)
    assert place.tolist() == [1, 0]
    assert not place.requires_grad
    best.sum().backward()  # no error signal for the powers
    assert x.grad.tolist() == [[0.0, 1.0], [2.0, 0.0]]
    assert y.grad.tolist() == [4.0, 3.0]
    assert powers.requires_grad


def test_scalars_and_functions_that_return_their_input() -> None:
    x = tg.Scalar(3.0, requires_grad=True)
    tg.checkpoint(lambda x: x * x, x).backward()
    assert x.grad == 6.0
    z = tg.Tensor([1.0], requires_grad=True)
    same = tg.checkpoint(lambda z: z, z)
    (same * 2.0).backward()
    assert z.grad.tolist() == [2.0]
    assert not np.may_share_memory(same.numpy(), z.numpy())


def test_an_input_may_depend_on_another_one() -> None:
    x = tg.Tensor([2.0], requires_grad=True)
    y = x * x

    def run(wrap: Callable[..., Any]) -> list[Any]:
        z = wrap(lambda y, x: y * x, y, x)
        (first,) = tg.grad(z, x, create_graph=True, retain_graph=True)
        return [first.item(), tg.grad(first, x, retain_graph=True)[0].item()]

    assert run(tg.checkpoint) == run(lambda f, *values: f(*values)) == [12.0, 12.0]


def chain(segments: int | None) -> tuple[tg.Tensor, tg.Tensor]:
    x = tg.Tensor(np.linspace(0.0, 1.0, 1000), requires_grad=True)
    layers = [nn.Tanh() for _ in range(LONG)]
    y = nn.Sequential(*layers)(x) if segments is None else None
    return x, y if y is not None else tg.checkpoint_sequential(layers, segments, x)


def test_segments_keep_the_square_root() -> None:
    array = 8 * 1000
    x, y = chain(None)
    assert tg.saved_bytes(y) == (LONG * array, 0)
    y.sum().backward()
    again, z = chain(10)
    assert tg.saved_bytes(z) == (
        8 * array + 10 * array,
        array,
    )  # 9 inputs, x among them; 10 outputs
    z.sum().backward()
    np.testing.assert_array_equal(again.grad.numpy(), x.grad.numpy())
    assert tg.saved_bytes(z) == (0, 0)


def test_a_view_counts_as_the_memory_it_is_of() -> None:
    x = tg.Tensor(np.ones((2, 3)), requires_grad=True)
    w = tg.Tensor(np.ones((3, 2)), requires_grad=True)
    y = x.exp()
    z = y.reshape(3, 2) * w * y.reshape(3, 2)
    assert tg.saved_bytes(z) == (48 + 48, 48)  # y once; y ∘ w; w


def test_no_cycle_keeps_a_segment_alive() -> None:
    gc.collect()
    gc.disable()
    try:
        block = Noisy()
        x = tg.Tensor(np.ones((2, 6), np.float32), requires_grad=True)
        for create_graph in (False, True):
            loss = tg.checkpoint(block, x).sum()
            element = elements_behind(loss.node)[0]
            alive = weakref.ref(element)
            loss.backward(create_graph=create_graph)
            del loss, element
            x.zero_grad()
            block.zero_grad()
            assert alive() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("observed", [False, True])
def test_tensors_and_scalars_may_come_out_of_one_function(observed: bool) -> None:
    def both(x: tg.Tensor) -> tuple[tg.Tensor, tg.Scalar]:
        doubled = x * 2.0
        first, second, _ = doubled.scalars()
        return doubled, first * second

    x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    with tg.hooks.on_forward(lambda *facts: None) if observed else nullcontext():
        tensor, scalar = tg.checkpoint(both, x)
    assert (tensor.device, scalar.device) == ("cpu", "scalar")
    scalar.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [8.0, 4.0, 0.0]

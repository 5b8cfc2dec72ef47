"""Memory that is reused from step to step: nobody who holds an array sees it change."""

import gc
import threading
from collections.abc import Iterator

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

IMAGES = np.random.default_rng(1).standard_normal((32, 1, 28, 28), np.float32)
LABELS = np.arange(32) % 10


def network() -> nn.Module:
    tg.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 13 * 13, 26)
    )


def training(model: nn.Module, steps: int) -> Iterator[tuple[tg.Tensor, tg.Tensor]]:
    """Yield the output and the loss of each step, taken."""
    optimiser = tg.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for _ in range(steps):
        optimiser.zero_grad()
        output = model[:3](tg.Tensor(IMAGES))
        loss = F.cross_entropy(model[3:](output), LABELS)
        loss.backward()
        optimiser.step()
        yield output, loss


def test_views_numpy_and_dlpack_aliases_keep_their_bytes_over_twenty_steps() -> None:
    model, held = network(), []
    for output, _ in training(model, 20):
        gradient = model[4].weight.grad
        assert gradient is not None
        for tensor in (output, gradient):
            for alias in (
                tensor.numpy(),
                np.asarray(tensor)[..., 1:],
                np.from_dlpack(tensor._value),
                memoryview(tensor.numpy()),
                tensor.detach(),
            ):
                held.append((alias, np.array(alias).tobytes()))
    assert len(held) == 200
    assert all(np.array(alias).tobytes() == before for alias, before in held)
    assert len({before for _, before in held}) > 50  # steps differ


@pytest.mark.parametrize("collecting", [True, False])
def test_steps_reuse_the_memory_of_the_steps_before(collecting: bool) -> None:
    steps = training(network(), 40)
    if not collecting:
        gc.disable()
    try:
        for _ in range(3):
            next(steps)
        tg.memory.reset_peak_memory_stats()
        reserved = tg.memory.memory_reserved()
        allocated = {tg.memory.memory_allocated() for _ in steps}
    finally:
        gc.enable()
    assert len(allocated) == 1
    assert tg.memory.memory_reserved() == reserved
    assert max(allocated) < tg.memory.max_memory_allocated() <= reserved


def test_results_do_not_depend_on_what_the_memory_held_before() -> None:
    def losses() -> list[float]:
        return [loss.item() for _, loss in training(network(), 5)]

    first = losses()
    tg.memory.empty_cache()
    rubbish = [
        tg.Tensor(np.full(size, np.nan, np.float32)).exp() for size in range(999, 99_999, 999)
    ]
    del rubbish
    assert losses() == first


def test_threads_train_side_by_side() -> None:
    results: list[list[float]] = []

    def work() -> None:
        with tg.enable_grad():
            results.append([loss.item() for _, loss in training(models.pop(), 10)])

    models = [network() for _ in range(4)]
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work()
    assert results == results[:1] * 4


def test_emptying_the_cache_leaves_what_is_alive() -> None:
    kept = tg.Tensor(np.arange(20_000, dtype=np.float32)) * 2.0
    tg.memory.empty_cache()
    assert tg.memory.memory_reserved() == tg.memory.memory_allocated() >= 80_000
    assert kept.tolist() == list(range(0, 40_000, 2))


def test_saved_bytes_are_those_of_the_arrays_not_of_their_buffers() -> None:
    x = tg.Tensor(np.zeros(5000, np.float32), requires_grad=True)
    assert tg.saved_bytes(x.exp()).activations == 20_000

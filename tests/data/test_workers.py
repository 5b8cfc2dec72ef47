"""Threads that make batches: order, errors, bounds, and that none is left behind."""

import gc
import itertools
import signal
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_cnn import kernels
from tinygrad_cnn.data import ArrayDataset, Compose, DataLoader, Dataset, RandomCrop, RandomFlip
from tinygrad_cnn.errors import DataError, ShapeError
from tinygrad_cnn.kernels.alone import is_alone


def images_of(count):
    images = np.arange(count * 2 * 6 * 5, dtype=np.float32).reshape(count, 2, 6, 5)
    return ArrayDataset(images, np.arange(count))


class Reading(Dataset):
    """Positions, read by a function of them."""

    def __init__(self, count, read):
        self.count, self.read = count, read

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.read(index)


def workers():
    return [t for t in threading.enumerate() if t.name.startswith("DataLoader worker")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert workers() == []


TRANSFORM = Compose([RandomCrop(padding=2), RandomFlip()])


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(0, 30),
    batch_size=st.integers(1, 12),
    num_workers=st.integers(1, 4),
    prefetch=st.integers(0, 3),
    drop_last=st.booleans(),
)
def test_neither_workers_nor_prefetch_change_a_batch(
    count, batch_size, num_workers, prefetch, drop_last
):
    def epochs(**options):
        loader = DataLoader(
            images_of(count),
            batch_size,
            shuffle=True,
            drop_last=drop_last,
            transform=TRANSFORM,
            generator=np.random.default_rng(3),
            seed=4,
            **options,
        )
        return [list(loader) for _ in range(2)]

    plain, threaded = epochs(), epochs(num_workers=num_workers, prefetch=prefetch)
    for ours, theirs in zip(plain, threaded, strict=True):
        assert len(ours) == len(theirs)
        for (x, y), (u, v) in zip(ours, theirs, strict=True):
            assert x.tobytes() == u.tobytes()
            assert y.tolist() == v.tolist()


def test_batches_come_in_order_whichever_thread_is_first():
    def read(index):
        time.sleep(0.02 if index % 3 == 0 else 0.0)
        return np.float32(index), index

    loader = DataLoader(Reading(12, read), 1, num_workers=4, prefetch=4)
    assert [int(label[0]) for _, label in loader] == list(range(12))


def test_workers_work_at_the_same_time():
    together = threading.Barrier(2, timeout=10)

    def read(index):
        together.wait()  # breaks if the other thread does not come
        return index

    assert [int(batch[0]) for batch in DataLoader(Reading(8, read), 1, num_workers=2)] == [
        *range(8)
    ]


def refuse_17(index):
    if index == 17:
        raise KeyError("seventeen")
    return np.zeros(2), index


class Batches:
    """Without [index], and it fails for one example."""

    def __len__(self):
        return 30

    def batch(self, indices):
        if 17 in indices:
            raise KeyError("seventeen")
        return np.zeros((len(indices), 2)), indices


@pytest.mark.parametrize("num_workers", [0, 1, 3])
@pytest.mark.parametrize("dataset", [Reading(30, refuse_17), Batches()], ids=["one", "several"])
def test_an_error_comes_when_its_batch_does_and_names_the_example(dataset, num_workers):
    batches = iter(DataLoader(dataset, 4, num_workers=num_workers))
    assert len(list(itertools.islice(batches, 4))) == 4
    with pytest.raises(DataError, match=r"got example 17, which raised KeyError: .seventeen") as it:
        next(batches)
    assert isinstance(it.value.__cause__, KeyError)
    assert list(batches) == []  # that was the end
    assert workers() == []


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_error_of_a_transform_keeps_its_kind_and_tells_of_the_examples(num_workers):
    loader = DataLoader(
        ArrayDataset(np.zeros((4, 3)), [0] * 4), 2, transform=RandomFlip(), num_workers=num_workers
    )
    with pytest.raises(ShapeError, match=r"RandomFlip: images .*; got \(2, 3\)") as caught:
        list(loader)
    assert caught.value.__notes__ == ["DataLoader: while transforming examples [0, 1]"]


def test_what_ends_a_program_reaches_the_loop_as_it_is():
    def read(index):
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        next(iter(DataLoader(Reading(3, read), 1, num_workers=2)))


def broken_off(loader):
    for _ in loader:
        break


def interrupted(loader):
    with pytest.raises(KeyboardInterrupt):
        raise_in_loop(loader)


def raise_in_loop(loader):
    for _ in loader:
        raise KeyboardInterrupt


def never_looped(loader):
    iter(loader)


def ended(loader):
    batches = iter(loader)
    for _ in batches:
        pass
    assert workers() == []  # though somebody holds the iterator


def in_a_cycle(loader):
    cycle = [iter(loader)]
    next(cycle[0])
    cycle.append(cycle)
    del cycle
    gc.collect()


def two_at_once(loader):
    for first, second in zip(loader, loader, strict=True):
        assert first[1].tolist() == second[1].tolist()


@pytest.mark.parametrize(
    "use", [broken_off, interrupted, never_looped, ended, in_a_cycle, two_at_once]
)
@pytest.mark.parametrize("prefetch", [0, 3])
def test_no_thread_outlives_the_loop(use, prefetch):
    use(DataLoader(images_of(40), 2, num_workers=3, prefetch=prefetch))
    assert workers() == []


def test_an_interrupt_while_the_loop_waits_ends_the_threads(monkeypatch):
    go_on = threading.Event()
    loader = DataLoader(Reading(3, lambda index: go_on.wait(10)), 1, num_workers=2)
    batches = iter(loader)
    shelf = batches._crew._shelf

    def interrupt():
        go_on.set()
        raise KeyboardInterrupt

    monkeypatch.setattr(shelf, "take", interrupt)
    with pytest.raises(KeyboardInterrupt):
        next(batches)
    assert workers() == []
    assert list(batches) == []


@pytest.mark.parametrize(("num_workers", "prefetch"), [(1, 0), (1, 2), (2, 0), (2, 2), (3, 5)])
def test_no_more_batches_exist_than_prefetch_and_workers(num_workers, prefetch):
    class Batch:
        """An object that can be watched, unlike a tuple."""

    alive, counts, lock = weakref.WeakSet(), [], threading.Lock()

    def stack(examples):
        with lock:
            batch = Batch()
            alive.add(batch)
            counts.append(len(alive))
        return batch

    loader = DataLoader(images_of(60), 2, num_workers=num_workers, prefetch=prefetch, collate=stack)
    ahead = num_workers + prefetch
    for taken, batch in enumerate(loader, start=1):
        patience = time.monotonic() + 20
        while len(counts) < min(taken + ahead, len(loader)) and time.monotonic() < patience:
            time.sleep(0.001)  # threads get as far ahead as they may
        assert len(counts) == min(taken + ahead, len(loader))
        del batch
    assert max(counts) == ahead + 1  # and the loop has one


def test_what_kernels_are_asked_for_holds_in_threads_and_each_works_alone():
    seen = set()

    def read(index):
        seen.add((threading.current_thread().name, kernels.lookup("relu").variant, is_alone()))
        time.sleep(0.01)
        return index

    with kernels.use(relu="reference"):
        list(DataLoader(Reading(6, read), 1, num_workers=2))
    assert {(variant, alone) for _, variant, alone in seen} == {("reference", True)}
    assert not is_alone()


SLOW = """
import time
from tinygrad_cnn.data import DataLoader, Dataset

class Slow(Dataset):
    def __len__(self):
        return 1000
    def __getitem__(self, index):
        time.sleep(0.2 if index else 0)
        return index

for batch in DataLoader(Slow(), 1, num_workers=2):
    print(batch, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_control_c_ends_a_program_that_waits_for_a_batch():
    program = subprocess.Popen(
        [sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdout.readline() == "[0]\n"
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=100)
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert "Exception ignored" not in errors

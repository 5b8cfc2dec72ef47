"""The pool of buffers: who keeps one, when it is used again, and how much is held."""

import copy
import gc
import linecache
import os
import pickle
import random
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from tinygrad_cnn.kernels import buffer_pool
from tinygrad_cnn.kernels.buffer_pool import ALIGNMENT, POOL, SMALLEST, BufferPool

SHAPE = (256, 100)  # 102,400 bytes of float32, in a class of 114,688


@pytest.fixture
def pool() -> BufferPool:
    return BufferPool()


def address(array: np.ndarray) -> int:
    return array.ctypes.data


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.intp, np.bool_, "f4"])
@pytest.mark.parametrize("shape", [(20_000,), (1000, 33), (4, 3, 100, 7), (0, 9), (3,), ()])
def test_arrays_are_contiguous_writable_and_begin_at_a_cache_line(pool, shape, dtype):
    array = pool.empty(shape, dtype)
    assert type(array) is np.ndarray
    assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
    assert array.flags.c_contiguous
    assert array.flags.writeable
    if array.nbytes >= SMALLEST:
        assert address(array) % ALIGNMENT == 0
    array[...] = 1
    assert array.sum() == array.size


def test_zeros_are_zero_in_memory_that_was_used_before(pool):
    pool.empty(SHAPE, np.float32).fill(np.nan)
    again = pool.zeros(SHAPE, np.float32)
    assert pool.idle == 0
    assert not again.any()


def test_the_buffer_of_an_array_that_died_is_used_again(pool):
    before = address(pool.empty(SHAPE, np.float32))
    assert address(pool.empty(SHAPE, np.float32)) == before
    slightly_smaller = pool.empty((240, 100), np.float32)
    assert address(slightly_smaller) == before
    assert address(pool.empty(SHAPE, np.float32)) != before


def test_small_arrays_do_not_come_from_the_pool(pool):
    array = pool.empty((SMALLEST - 1,), np.uint8)
    assert pool.in_use == 0
    assert array.base is None


ALIASES = {
    "view": lambda a: a.view(),
    "view of a view": lambda a: a[1:].T[::2],
    "other type": lambda a: a.view(np.int32),
    "reshaped": lambda a: a.reshape(-1),
    "asarray": lambda a: np.asarray(a, copy=False)[...],
    "memoryview": lambda a: memoryview(a),
    "from a memoryview": lambda a: np.asarray(memoryview(a)),
    "frombuffer": lambda a: np.frombuffer(a, np.float32),
    "DLPack": lambda a: np.from_dlpack(a),
    "capsule": lambda a: a.__dlpack__(),
    "subclass": lambda a: a.view(np.ma.MaskedArray),
    "strided": lambda a: np.lib.stride_tricks.as_strided(a, (2, 2), (4, 8)),
    "interface": lambda a: a.__array_struct__,
    "row": lambda a: next(iter(a)),
    "broadcast": lambda a: np.broadcast_to(a, (3, *a.shape)),
}


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_keeps_the_buffer(pool, alias):
    array = pool.empty(SHAPE, np.float32)
    held = ALIASES[alias](array)
    in_use = pool.in_use
    del array
    gc.collect()
    assert (pool.in_use, pool.idle) == (in_use, 0)
    del held
    gc.collect()
    assert (pool.in_use, pool.idle) == (0, in_use)


@pytest.mark.parity
def test_a_tensor_of_pytorch_keeps_the_buffer(pool):
    torch = pytest.importorskip("torch")
    for share in (torch.from_numpy, torch.from_dlpack):
        array = pool.zeros(SHAPE, np.float32)
        held = share(array)
        del array
        assert pool.idle == 0
        assert held.sum() == 0
        del held
        assert pool.in_use == 0


def test_bytes_are_counted_and_the_peak_is_kept_until_it_is_forgotten(pool):
    one = pool.empty((131_072,), np.uint8)
    two = pool.empty((65_537,), np.uint8)
    assert (pool.in_use, pool.idle, pool.peak) == (131_072 + 81_920, 0, 131_072 + 81_920)
    del two
    assert (pool.in_use, pool.idle, pool.peak) == (131_072, 81_920, 131_072 + 81_920)
    pool.forget_peak()
    assert pool.peak == 131_072
    pool.release_idle()
    assert (pool.in_use, pool.idle) == (131_072, 0)
    del one
    assert (pool.in_use, pool.idle) == (0, 131_072)


def test_what_is_held_stays_near_the_most_that_was_in_use(pool):
    draw = random.Random(3)
    alive: list[np.ndarray] = []
    for _ in range(3000):
        alive.append(pool.empty((draw.randrange(SMALLEST, 8_000_000),), np.uint8))
        if len(alive) > 20:
            del alive[draw.randrange(len(alive))]
        assert pool.in_use + pool.idle <= max(1.25 * pool.peak, pool.peak + (8 << 20))
        assert sum(array.nbytes for array in alive) <= pool.in_use


def test_memory_of_a_peak_long_ago_is_given_back(pool):
    large = [pool.empty((10_000_000,), np.uint8) for _ in range(5)]
    del large
    assert pool.idle > 50_000_000
    for _ in range(10_000):
        pool.empty(SHAPE, np.float32)
    assert pool.in_use + pool.idle < 10_000_000
    assert pool.peak > 50_000_000  # the report remembers


def test_a_training_loop_of_sizes_settles_and_allocates_nothing_new(pool, monkeypatch):
    def step() -> None:
        sizes = [512_000] * 12 + [256_000] * 12 + [128_000] * 12
        kept = [pool.empty((size,), np.uint8) for size in sizes]
        while kept:  # the walk back: temporaries of the size that is met
            signals = [pool.empty((kept[-1].nbytes,), np.uint8) for _ in "12"]
            kept.pop()
            del signals

    for _ in range(3):
        step()
    monkeypatch.setattr(buffer_pool, "_allocate", lambda size: pytest.fail("allocates"))
    for _ in range(3):
        step()


def test_threads_never_share_a_buffer():
    pool, wrong = BufferPool(), []

    def work(mark: int) -> None:
        draw = random.Random(mark)
        alive: list[np.ndarray] = []
        for _ in range(2000):
            alive.append(pool.empty((draw.choice((80_000, 144_000, 320_000)),), np.uint8))
            alive[-1].fill(mark)
            if len(alive) > 5:
                gone = alive.pop(draw.randrange(5))
                if gone.min() != mark or gone.max() != mark:
                    wrong.append(mark)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(mark,)) for mark in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []
    assert pool.in_use == 0


def test_an_array_that_dies_in_a_thread_is_taken_back(pool):
    arrays = [pool.empty(SHAPE, np.float32)]
    thread = threading.Thread(target=arrays.clear)
    thread.start()
    thread.join()
    assert (pool.in_use, pool.idle) == (0, 114_688)


def test_a_destructor_may_allocate_and_ask_at_any_moment(pool):
    class Asking:
        def __init__(self) -> None:
            self.myself = self  # a cycle: the garbage collector ends it
            self.array = pool.empty(SHAPE, np.float32)

        def __del__(self) -> None:
            answers.append(pool.empty(SHAPE, np.float32).size)

    answers: list[int] = []
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(200):
            Asking()
            pool.empty(SHAPE, np.float32)
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert answers == [25_600] * 200
    assert pool.in_use == 0


def test_cycles_hold_their_buffers_until_they_are_collected(pool):
    class Holder:
        pass

    gc.disable()
    try:
        holder = Holder()
        holder.myself, holder.array = holder, pool.empty(SHAPE, np.float32)
        gone = weakref.ref(holder)
        del holder
        assert pool.in_use
    finally:
        gc.enable()
    gc.collect()
    assert gone() is None
    assert pool.in_use == 0


def test_copies_and_pickles_are_arrays_of_their_own(pool):
    array = pool.zeros(SHAPE, np.float32)
    copies = [copy.copy(array), copy.deepcopy(array), pickle.loads(pickle.dumps(array))]
    array.fill(1)
    assert not any(other.any() for other in copies)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_child_process_has_arrays_of_its_own_even_if_a_thread_was_allocating():
    array = POOL.zeros(SHAPE, np.float32)
    POOL._lock.acquire()  # as another thread, which the child does not have, would
    try:
        child = os.fork()
        if not child:
            array.fill(7)
            before = POOL.in_use
            more = POOL.empty(SHAPE, np.float32)
            more.fill(5)
            os._exit(0 if POOL.in_use > before and array[0, 0] == 7 else 1)
    finally:
        POOL._lock.release()
    assert os.waitpid(child, 0)[1] == 0
    assert not array.any()


def test_an_interrupt_at_any_line_of_an_allocation_changes_no_count(pool):
    """The lines are those of the pool itself; a signal is never noticed in the middle of `with`."""
    kept = [pool.empty(SHAPE, np.float32)]
    for line in range(120):
        passed = 0

        def count(frame, event, argument, line=line):
            nonlocal passed
            if frame.f_code.co_filename != buffer_pool.__file__:
                return None
            source = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
            if event == "line" and not source.lstrip().startswith(("with ", "self._note_death")):
                passed += 1
                if passed == line:
                    raise KeyboardInterrupt
            return count

        kept.append(pool.empty((70_000,), np.float32))
        del kept[0]  # so that there is something to take back
        before = sys.gettrace()
        sys.settrace(count)
        try:
            pool.empty((700_000,) if line % 2 else SHAPE, np.float32)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        assert pool.in_use == sum(size for _, size, _ in pool._lent.values()) == 327_680
        assert pool.idle == sum(size * len(free) for size, free in pool._free.items())
    assert passed < line  # an allocation has fewer lines: all were tried


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")
def test_large_buffers_that_are_released_leave_the_process(pool):
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def fill() -> list[np.ndarray]:
        arrays = [pool.empty((size * 1024 * 1024,), np.uint8) for size in (3, 5, 9, 12) * 3]
        for array in arrays:
            array.fill(1)
        return arrays

    fill()
    pool.release_idle()
    before, between = resident(), []
    for _ in range(3):
        arrays = fill()
        between.append(np.ones(10_000))  # on the heap of the C library
        del arrays
        pool.release_idle()
    assert resident() - before < 4 * 1024 * 1024


def test_idle_memory_goes_when_the_system_has_none_left(pool, monkeypatch):
    allocate = buffer_pool._allocate

    def refuse_while_some_is_idle(size: int) -> buffer_pool.Memory:
        if pool._idle:
            raise MemoryError
        return allocate(size)

    large = pool.empty((400_000,), np.uint8)
    held = pool.empty((400_000,), np.uint8)
    del large
    monkeypatch.setattr(buffer_pool, "_allocate", refuse_while_some_is_idle)
    small = pool.empty((80_000,), np.uint8)
    assert (pool.in_use, pool.idle) == (81_920 + 458_752, 0)
    assert small.size < held.size

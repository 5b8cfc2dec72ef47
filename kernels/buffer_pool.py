"""A pool of buffers: a training step computes in the memory of the step before.

Memory that is fresh from the operating system is slow. Every page of it is mapped and filled
with zeros when it is first touched, and a step that allocates all its activations anew pays
for that every time. So a buffer whose array has died is kept for the next array of its size::

    array = empty((128, 32, 32, 16), np.float32)     takes a buffer, or makes one
         ▲
         │ .base                                     views, slices, .numpy(), memoryview and
    views of it, and views of these                  DLPack capsules keep the array alive
         ⋮
    the array dies                                   its buffer goes back

**Who owns a buffer.** The array that is handed out. NumPy lets a view of a view point
straight to what is behind both, unless that has another type: the memory of a pooled array is
of class :class:`Memory`, so every view ends at the array itself and the array outlives all of
them. Its death is noticed by a weak reference whose callback is the ``append`` of a queue: one
step, in whatever thread and at whatever moment Python runs it, with no code of ours. The next
allocation empties the queue.

**How much is kept.** Sizes are rounded up to four classes for each doubling, and an array
takes the smallest idle buffer of less than about twice its class, so a slightly smaller batch
fits into the buffers of a larger one. What is in use and what is idle together never exceed
what was in use at the most, lately: before a new buffer is made, those idle for longest go
back to the system.

Buffers begin at multiples of 64 bytes, a line of the cache and the widest vector register.
"""

import mmap
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import prod
from typing import Any
from weakref import ref

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ALIGNMENT = 64  # bytes

# Tuned by measurement.
SMALLEST = 64 * 1024  # bytes; the system reuses smaller memory faster, and page by page
_MAPPED = 256 * 1024  # bytes; the C library takes smaller buffers from its heap anyway
_HUGE = 4 * 1024 * 1024  # bytes; from here on large pages save time where they are first touched
_PERIOD = 4096  # deaths after which an earlier peak is on its way to be forgotten
_SLACK = 1.25  # what is kept, of what was in use at once: its sizes change within a step
_SPARE = 8 * 1024 * 1024  # bytes; at least so much is kept besides: small networks have many sizes
_LARGER_CLASSES = 3  # that an idle buffer may be of: less than twice what was asked for


#: Put among arrays that died: what is in use and idle has to be counted anew.
_INTERRUPTED = None


class Memory(np.ndarray[Any, Any]):
    """The bytes behind pooled arrays; being a class of its own, views do not skip the array."""

    __slots__ = ()


class BufferPool:
    """Buffers in use and idle, and their sizes in bytes.

    Examples
    --------
    >>> pool = BufferPool()
    >>> first = pool.empty((1024, 32), np.float32)
    >>> address = first.ctypes.data
    >>> del first
    >>> pool.idle
    131072
    >>> pool.empty((1000, 32), np.float32).ctypes.data == address
    True
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Weak references to arrays that died, put here by Python itself.
        self._dead: deque[ref[Array] | None] = deque()
        self._note_death = self._dead.append
        # id of a weak reference → itself, the size and the memory of its array
        self._lent: dict[int, tuple[ref[Array], int, Memory]] = {}
        # size → buffers that are free with the time they became so, the oldest first
        self._free: dict[int, list[tuple[int, Memory]]] = {}
        self._in_use = self._idle = 0
        self._time = 0  # counted in arrays that died
        self._period_ends = _PERIOD
        self._peak = self._former_peak = 0  # of what was in use in this period, in the one before
        self._older_peak = 0  # since it was last asked to forget

    # -- allocation ------------------------------------------------------------------

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return a C-contiguous array whose values are whatever its memory held before."""
        try:
            size = prod(shape) * dtype.itemsize
        except (AttributeError, TypeError):  # a type, or the name of one
            return self.empty(shape, np.dtype(dtype))
        if size < SMALLEST:
            return np.empty(shape, dtype)
        step = 1 << (size.bit_length() - 3)
        size = -(-size // step) * step  # four classes of sizes for each doubling
        # Python may collect garbage while the lock is held, and a destructor that runs then
        # may come here again: whoever finds the lock taken gets memory outside of the pool.
        if self._lock.locked():
            return np.ndarray(shape, dtype, _allocate(size))
        try:
            with self._lock:
                if self._dead:
                    self._collect()
                free = self._free.get(size)
                if free:
                    memory = free.pop()[1]
                    self._idle -= size
                else:
                    size, memory = self._search(size)
                in_use = self._in_use = self._in_use + size
                if in_use > self._peak:
                    self._peak = in_use
            array = np.ndarray(shape, dtype, memory)
            reference = ref(array, self._note_death)
            self._lent[id(reference)] = reference, size, memory
        except BaseException:  # a user who interrupts, wherever it may be
            self._note_death(_INTERRUPTED)
            raise
        return array

    def zeros(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """Return a C-contiguous array of zeros."""
        array = self.empty(shape, dtype)
        array.fill(0)
        return array

    def _collect(self) -> None:
        """Take back the buffers of arrays that have died."""
        counted = True
        while self._dead:
            found = self._lent.pop(id(self._dead.popleft()), None)
            if found is None:
                counted = False
            else:
                self._take_back(*found[1:])
        if not counted:
            self._count_anew()
        if self._time >= self._period_ends:
            self._begin_period()

    def _take_back(self, size: int, memory: Memory) -> None:
        self._free.setdefault(size, []).append((self._time, memory))
        self._in_use -= size
        self._idle += size
        self._time += 1

    def _count_anew(self) -> None:
        """Find what is in use and idle, where an interrupt left a change half done."""
        for key, (reference, size, memory) in list(self._lent.items()):
            if reference() is None:
                del self._lent[key]
                self._take_back(size, memory)
        self._in_use = sum(size for _, size, _ in self._lent.values())
        self._idle = sum(size * len(free) for size, free in self._free.items())

    def _search(self, size: int) -> tuple[int, Memory]:
        """Return a buffer of a larger class, or a new one, and its size."""
        larger = size
        for _ in range(_LARGER_CLASSES):
            larger += 1 << (larger.bit_length() - 3)
            if free := self._free.get(larger):
                self._idle -= larger
                return larger, free.pop()[1]
        self._release(self._limit() - self._in_use - size)
        try:
            memory = _allocate(size)
        except MemoryError:
            self._release(0)
            memory = _allocate(size)
        return size, memory

    def _begin_period(self) -> None:
        """Forget the period before the last, and give back what was needed in it alone."""
        self._period_ends = self._time + _PERIOD
        self._older_peak = max(self._older_peak, self._peak)
        self._former_peak, self._peak = self._peak, self._in_use
        self._release(self._limit() - self._in_use)

    def _limit(self) -> int:
        """Return how many bytes may be in use and idle together."""
        most = max(self._peak, self._former_peak, self._in_use)
        return max(int(_SLACK * most), most + _SPARE)

    def _release(self, kept: int) -> None:
        """Give idle buffers back to the system, the oldest first, until `kept` bytes remain."""
        while self._idle > max(0, kept):
            size = min((free[0][0], size) for size, free in self._free.items() if free)[1]
            del self._free[size][0]
            self._idle -= size

    # -- what it holds ---------------------------------------------------------------

    @property
    def in_use(self) -> int:
        """Bytes of buffers behind arrays that are alive."""
        with self._settled():
            return self._in_use

    @property
    def idle(self) -> int:
        """Bytes of buffers that wait for an array."""
        with self._settled():
            return self._idle

    @property
    def peak(self) -> int:
        """The most bytes that were in use at once since :meth:`forget_peak`."""
        return max(self._older_peak, self._peak)

    def forget_peak(self) -> None:
        """Count `peak` anew from here."""
        with self._settled():
            self._former_peak = max(self._former_peak, self._peak)  # still bounds what is kept
            self._older_peak, self._peak = 0, self._in_use

    def release_idle(self) -> None:
        """Give all idle buffers back to the system."""
        with self._settled():
            self._release(0)

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """Hold the lock, and have taken back the buffers of all arrays that died before."""
        # A destructor that asks while this very thread allocates would wait forever.
        locked = self._lock.acquire(timeout=1.0)
        try:
            if locked:
                self._collect()
            yield
        finally:
            if locked:
                self._lock.release()

    def after_fork(self) -> None:
        """Make the pool of a child process usable: a thread left behind may hold its lock."""
        self._lock = threading.Lock()
        self._note_death(_INTERRUPTED)


def _allocate(size: int) -> Memory:
    """Return aligned memory that is fresh from the system, and goes back there when it dies.

    The C library gives back what was asked for singly, and puts what it has come to take for
    everyday sizes between others on its heap. There, a buffer of 10 MB that died left a hole
    that the next one of 12 MB did not fit into: a third of the memory of a training step.
    """
    if size >= _MAPPED and hasattr(mmap, "MAP_ANONYMOUS"):
        try:
            pages = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except OSError as error:
            raise MemoryError(f"buffer_pool: no memory for an array of {size:,} bytes") from error
        if size >= _HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
            with suppress(OSError):  # a kernel without them
                pages.madvise(mmap.MADV_HUGEPAGE)
        return Memory(size, np.uint8, pages)
    whole = Memory(size + ALIGNMENT, np.uint8)
    first = -whole.ctypes.data % ALIGNMENT
    return whole[first : first + size].view(Memory)


#: The pool that all devices of this package allocate from.
POOL = BufferPool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL.after_fork)

empty = POOL.empty
zeros = POOL.zeros

"""Compiling many kernels at once: in this process, and in others beside it.

Numba compiles one function at a time, under a lock. So a second processor helps only through
a second process, which compiles what it is handed and leaves the code in the cache on disk.
It is a fresh Python that gets the kernels' names through a pipe: a script need not be written
so that it can be imported, as ``multiprocessing`` asks for.

A helper is never relied on. What it cannot compile, or what it was at when it ended, is
compiled here.
"""

import base64
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress

from tinygrad_cnn.kernels.cache import cache_folder
from tinygrad_cnn.kernels.jit import Specialisation

__all__ = ["Progress", "compile_all", "processes_worth", "serve"]

#: Is told of the kernels at work, how many are done, and how many there are.
Progress = Callable[[str, int, int], None]

_WORTH_A_PROCESS = 4  # kernels; it takes half a second to start one
# Modules are found where we find ours. In PYTHONPATH a script's folder would come too early.
_SERVE = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import serve; serve()"
_DONE, _REFUSED = b"1", b"0"
_PATIENCE = 10.0  # seconds for a helper to end by itself


def processes_worth(kernels: Sequence[Specialisation]) -> int:
    """Return how many processes are to compile: two for several kernels on two processors."""
    affinity = getattr(os, "sched_getaffinity", None)
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    return 2 if len(kernels) >= _WORTH_A_PROCESS and processors >= 2 else 1


def compile_all(
    kernels: Sequence[Specialisation],
    processes: int,
    progress: Progress = lambda names, done, total: None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Compile kernels, the largest first, so that no process is left with a long one at last.

    Parameters
    ----------
    kernels : sequence of Specialisation
        What is to be compiled.
    processes : int
        This one and, where what they compile can be kept, others beside it.
    progress : callable
        Told whenever a kernel is begun.
    check : callable
        Called before each kernel of this process; what it raises ends the others, too.
    """
    work = _Work(kernels, progress)
    helpers = processes - 1 if cache_folder() is not None else 0
    with ExitStack() as stack:
        threads = []
        for _ in range(min(helpers, len(kernels) - 1)):
            with suppress(OSError):  # no further process to be had
                helper = stack.enter_context(closing(_Helper()))
                threads.append(threading.Thread(target=work.hand_to, args=(helper,), daemon=True))
                threads[-1].start()
                stack.callback(threads[-1].join)
                stack.callback(helper.end)  # called first
        while True:
            check()
            busy = next(filter(threading.Thread.is_alive, threads), None)
            if (kernel := work.take()) is not None:
                kernel.compile()
                work.finish(kernel)
            elif busy is None:
                return
            else:
                busy.join(0.05)


class _Work:
    """Kernels that wait, those at work, and how many are done."""

    def __init__(self, kernels: Sequence[Specialisation], progress: Progress) -> None:
        self._waiting = deque(sorted(kernels, key=lambda kernel: -kernel.size))
        self._at_work: list[Specialisation] = []
        self._done, self._total = 0, len(kernels)
        self._progress, self._lock = progress, threading.Lock()

    def take(self) -> Specialisation | None:
        """Return the largest kernel that nobody has begun."""
        with self._lock:
            if not self._waiting:
                return None
            kernel = self._waiting.popleft()
            self._at_work.append(kernel)
            names = ", ".join(each.name for each in self._at_work)
            self._progress(names, self._done, self._total)
            return kernel

    def finish(self, kernel: Specialisation) -> None:
        """Count it."""
        with self._lock:
            self._at_work.remove(kernel)
            self._done += 1

    def put_back(self, kernel: Specialisation) -> None:
        """Let somebody else compile it."""
        with self._lock:
            self._at_work.remove(kernel)
            self._waiting.appendleft(kernel)

    def hand_to(self, helper: "_Helper") -> None:
        """Keep a helper busy until nothing waits or it fails."""
        while (kernel := self.take()) is not None:
            if not helper.compile(kernel):
                self.put_back(kernel)
                return
            self.finish(kernel)


class _Helper:
    """Another process, which compiles one kernel after another."""

    def __init__(self) -> None:
        search = map(os.path.abspath, sys.path)
        # A session of its own: Ctrl-C at a terminal goes to us, and we end the helper.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, *search],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def compile(self, kernel: Specialisation) -> bool:
        """Hand a kernel over, wait, and tell whether it is in the cache now."""
        questions, answers = self._process.stdin, self._process.stdout
        if questions is None or answers is None:
            return False
        try:
            questions.write(base64.b64encode(pickle.dumps(kernel)) + b"\n")
            questions.flush()
            return answers.read(1) == _DONE
        except (OSError, ValueError, pickle.PicklingError):  # it ended, or was stopped
            return False

    def end(self) -> None:
        """End the process; what it was at is not stored, not even in part."""
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Close the pipes."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def serve() -> None:
    """Compile what is named on standard input, line by line, until that ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # lets unfinished files be removed
    for line in sys.stdin.buffer:
        try:
            pickle.loads(base64.b64decode(line)).compile()
            answer = _DONE
        except Exception:  # the other process compiles it, and tells what is wrong with it
            answer = _REFUSED
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()

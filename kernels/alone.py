"""Threads that compute alone: a thread that loads pictures leaves the others to the network.

Threads of a data loader run kernels beside those of a training step. Were each call shared
between all threads, as in a step, every loading thread would have a team of its own, and
they would keep each other from the processor; on systems whose Numba has only the threading
layer *workqueue*, two teams at once end the process. So such a thread says that it works
alone, and kernels that share work through :func:`~tinygrad_cnn.kernels.cpu.loops.tasks.run` ask.
"""

import sys
import threading

__all__ = ["is_alone", "work_alone"]


class _Thread(threading.local):
    alone = False


_thread = _Thread()


def work_alone() -> None:
    """Run the kernels that the calling thread calls from now on without other threads.

    Kernels that ask Numba instead learn it from there, if Numba is in use already.
    """
    _thread.alone = True
    if "numba" in sys.modules:
        import numba  # waits where another thread imports it just now

        numba.set_num_threads(1)


def is_alone() -> bool:
    """Tell whether the calling thread works alone."""
    return _thread.alone

"""How many threads the kernels use while a run trains."""

from collections.abc import Iterator
from contextlib import contextmanager

from tinygrad_cnn.errors import OptionError

__all__ = ["kernel_threads", "require_threads"]


def require_threads(threads: int) -> None:
    """Refuse more threads than this machine has for kernels.

    Raises
    ------
    OptionError
        If `threads` is below 1 or above their number.

    Examples
    --------
    >>> require_threads(1)
    """
    import numba

    most = numba.config.NUMBA_NUM_THREADS
    if not 1 <= threads <= most:
        raise OptionError(f"threads: there are 1 to {most} threads here; got {threads}")


@contextmanager
def kernel_threads(threads: int | None) -> Iterator[None]:
    """Let the kernels use so many threads in a ``with`` block; then as many as before.

    Parameters
    ----------
    threads : int, optional
        At most one for each core is taken; None leaves the number as it is.

    Examples
    --------
    >>> with kernel_threads(1):
    ...     pass  # train here
    """
    if threads is None:
        yield
        return
    import numba

    former = numba.get_num_threads()
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(former)

"""What commands say besides their result: one line each, on standard error."""

import sys

__all__ = ["tell"]


def tell(text: str) -> None:
    """Print a line on standard error, so that results can be piped.

    Examples
    --------
    >>> from contextlib import redirect_stderr
    >>> with redirect_stderr(sys.stdout):
    ...     tell("one of two files is damaged")
    tinygrad-cnn: one of two files is damaged
    """
    print(f"tinygrad-cnn: {' '.join(text.split())}", file=sys.stderr, flush=True)

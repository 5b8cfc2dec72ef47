"""Results as files: the ending of a file's name says in which form."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tinygrad_cnn.atomic import write_atomically
from tinygrad_cnn.errors import OptionError

Forms = Mapping[str, Callable[[], str | bytes]]  # by the ending, such as ".html"

__all__ = ["Forms", "require_ending", "save_by_ending"]


def require_ending(path: str | Path, endings: tuple[str, ...], operation: str) -> Path:
    """Return the path of a file, or refuse its ending: before anything long is computed."""
    file = Path(path)
    if file.suffix not in endings:
        known = f"{', '.join(endings[:-1])} or {endings[-1]}" if endings[1:] else endings[0]
        raise OptionError(f"{operation}: a file ends in {known}; got {str(path)!r}")
    return file


def save_by_ending(path: str | Path, forms: Forms, operation: str) -> None:
    """Write a file whole or not at all, in the form that its ending asks for.

    Parameters
    ----------
    path : str or Path
    forms : mapping of str to callable
        By the ending, such as ``".html"``: what makes the content.
    operation : str
        Who asks, for messages.

    Raises
    ------
    OptionError
        If there is no form of this ending.
    RunDirectoryError
        If the file cannot be written.
    """
    file = require_ending(path, tuple(forms), operation)
    content = forms[file.suffix]()
    if isinstance(content, str):
        content = f"{content.rstrip()}\n".encode()
    write_atomically(file, content, operation=operation)

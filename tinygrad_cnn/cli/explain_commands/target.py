"""Where a command writes is looked at before it computes: seconds, or minutes of training."""

from pathlib import Path

__all__ = ["require_folder"]


def require_folder(operation: str, file: Path) -> None:
    """Refuse a file whose folder is not there.

    Raises
    ------
    OptionError
        If it is not.
    """
    from tinygrad_cnn.errors import OptionError

    if not file.parent.is_dir():
        raise OptionError(f"{operation}: FILE lies in a folder that exists; got {str(file)!r}")

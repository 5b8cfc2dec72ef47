"""What layers ask of their options, and how they print them."""

from typing import Any

from tinygrad_cnn.elements.requirements import is_integer
from tinygrad_cnn.errors import OptionError

Size = int | tuple[int, int]


def require_positive(layer: str, **sizes: int) -> None:
    """Refuse sizes that are not positive integers."""
    for option, size in sizes.items():
        if not is_integer(size, 1):
            raise OptionError(f"{layer}: {option} is a positive integer; got {size!r}")


def refuse_unbuilt(layer: str, **options: tuple[Any, Any]) -> None:
    """Refuse what stands in PyTorch's signature and is not built; (given, built) each."""
    for option, (given, built) in options.items():
        if given != built:
            raise OptionError(
                f"{layer}: {option} is {built!r}, another one is not built; got {given!r}. "
                "Leave it out, and give the options behind it by name"
            )


def single(size: Any) -> Any:
    """Return a pair of equal sizes as one, and anything else as it is."""
    return size[0] if isinstance(size, tuple | list) and len(set(size)) == 1 else size

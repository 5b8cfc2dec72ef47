"""What ``from tinygrad_cnn.compat.torch.nn import LSTM`` is told: the nearest thing there is.

Python asks for a name that a module lacks once more, as a submodule, and hides the module's own
answer behind "cannot import name". So submodules that are nowhere are looked for here, last.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

from tinygrad_cnn.compat.namespace import Namespace
from tinygrad_cnn.errors import MissingImportError, MissingNameError

_PLACE = "tinygrad_cnn.compat.torch"  # and torchvision


class NearestFinder(MetaPathFinder):
    """Finds nothing, and says what comes near."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> Any:
        """Return None, for a name that is not in one of the tables.

        Raises
        ------
        MissingImportError
            If the module it is to be in has a table without it.
        """
        parent, _, name = fullname.rpartition(".")
        if not parent.startswith(_PLACE) or name.startswith("__"):
            return None
        table = getattr(sys.modules.get(parent), "NAMES", None)
        if isinstance(table, Namespace):
            try:
                table.find(name)
            except MissingNameError as missing:
                raise MissingImportError(str(missing), name=fullname) from None
        return None


def install() -> None:
    """Ask the finder when all others have found nothing."""
    if not any(isinstance(finder, NearestFinder) for finder in sys.meta_path):
        sys.meta_path.append(NearestFinder())

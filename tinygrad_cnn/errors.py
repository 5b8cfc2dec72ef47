"""Every exception that this package raises on purpose.

::

    TinygradCnnError
    ├── ShapeError          (ValueError)    shapes that do not fit together
    ├── DTypeError          (TypeError)     an element type that an operation does not take
    ├── DeviceError         (ValueError)    values that live on different devices
    ├── OptionError         (ValueError)    an option outside its range
    ├── UnknownNameError    (LookupError)   a name that nobody registered
    │   └── MissingKernelError              no kernel of that name on that device
    ├── MissingNameError    (AttributeError)  an attribute that is not there; names the nearest
    ├── MissingImportError  (ImportError)   the same for a name that is imported
    ├── GradcheckError      (AssertionError)  a gradient that differs from its differences
    ├── KernelMismatchError (AssertionError)  variants of a kernel that disagree
    ├── DivergedError       (ArithmeticError) training whose loss is no longer a number
    ├── NotFiniteError      (ArithmeticError) a value that became NaN or infinite
    ├── GraphError          (RuntimeError)  a walk over a graph that cannot be made
    ├── DataError           (ValueError)    a data file that is not what it claims to be
    ├── MissingDataError    (FileNotFoundError)  data that is nowhere to be found
    ├── CheckpointError     (ValueError)    a checkpoint that cannot be used here
    └── RunDirectoryError   (OSError)       a run directory that cannot be written

Each message reads ``<operation>: <rule>; got <the values that matter>``, followed by the
remedy where there is one. Each class also derives from the built-in exception that a
Python programmer would expect, so ``except ValueError`` works as usual.
"""

import difflib
from collections.abc import Iterable, Mapping

__all__ = [
    "CheckpointError",
    "DTypeError",
    "DataError",
    "DeviceError",
    "DivergedError",
    "GradcheckError",
    "GraphError",
    "KernelMismatchError",
    "MissingDataError",
    "MissingImportError",
    "MissingKernelError",
    "MissingNameError",
    "NotFiniteError",
    "OptionError",
    "RunDirectoryError",
    "ShapeError",
    "TinygradCnnError",
    "UnknownNameError",
]


class TinygradCnnError(Exception):
    """Base of all errors of this package."""


class ShapeError(TinygradCnnError, ValueError):
    """Shapes that do not fit together."""


class DTypeError(TinygradCnnError, TypeError):
    """An element type that an operation does not take."""


class DeviceError(TinygradCnnError, ValueError):
    """Values that live on different devices meet in one operation."""


class OptionError(TinygradCnnError, ValueError):
    """An option outside its range."""


class UnknownNameError(TinygradCnnError, LookupError):
    """A name that nobody registered; the message lists the known ones."""


_MANY, _FEW = 100, 8  # names: more than so many are not all listed, but so many of them


def unknown_name(
    operation: str, name: object, known: Iterable[str], what: str = "known names"
) -> UnknownNameError:
    """Return the error that lists the known names and points at the closest.

    Examples
    --------
    >>> print(unknown_name("models", "lenet6", ["alexnet", "lenet5"]))
    models: the known names are alexnet, lenet5; got 'lenet6'. Did you mean 'lenet5'?

    Of hundreds, such as the values of a deep network, those that look most alike are listed.

    >>> names = [f"conv{k}.weight" for k in range(200)]
    >>> told = str(unknown_name("derive", "conv9.wait", names))
    >>> told.startswith("derive: the known names are conv9.weight, conv99.weight, conv98.weight, ")
    True
    >>> told.partition(" and ")[2]
    "192 more; got 'conv9.wait'. Did you mean 'conv9.weight'?"
    """
    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=_FEW if len(names) > _MANY else 1)
    hint = f". Did you mean {close[0]!r}?" if close else ""
    listed = ", ".join(names)
    if len(names) > _MANY:
        shown = close + [other for other in names if other not in close][: _FEW - len(close)]
        listed = f"{', '.join(shown)} and {len(names) - _FEW} more"
    return UnknownNameError(f"{operation}: the {what} are {listed}; got {name!r}{hint}")


class MissingKernelError(UnknownNameError):
    """No kernel of that name on that device, or none that admits the geometry."""


class MissingNameError(TinygradCnnError, AttributeError):
    """An attribute that is not there; the message names the nearest one that is."""


class MissingImportError(TinygradCnnError, ImportError):
    """A name that cannot be imported; the message names the nearest one that can."""


_ALIKE = 0.8  # what passes for a slip of the pen: "sofmax", but not "norm" for "tensor"


def missing_name(
    owner: str,
    name: str,
    known: Iterable[str],
    nearest: Mapping[str, str] | None = None,
    otherwise: str = "",
) -> MissingNameError:
    """Return the error for an attribute that is not there.

    Parameters
    ----------
    owner : str
        What was asked, as a reader would call it.
    name : str
        What it was asked for.
    known : iterable of str
        The names that are there.
    nearest : mapping of str to str, optional
        What to use for names that look like none of these.
    otherwise : str
        What to use where nothing else comes near.

    Examples
    --------
    >>> print(missing_name("Tensor", "sofmax", ["softmax", "sum"]))
    Tensor: the attribute exists; got 'sofmax'. The nearest is 'softmax'
    >>> print(missing_name("torch.nn", "LSTM", [], {"LSTM": "recurrent layers are not built"}))
    torch.nn: the attribute exists; got 'LSTM'. The nearest: recurrent layers are not built
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=_ALIKE)
    hint = f". The nearest: {otherwise}" if otherwise else ""
    if nearest and name in nearest:
        hint = f". The nearest: {nearest[name]}"
    elif close:
        hint = f". The nearest is {close[0]!r}"
    return MissingNameError(f"{owner}: the attribute exists; got {name!r}{hint}")


class GradcheckError(TinygradCnnError, AssertionError):
    """A gradient that backward() gets wrong, by the measure of central differences."""


class GraphError(TinygradCnnError, RuntimeError):
    """A walk over a graph that cannot be made."""


class DataError(TinygradCnnError, ValueError):
    """A data file that is not what it claims to be."""


class MissingDataError(TinygradCnnError, FileNotFoundError):
    """Data that is nowhere to be found; the message says where was looked."""


class CheckpointError(TinygradCnnError, ValueError):
    """A checkpoint that is damaged or belongs to something else."""


class RunDirectoryError(TinygradCnnError, OSError):
    """A run directory that cannot be created, or holds something already."""


class KernelMismatchError(TinygradCnnError, AssertionError):
    """A variant of a kernel that computes something else than the others."""


class NotFiniteError(TinygradCnnError, ArithmeticError):
    """A value that became NaN or infinite."""


class DivergedError(TinygradCnnError, ArithmeticError):
    """A loss that is no longer a number."""

"""The table of networks: who described each, what it is fed, how its tiny twin is made."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_cnn.errors import OptionError, UnknownNameError
from tinygrad_cnn.functional import cross_entropy
from tinygrad_cnn.models.building import is_whole
from tinygrad_cnn.nn import Module, without_memory

Builder = Callable[..., Module]
Loss = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Network:
    """One row: a name, and what is known of the network before it is built.

    Parameters
    ----------
    name : str
    builder : callable
        ``builder(num_classes=..., **options)`` returns the network.
    paper : str
        Who described it, where.
    input_shape : (int, int, int)
        (C, H, W) of the images it was made for.
    num_classes : int
        Number of outputs it was made with.
    options : mapping
        What this name fixes of the builder's options.
    twin : mapping
        Options that shrink it to a network of the same topology which trains in seconds.
    twin_input : (int, int, int)
        (C, H, W) of the images the twin takes.
    loss : callable
        ``loss(outputs, labels)``: what its paper minimises, one number. `outputs` is what the
        network returns, be it several scores; `labels` are integers, shape (N,).
    """

    name: str
    builder: Builder
    paper: str
    input_shape: tuple[int, int, int]
    num_classes: int
    options: Mapping[str, Any] = field(default_factory=dict)
    twin: Mapping[str, Any] = field(default_factory=dict)
    twin_input: tuple[int, int, int] = (3, 32, 32)
    loss: Loss = cross_entropy

    def build(
        self, num_classes: int | None = None, *, allocate: bool = True, **options: Any
    ) -> Module:
        """Build it, with `num_classes` of the paper unless said otherwise.

        Without `allocate`, its parameters have a shape and no memory.
        """
        classes = self._classes(num_classes)
        known = inspect.signature(self.builder).parameters
        free = [name for name in known if name not in (*self.options, "num_classes")]
        for option in options:
            if option not in free:
                raise OptionError(
                    f"{self.name}: the known options are {', '.join(('num_classes', *free))}; got "
                    f"{option!r}"
                )
        with nullcontext() if allocate else without_memory():
            return self.builder(num_classes=classes, **{**self.options, **options})

    def build_twin(self, num_classes: int | None = None) -> Module:
        """Build the tiny twin: same topology; width, depth and resolution scaled down."""
        classes = self._classes(num_classes)
        return self.builder(num_classes=classes, **{**self.options, **self.twin})

    def _classes(self, given: int | None) -> int:
        if given is None:
            return self.num_classes
        if isinstance(given, np.integer):  # such as labels.max() + 1
            given = int(given)
        if not is_whole(given, 1):
            raise OptionError(f"{self.name}: num_classes is a positive integer; got {given!r}")
        return given


NETWORKS: dict[str, Network] = {}


def register(network: Network) -> None:
    """Add a row; names are unique."""
    if network.name in NETWORKS:
        raise OptionError(f"models: names are unique; got a second {network.name!r}")
    NETWORKS[network.name] = network


def names() -> tuple[str, ...]:
    """Return the names that :func:`build` knows, in alphabetical order.

    Examples
    --------
    >>> "lenet5" in names()
    True
    """
    return tuple(sorted(NETWORKS))


def find(name: str) -> Network:
    """Return the row of a network.

    Raises
    ------
    UnknownNameError
        If there is none of that name.

    Examples
    --------
    >>> find("lenet5").input_shape
    (1, 32, 32)
    """
    if not isinstance(name, str) or name not in NETWORKS:
        close = difflib.get_close_matches(str(name), names(), n=3, cutoff=0.75)
        hint = f". Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise UnknownNameError(
            "models: the known names are those that 'tinygrad-cnn models' lists; got "
            f"{name!r}{hint}"
        )
    return NETWORKS[name]


def build(
    name: str, num_classes: int | None = None, *, allocate: bool = True, **options: Any
) -> Module:
    """Build a network with freshly drawn weights.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    num_classes : int, optional
        Number of outputs; by default the paper's.
    allocate : bool
        Whether the weights take memory. Without it the network can be counted, run on
        tensors of the device "shapes" and summarised, and neither trained nor loaded into.
    **options
        What the network's own builder takes.

    Raises
    ------
    UnknownNameError
        If there is no network of that name.
    OptionError
        If `num_classes` is not a positive integer, or the builder does not know an option or
        refuses its value.

    Examples
    --------
    >>> build("lenet5").count_parameters(), build("lenet5", allocate=False).count_parameters()
    (61706, 61706)
    """
    return find(name).build(num_classes, allocate=allocate, **options)


def build_twin(name: str, num_classes: int | None = None) -> Module:
    """Build the tiny twin of a network: same topology, trains in seconds on two cores.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    num_classes : int, optional
        Number of outputs; by default the paper's.

    Raises
    ------
    UnknownNameError
        If there is no network of that name.
    OptionError
        If `num_classes` is not a positive integer.

    Examples
    --------
    >>> build_twin("vgg16", 10).count_parameters() < 300_000
    True
    """
    return find(name).build_twin(num_classes)

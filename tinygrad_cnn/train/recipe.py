"""A recipe: how to train, as plain values that can be written down and read again."""

import dataclasses
import inspect
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tinygrad_cnn.errors import OptionError, unknown_name
from tinygrad_cnn.optim import SGD, Adadelta, Adagrad, Adam, AdamW, Optimiser, RMSprop
from tinygrad_cnn.optim.schedules import named
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.train.augmentation import normalised

__all__ = ["OPTIMISERS", "Recipe"]

OPTIMISERS: dict[str, type[Optimiser]] = {
    "adadelta": Adadelta,
    "adagrad": Adagrad,
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
    "sgd": SGD,
}
# Learning rate and momentum where a row is for another optimiser and nobody said otherwise.
# Those of adam and sgd suit the networks here; the others' are the defaults of their classes.
_USUAL: dict[str, tuple[float, float]] = {
    "adadelta": (1.0, 0.0),
    "adagrad": (0.01, 0.0),
    "adam": (0.002, 0.0),
    "adamw": (0.002, 0.0),
    "rmsprop": (0.001, 0.0),
    "sgd": (0.05, 0.9),
}
_WHOLE = (  # field, what it is called, the least
    ("batch_size", "the batch size", 1),
    ("epochs", "the number of epochs", 1),
    ("shift", "the shift", 0),
    ("accumulate", "the number of parts of a batch", 1),
)


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Parameters
    ----------
    optimiser : {"adadelta", "adagrad", "adam", "adamw", "rmsprop", "sgd"}
    lr : float
        Learning rate: the largest one, where the schedule warms up, else the first.
    batch_size : int, in images
        Of a step.
    epochs : int
        Passes over the training images; with `patience` at most so many.
    schedule : str
        Name of the function in :mod:`tinygrad_cnn.optim.schedules` that changes the rate.
    momentum : float
        Of SGD and RMSprop; the others have their own.
    shift : int, in pixels
        Each training image is moved by up to so much, anew in each epoch. It is drawn from the
        run's generator, after the order of the epoch: see :mod:`tinygrad_cnn.train.shift`.
    threads : int, optional
        How many pay for a network and batches of this size; None for one on each core.
        Results do not depend on it, only time does.
    weight_decay : float, optional
        None for the optimiser's own: 0.01 of AdamW, 0 of the others.
    optimiser_options : mapping
        Further options of the optimiser, such as ``{"nesterov": True}``.
    augment : sequence of (str, mapping)
        Transforms of training images, see :mod:`tinygrad_cnn.train.augmentation`.
    accumulate : int
        A batch is taken in so many parts, one after the other, and their gradients add up:
        the same step, in less memory. Batch normalisation sees the parts.
    clip : float, optional
        Gradients are shortened to this norm, taken over all parameters together.
    average : float, optional
        Decay of a running average of the weights; the average is what is evaluated.
    patience : int, in epochs, optional
        Training ends when so many have passed without a lower loss on held-out training
        images, and the weights of the lowest loss are kept.
    held_out : float, optional
        Share of the training images that is held out for that; a tenth with `patience`,
        otherwise none.
    workers : int
        Threads that make batches. Results do not depend on it.

    Raises
    ------
    OptionError
        If a number makes no sense, or the optimiser has no such option.
    UnknownNameError
        If there is no such optimiser, schedule or transform.

    Examples
    --------
    >>> Recipe("adam", lr=0.002, batch_size=32, epochs=20, schedule="cosine").epochs
    20
    """

    optimiser: str
    lr: float
    batch_size: int
    epochs: int
    schedule: str
    momentum: float = 0.0
    shift: int = 0
    threads: int | None = None
    weight_decay: float | None = None
    optimiser_options: Mapping[str, Any] = field(default_factory=dict)
    augment: tuple[tuple[str, dict[str, Any]], ...] = ()
    accumulate: int = 1
    clip: float | None = None
    average: float | None = None
    patience: int | None = None
    held_out: float | None = None
    workers: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "augment", normalised(self.augment))
        if self.optimiser not in OPTIMISERS:
            raise unknown_name("recipe: optimiser", self.optimiser, OPTIMISERS)
        _require_number("the learning rate", self.lr, ". Try 0.002 for adam, 0.05 for sgd.")
        whole: list[tuple[str, str, int]] = [*_WHOLE, ("workers", "the number of workers", 0)]
        if self.patience is not None:
            whole.append(("patience", "the patience", 1))
        for name, what, least in whole:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                remedy = ". With none all epochs are trained." if name == "patience" else ""
                raise OptionError(
                    f"recipe: {what} is a whole number from {least} up; got {value}{remedy}"
                )
        if self.accumulate > self.batch_size:
            raise OptionError(
                f"recipe: a batch has no more parts than images; got {self.accumulate} parts of "
                f"{self.batch_size} images"
            )
        if self.clip is not None:
            remedy = ". With none they are left as they are."
            _require_number("the norm that gradients are clipped to", self.clip, remedy)
        if self.average is not None:
            _require_share("the decay of the average", self.average, ". With none there is none.")
        if self.held_out is not None:
            _require_share("the held-out share", self.held_out)
            if self.patience is not None and not self.held_out:
                raise OptionError(
                    "recipe: patience waits for images that are held out; got a held-out share "
                    "of 0. Leave it out for a tenth."
                )
        self._require_options()
        named(self.schedule)

    def _require_options(self) -> None:
        """Refuse what the optimiser does not take."""
        kind = OPTIMISERS[self.optimiser]
        if self.momentum and "momentum" not in kind.limits:
            raise OptionError(
                f"recipe: momentum belongs to sgd and rmsprop, {self.optimiser} has its own; got "
                f"{self.optimiser} with momentum {self.momentum}. Leave it out, or take the "
                "optimiser sgd."
            )
        own = ("lr", "momentum", "weight_decay")
        known = [name for name in inspect.signature(kind).parameters if name != "parameters"]
        for name in self.optimiser_options:
            if name not in known or name in own:
                others = ", ".join(option for option in known if option not in own)
                raise OptionError(
                    f"recipe: the further options of {self.optimiser} are {others}; got {name!r}"
                )
        self.make_optimiser([Tensor([0.0], requires_grad=True)])  # refuses the others' values

    def _options(self) -> dict[str, Any]:
        """Return all options of the optimiser that are not left to it."""
        options = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.optimiser_options.items()
        }
        if self.momentum:
            options["momentum"] = self.momentum
        if self.weight_decay is not None:
            options["weight_decay"] = self.weight_decay
        return {**options, "lr": self.lr}

    @property
    def share_held_out(self) -> float:
        """Share of the training images that only early stopping looks at."""
        if self.held_out is not None:
            return self.held_out
        return 0.0 if self.patience is None else 0.1

    def with_options(self, **options: Any) -> "Recipe":
        """Return this recipe with these options put in their place.

        Another optimiser brings its own learning rate, momentum and further options, unless
        they are given. None switches off what can be: clipping, the average, patience; a field
        that has no such value keeps the one of this recipe.

        Examples
        --------
        >>> recipe = Recipe("adam", 0.002, 32, 20, "cosine")
        >>> recipe.with_options(epochs=5, lr=None).epochs
        5
        >>> recipe.with_options(optimiser="sgd").momentum
        0.9
        >>> recipe.with_options(clip=5.0).with_options(clip=None).clip is None
        True
        """
        optional = {each.name for each in dataclasses.fields(self) if each.default is None}
        given = {
            name: value for name, value in options.items() if value is not None or name in optional
        }
        if given.get("optimiser", self.optimiser) != self.optimiser:
            lr, momentum = _USUAL.get(given["optimiser"], (self.lr, 0.0))
            other: dict[str, Any] = {"weight_decay": None, "optimiser_options": {}}
            given = {"lr": lr, "momentum": momentum, **other, **given}
        return dataclasses.replace(self, **given)

    def make_optimiser(self, parameters: Iterable[Tensor]) -> Optimiser:
        """Return the optimiser of this recipe for some parameters.

        Examples
        --------
        >>> import tinygrad_cnn as tg
        >>> w = tg.Tensor([1.0], requires_grad=True)
        >>> Recipe("sgd", 0.1, 32, 20, "cosine").make_optimiser([w]).lr
        0.1
        """
        kind: Any = OPTIMISERS[self.optimiser]
        made: Optimiser = kind(parameters, **self._options())
        return made


def _require_number(what: str, value: float, remedy: str = "") -> None:
    if not (math.isfinite(value) and value > 0.0):
        raise OptionError(f"recipe: {what} is a number above 0; got {value}{remedy}")


def _require_share(what: str, value: float, remedy: str = "") -> None:
    if not 0.0 <= value < 1.0:
        raise OptionError(f"recipe: {what} lies in [0, 1); got {value}{remedy}")

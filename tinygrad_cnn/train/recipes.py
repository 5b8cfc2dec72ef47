"""Recipes: how a network is trained on a data set, as rows of a table.

What the command line leaves open is taken from here. The rows were chosen by accuracy on
training images that were held out for it, a fifth of the digits and a sixth of MNIST;
Fashion-MNIST has MNIST's row with more epochs. The test images had no say.
"""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tinygrad_cnn.errors import OptionError, UnknownNameError
from tinygrad_cnn.optim import SGD, Adam, Optimiser
from tinygrad_cnn.optim.schedules import named
from tinygrad_cnn.tensor import Tensor

__all__ = ["RECIPES", "Recipe", "recipe_for"]

OPTIMISERS = ("adam", "sgd")
_SGD_RATE = 0.05  # where the row is for Adam and nobody said otherwise
_SGD_MOMENTUM = 0.9
_ADAM_RATE = 0.002


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Parameters
    ----------
    optimiser : {"adam", "sgd"}
    lr : float
        Learning rate of the first step.
    batch_size : int, in images
    epochs : int
        Passes over the training images.
    schedule : str
        Name of the function in :mod:`tinygrad_cnn.optim.schedules` that lowers the rate.
    momentum : float
        Of SGD; 0 with Adam, which has its own.
    shift : int, in pixels
        Each training image is moved by up to so much, anew in each epoch.
    threads : int, optional
        How many pay for a network and batches of this size; None for one on each core.
        Results do not depend on it, only time does.

    Raises
    ------
    OptionError
        If a number makes no sense.
    UnknownNameError
        If there is no such schedule.

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

    def __post_init__(self) -> None:
        if self.optimiser not in OPTIMISERS:
            raise OptionError(
                f"recipe: the optimiser is one of {', '.join(OPTIMISERS)}; got {self.optimiser!r}"
            )
        if not (math.isfinite(self.lr) and self.lr > 0.0):
            raise OptionError(
                f"recipe: the learning rate is a number above 0; got {self.lr}. "
                "Try 0.002 for adam, 0.05 for sgd."
            )
        for option, what, least in (
            ("batch_size", "the batch size", 1),
            ("epochs", "the number of epochs", 1),
            ("shift", "the shift", 0),
        ):
            value = getattr(self, option)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise OptionError(f"recipe: {what} is a whole number from {least} up; got {value}")
        if not 0.0 <= self.momentum < 1.0:
            raise OptionError(f"recipe: the momentum lies in [0, 1); got {self.momentum}")
        if self.momentum and self.optimiser == "adam":
            raise OptionError(
                "recipe: momentum belongs to sgd, adam has its own; got adam with momentum "
                f"{self.momentum}. Leave it out, or take the optimiser sgd."
            )
        named(self.schedule)

    def with_options(self, **options: Any) -> "Recipe":
        """Return this recipe with the options that are not None put in their place.

        Another optimiser brings its own learning rate and momentum, unless they are given.

        Examples
        --------
        >>> recipe = Recipe("adam", 0.002, 32, 20, "cosine")
        >>> recipe.with_options(epochs=5, lr=None).epochs
        5
        >>> recipe.with_options(optimiser="sgd").momentum
        0.9
        """
        given = {name: value for name, value in options.items() if value is not None}
        if given.get("optimiser", self.optimiser) != self.optimiser:
            usual: dict[str, Any] = {
                "adam": {"lr": _ADAM_RATE, "momentum": 0.0},
                "sgd": {"lr": _SGD_RATE, "momentum": _SGD_MOMENTUM},
            }.get(given["optimiser"], {})
            given = {**usual, **given}
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
        if self.optimiser == "adam":
            return Adam(parameters, lr=self.lr)
        return SGD(parameters, lr=self.lr, momentum=self.momentum)


# (model, data) -> recipe. A step of LeNet-5 takes a few milliseconds in a dozen kernels: with a
# second thread most runs took 7 to 22 % less time, but one of the digits seven times as long,
# since threads wait for each other. One thread is never far off.
RECIPES: dict[tuple[str, str], Recipe] = {
    ("lenet5", "digits"): Recipe("adam", 0.006, 32, 40, "cosine", shift=2, threads=1),
    ("lenet5", "mnist"): Recipe("adam", 0.005, 64, 12, "cosine", shift=1, threads=1),
    ("lenet5", "fashion_mnist"): Recipe("adam", 0.005, 64, 15, "cosine", shift=1, threads=1),
}


def recipe_for(model: str, data: str) -> Recipe:
    """Return the recipe for a network on a data set.

    Raises
    ------
    UnknownNameError
        If there is no row for the two.

    Examples
    --------
    >>> recipe_for("lenet5", "digits").optimiser
    'adam'
    """
    if (model, data) not in RECIPES:
        rows = ", ".join(f"{name} on {where}" for name, where in sorted(RECIPES))
        raise UnknownNameError(f"recipes: the known ones are {rows}; got {model!r} on {data!r}")
    return RECIPES[model, data]

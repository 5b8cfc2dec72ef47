"""The table of recipes: how each network is trained on each data set, and what to expect.

What the command line leaves open is taken from here. LeNet-5's rows were chosen by accuracy on
training images that were held out for it, a fifth of the digits and a sixth of MNIST;
Fashion-MNIST has MNIST's row with more epochs. The test images had no say. The other rows start
from their papers or the lectures, as told beside them, and differ where that is said; nothing in
them was tuned, and the list of recipes says which of them were run to their end.
"""

from typing import NamedTuple

from tinygrad_cnn import data as data_sets
from tinygrad_cnn import models
from tinygrad_cnn.errors import UnknownNameError
from tinygrad_cnn.train.augmentation import Augmentation
from tinygrad_cnn.train.recipe import Recipe

__all__ = ["EXPECTED", "RECIPES", "Expectation", "recipe_for"]

# (model, data) -> recipe. A step of LeNet-5 takes a few milliseconds in a dozen kernels: with a
# second thread most runs took 7 to 22 % less time, but one of the digits seven times as long,
# since threads wait for each other. One thread is never far off. No recipe has a worker: to crop
# and flip a batch takes 0.7 ms beside a step of 100, and a third thread on two cores made the
# fastest of 60 steps take 104 to 112 ms instead of 101 to 105.
_CROP_AND_FLIP: Augmentation = (("random-crop", {"padding": 4}), ("random-flip", {}))
_SHIFT_BY_ONE: Augmentation = (("random-crop", {"padding": 1, "repeat": True}),)
_LAB11 = Recipe("adam", 0.001, 100, 15, "one-cycle", augment=_SHIFT_BY_ONE)
RECIPES: dict[tuple[str, str], Recipe] = {
    ("lenet5", "digits"): Recipe("adam", 0.006, 32, 40, "cosine", shift=2, threads=1),
    ("lenet5", "mnist"): Recipe("adam", 0.005, 64, 12, "cosine", shift=1, threads=1),
    ("lenet5", "fashion_mnist"): Recipe("adam", 0.005, 64, 15, "cosine", shift=1, threads=1),
    # The deck's optimiser, batch and epochs; its rate is constant and it augments nothing.
    ("lab11_cnn2", "mnist"): _LAB11,
    ("lab11_cnn3", "mnist"): _LAB11,
    # A digit has no mirror image, a shirt has one. Rate and epochs are a first guess.
    ("lab11_cnn2", "fashion_mnist"): _LAB11.with_options(
        lr=0.003, epochs=20, augment=(*_SHIFT_BY_ONE, ("random-flip", {}))
    ),
    # He et al., CVPR 2016, section 4.2: SGD, momentum 0.9, weight decay 0.0001, batches of 128,
    # crops of 32 out of 40 and flips, 64,000 steps (164 epochs) with the rate divided by 10
    # twice. Here one cycle over as many epochs as a quarter of an hour has.
    ("resnet20", "cifar10"): Recipe(
        "sgd", 0.1, 128, 15, "one-cycle", 0.9, weight_decay=1e-4, augment=_CROP_AND_FLIP
    ),
    # Springenberg et al., ICLR 2015 workshop, section 3.1: SGD, momentum 0.9, weight decay
    # 0.001, 350 epochs; the rate is one of four and divided by 10 three times.
    ("allcnn_c", "cifar10"): Recipe(
        "sgd", 0.05, 128, 350, "multi-step", 0.9, weight_decay=1e-3, augment=_CROP_AND_FLIP,
    ),
    # The smallest of that family: two strided convolutions, two of 3x3 and 1x1, and the scores.
    # As above, with one cycle over fewer epochs and a rate that is a first guess.
    ("strided_a", "cifar10"): Recipe(
        "sgd", 0.02, 128, 30, "one-cycle", 0.9, weight_decay=1e-3, augment=_CROP_AND_FLIP,
        clip=5.0,
    ),
}  # fmt: skip

# What a network starts with where there is no row for it, and on images of one's own, of which
# nobody knows anything. A digit has no mirror image, most things in photographs have one.
_ANY = Recipe("adam", 0.001, 32, 15, "cosine")
_OWN_IMAGES = _ANY.with_options(augment=(("random-flip", {}),))
_SIDE = 32  # pixels of the largest published images: networks for larger ones have no use for them


class Expectation(NamedTuple):
    """What a recipe was seen to reach.

    Attributes
    ----------
    lowest, highest : float
        Accuracy on the test images, in percent; `highest` is NaN where only a bound is tested.
    minutes : float, optional
        On two cores; None where nobody measured it.
    command : str
        What made the figures: with seed 0, where it names none.
    """

    lowest: float
    highest: float
    minutes: float | None
    command: str


_NAN = float("nan")
_TESTED = "pytest --full tests/train/test_accuracy.py"
EXPECTED: dict[tuple[str, str], Expectation] = {
    ("lenet5", "digits"): Expectation(97.0, _NAN, None, _TESTED),
    ("lenet5", "mnist"): Expectation(99.0, _NAN, 1, _TESTED),
    ("lenet5", "fashion_mnist"): Expectation(87.0, _NAN, None, _TESTED),
    # Seed 0 reached 99.33 %, 92.56 % and 87.14 %.
    ("lab11_cnn2", "mnist"): Expectation(
        99.2, _NAN, 4, "tinygrad-cnn train lab11_cnn2 --data mnist"
    ),
    ("lab11_cnn2", "fashion_mnist"): Expectation(
        92.0, _NAN, 6, "tinygrad-cnn train lab11_cnn2 --data fashion_mnist"
    ),
    ("resnet20", "cifar10"): Expectation(
        85.0, _NAN, 14, "tinygrad-cnn train resnet20 --data cifar10"
    ),
}


def recipe_for(model: str, data: str) -> Recipe:
    """Return the recipe for a network on a data set; where there is no row, one for any.

    Raises
    ------
    UnknownNameError
        If there is no row for the two, and the data set is unknown or its images are far smaller
        than those that the network is for.

    Examples
    --------
    >>> recipe_for("lenet5", "digits").optimiser
    'adam'
    >>> recipe_for("vgg11", "folder").epochs  # one's own images
    15
    >>> recipe_for("lenet5", "kmnist").lr  # no row
    0.001
    """
    if data == "folder":
        return RECIPES.get((model, data), _OWN_IMAGES)
    if (model, data) not in RECIPES:
        if data in data_sets.names() and models.find(model).input_shape[1] <= _SIDE:
            return _ANY
        rows = ", ".join(f"{name} on {where}" for name, where in sorted(RECIPES))
        others = [where for name, where in sorted(RECIPES) if name == model]
        remedy = f". Say --data {' or --data '.join(others)}" if others else ""
        raise UnknownNameError(
            f"recipes: the known ones are {rows}; got {model!r} on {data!r}{remedy}"
        )
    return RECIPES[model, data]

"""Several networks asked at once, and several views of each image: their answers averaged.

Networks that were trained from different seeds err on different images. The average of their
probabilities is right where most of them are, or where the one that is right is sure:

    p(k | x) = 1 / (M V) Σ_m Σ_v p_m(k | x_v)

over M networks and V views x_v of an image x, such as the image moved and mirrored, which
AlexNet was tested with [1]_. It costs M V forward passes.

References
----------
.. [1] A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep convolutional
   neural networks", NIPS 2012, section 4.1 (ten crops) and table 1 (five networks).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data import ArrayDataset, ten_crops
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.train.answers import Probabilities, probabilities
from tinygrad_cnn.train.evaluation import EVALUATION_BATCH
from tinygrad_cnn.train.metrics import hits
from tinygrad_cnn.train.paired import Right
from tinygrad_cnn.train.recipe import Recipe
from tinygrad_cnn.train.state import Evaluation

__all__ = [
    "CROPS",
    "EnsembleResult",
    "ensemble",
    "judged",
    "unseen_views",
    "viewed_probabilities",
    "views",
]

CROPS = (1, 2, 5, 10)
_MOVED = 1  # pixels, where nothing is said


@dataclass(frozen=True)
class EnsembleResult:
    """What each network made of a data set, and what all of them together did.

    Attributes
    ----------
    members : list of Evaluation
        Of each network, over its views.
    average : Evaluation
        Of the averaged probabilities.
    probabilities : ndarray of float64, shape (N, K)
        The averages.
    members_right : ndarray of bool, shape (M, N)
        Which images each network answered right.
    right : ndarray of bool, shape (N,)
        Which images the averages answer right.
    """

    members: list[Evaluation]
    average: Evaluation
    probabilities: Probabilities
    members_right: Right
    right: Right

    @property
    def improvement(self) -> float:
        """How much the accuracy lies above the mean of the members' (share of images)."""
        return self.average.accuracy - float(np.mean([m.accuracy for m in self.members]))

    @property
    def over_the_best(self) -> float:
        """How much the accuracy lies above the best member's (share of images)."""
        return self.average.accuracy - max(member.accuracy for member in self.members)


def ensemble(
    models: Sequence[Module],
    dataset: ArrayDataset | Sequence[ArrayDataset],
    crops: int = 1,
    moved: int = _MOVED,
    after_member: Callable[[int], None] | None = None,
) -> EnsembleResult:
    """Average what several networks say to several views of each image.

    Parameters
    ----------
    models : sequence of Module
        Map images to scores; one is enough where there are several views.
    dataset : ArrayDataset, or a sequence of them
        At least one example, of images, shape (N, C, H, W), where there are several views. Or
        one data set for each network: the same examples, each in the size that it takes.
    crops : {1, 2, 5, 10}
        Views of each image, see :func:`views`.
    moved : int, in pixels
        See :func:`views`.
    after_member : callable, optional
        Called with the number of networks that were asked.

    Returns
    -------
    EnsembleResult

    Raises
    ------
    OptionError
        If there is no network, no image, or no such number of views, or the examples of two
        data sets have other labels.
    ShapeError
        If two networks know different numbers of classes.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> sure, unsure = tg.nn.Linear(2, 2), tg.nn.Linear(2, 2)
    >>> sure.load_state_dict({"weight": 9 * np.eye(2), "bias": np.zeros(2)})
    >>> unsure.load_state_dict({"weight": np.zeros((2, 2)), "bias": np.array([0.1, 0.0])})
    >>> dataset = ArrayDataset(np.eye(2, dtype=np.float32), [0, 1])
    >>> result = ensemble([sure, unsure], dataset)
    >>> [member.correct for member in result.members], result.average.correct
    ([2, 1], 2)
    >>> result.improvement, result.over_the_best
    (0.25, 0.0)
    >>> result.members_right
    array([[ True,  True],
           [ True, False]])
    """
    if not models:
        raise OptionError("ensemble: there is at least one network to ask; got none")
    datasets = [dataset] * len(models) if isinstance(dataset, ArrayDataset) else [*dataset]
    if len(datasets) != len(models):
        raise OptionError(
            "ensemble: there is one data set, or one for each network; got "
            f"{len(datasets)} for {len(models)}"
        )
    labels = datasets[0].labels
    if any(not np.array_equal(other.labels, labels) for other in datasets):
        raise OptionError("ensemble: all networks see the same examples; got other labels")
    members: list[Evaluation] = []
    right: list[Right] = []
    total: Probabilities | None = None
    for model, seen in zip(models, datasets, strict=True):
        own = viewed_probabilities(model, seen.images, crops, moved)
        if total is not None and own.shape != total.shape:
            raise ShapeError(
                "ensemble: all networks know the same classes; got "
                f"{total.shape[1]} and {own.shape[1]}"
            )
        members.append(judged(own, labels))
        right.append(own.argmax(1) == labels)
        total = own if total is None else total + own
        if after_member is not None:
            after_member(len(members))
    average = np.asarray(total) / len(models)
    return EnsembleResult(
        members,
        judged(average, labels),
        average,
        np.stack(right),
        average.argmax(1) == labels,
    )


def judged(shares: npt.NDArray[Any], labels: npt.NDArray[np.int64]) -> Evaluation:
    """Compare probabilities with the labels.

    Parameters
    ----------
    shares : ndarray, shape (N, K)
        Probabilities.
    labels : ndarray of int, shape (N,)

    Returns
    -------
    Evaluation
        Its loss is the mean of -log p(label), in nats; what was given none counts as the
        smallest number above 0.

    Examples
    --------
    >>> judged(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([1, 1]))
    Evaluation(loss=0.34657359027997264, correct=1, total=2, top5=None)
    """
    own = shares[np.arange(len(labels)), labels]
    loss = float(-np.log(np.maximum(own, np.finfo(np.float64).tiny)).mean())
    correct, among_five = hits(shares, labels)
    return Evaluation(loss, correct, len(labels), among_five)


def viewed_probabilities(
    model: Module, images: npt.NDArray[Any], crops: int = 1, moved: int = _MOVED
) -> Probabilities:
    """Return a network's probabilities, averaged over the views of each image.

    Parameters
    ----------
    model : Module
    images : ndarray, shape (N, C, H, W), or (N, features) with one view
    crops : {1, 2, 5, 10}
    moved : int, in pixels

    Returns
    -------
    ndarray of float64, shape (N, K)

    Raises
    ------
    OptionError, ShapeError
        As :func:`views`.
    """
    _require_crops(crops, moved)
    if crops == 1:
        return probabilities(model, images)
    if not len(images):
        raise OptionError("ensemble: there are images to look at; got none")
    # A batch of images at a time: ten views of all of them would fill the memory.
    return np.concatenate([_of_views(model, views(p, crops, moved)) for p in _parts(images)])


def _parts(images: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    return (
        images[start : start + EVALUATION_BATCH]
        for start in range(0, len(images), EVALUATION_BATCH)
    )


def _of_views(model: Module, seen: npt.NDArray[Any]) -> Probabilities:
    count, times = seen.shape[:2]
    shares = probabilities(model, seen.reshape(count * times, *seen.shape[2:]))
    mean: Probabilities = shares.reshape(count, times, -1).mean(1)
    return mean


def views(images: npt.NDArray[Any], crops: int, moved: int = _MOVED) -> npt.NDArray[Any]:
    """Return several views of each image, of the same size.

    ======  ==================================================================
    crops   views
    ======  ==================================================================
    1       the image
    2       the image and its mirror image
    5       moved down right, down left, up right, up left; the image
    10      these five, and their mirror images: AlexNet's ten
    ======  ==================================================================

    Where an image is moved, its outermost row and column are repeated, as in training
    (:func:`~tinygrad_cnn.train.shift.shifted`). Views help a network that was trained on such;
    one that never saw a mirror image errs on it: take 5 then, as for digits and letters. See
    :func:`unseen_views`.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W)
    crops : {1, 2, 5, 10}
    moved : int, in pixels

    Returns
    -------
    ndarray, shape (N, crops, C, H, W)

    Raises
    ------
    OptionError
        If there is no such number of views, or `moved` is below 1.
    ShapeError
        If these are no images.

    Examples
    --------
    >>> image = np.arange(9).reshape(1, 1, 3, 3)
    >>> views(image, 5)[0, 0, 0]  # moved down right
    array([[0, 0, 1],
           [0, 0, 1],
           [3, 3, 4]])
    >>> views(image, 2)[0, 1, 0, 0]
    array([2, 1, 0])
    """
    _require_crops(crops, moved)
    if images.ndim != 4:
        raise ShapeError(
            f"views: images have shape (N, C, H, W) where they are moved or mirrored; got "
            f"{images.shape}"
        )
    if crops == 1:
        return images[:, None]
    if crops == 2:
        return np.stack([images, images[..., ::-1]], 1)
    border = [(0, 0), (0, 0), (moved, moved), (moved, moved)]
    height, width = images.shape[2:]
    return ten_crops(np.pad(images, border, mode="edge"), (height, width))[:, :crops]


def unseen_views(recipe: Recipe, crops: int, moved: int = _MOVED) -> list[str]:
    """Tell which views a network never met when it was trained.

    Parameters
    ----------
    recipe : Recipe
        How the network was trained.
    crops : {1, 2, 5, 10}
    moved : int, in pixels
        See :func:`views`.

    Returns
    -------
    list of str
        Empty where training mirrored images, and moved them as far, as the views do.

    Examples
    --------
    >>> unseen_views(Recipe("adam", 0.001, 32, 5, "cosine", shift=1), 10, moved=2)
    ['mirror images', 'images moved by more than 1 pixel']
    """
    transforms = [*recipe.augment]
    mirrored = any(
        name == "random-flip" and options.get("probability", 0.5) > 0
        for name, options in transforms
    )
    crop = [options.get("padding", 0) for name, options in transforms if name == "random-crop"]
    farthest = max([recipe.shift, *crop])
    unseen = []
    if crops in (2, 10) and not mirrored:
        unseen.append("mirror images")
    if crops in (5, 10) and moved > farthest:
        pixels = "1 pixel" if farthest == 1 else f"{farthest} pixels"
        unseen.append(f"images moved by more than {pixels}" if farthest else "moved images")
    return unseen


def _require_crops(crops: int, moved: int) -> None:
    if crops not in CROPS:
        raise OptionError(f"views: crops is one of {', '.join(map(str, CROPS))}; got {crops}")
    if moved < 1:
        raise OptionError(f"views: images are moved by 1 pixel or more; got {moved}")

"""Saliency: by which pixels a class score would change most, and Grad-CAM: by which region.

Three maps of one walk back, from the score s of a class (before any softmax) to the image x:

=====================  =======================  ==================================================
map                    formula                  reads as
=====================  =======================  ==================================================
magnitude              max_c |∂s/∂x_c|          how sensitive the score is to this pixel [1]_
gradient               ∂s/∂x                    which way: red, brighter adds to the score
gradient × input       x ∘ ∂s/∂x                what the pixel adds, if the net were linear
=====================  =======================  ==================================================

*Guided backpropagation* [2]_ is none of these: at each ReLU it drops error signals below 0 too.
Its pictures are sharper, and what they show is no longer a derivative of anything.

*Grad-CAM* [3]_ looks at the maps A^k of a layer instead, where places still mean something and
channels stand for features::

    α_k = 1/Z Σ_ij ∂s/∂A^k_ij          L = max(0, Σ_k α_k A^k)

What these maps prove: a pixel whose gradient is 0 cannot change this score by a small change of
itself alone. What they do not: that the network *uses* what is bright. A gradient is a slope at
one point; a score that has saturated hardly changes with any pixel, and Grad-CAM weighs a whole
channel with one number and drops what speaks against the class. Nor do they show that a bright
region would be enough: cover it and look at the score again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.sight.class_score import class_score, upsampled
from tinygrad_cnn.explain.sight.picture_sheet import Pictured, Sheet
from tinygrad_cnn.explain.sight.run_values import is_maps
from tinygrad_cnn.nn import Module

__all__ = ["GradCAM", "Saliency", "grad_cam", "saliency"]

Array = npt.NDArray[Any]


@dataclass
class Saliency(Pictured):
    """How one class score depends on the pixels of one image.

    Attributes
    ----------
    image : ndarray, shape (C, H, W)
    label, predicted : int
        The class that is asked about, and that of the largest score.
    score : float
        Of the class, before any softmax.
    gradient : ndarray, shape (C, H, W)
        ``∂score/∂image``; of guided backpropagation, what takes its place.
    guided : bool
    """

    image: Array
    label: int
    predicted: int
    score: float
    gradient: Array
    guided: bool = False

    @property
    def magnitude(self) -> Array:
        """``max_c |∂s/∂x_c|``, shape (H, W)."""
        return np.abs(self.gradient).max(0)

    @property
    def signed(self) -> Array:
        """``Σ_c ∂s/∂x_c``, shape (H, W): all channels brighter at once."""
        return self.gradient.sum(0)

    @property
    def times_input(self) -> Array:
        """``Σ_c x_c ∂s/∂x_c``, shape (H, W)."""
        return (self.image * self.gradient).sum(0)

    def text(self) -> str:
        """Return plain text: the score, and the pixel that it is most sensitive to."""
        magnitude = self.magnitude
        row, column = np.unravel_index(magnitude.argmax(), magnitude.shape)
        half = np.sort(magnitude.ravel())[::-1].cumsum()
        pixels = int(np.searchsorted(half, half[-1] / 2) + 1) if half[-1] else 0
        of = "guided backpropagation" if self.guided else "|∂score/∂pixel|"
        return (
            f"{_score_text(self)}\n"
            f"{of}: at most {magnitude.max():.4g}, at row {row}, column {column}; half of it is at "
            f"{pixels:,} of {magnitude.size:,} pixels"
        )

    def sheet(self) -> Sheet:
        """Return it as pictures."""
        from tinygrad_cnn.explain.sight.saliency_pictures import saliency_sheet

        return saliency_sheet(self)


def saliency(
    network: Module, image: Any, label: int | None = None, guided: bool = False
) -> Saliency:
    """Return how the score of a class depends on each pixel of an image.

    Parameters
    ----------
    network : Module
        Run in evaluation mode; it stays as it is.
    image : Tensor or array_like, shape (C, H, W) or (1, C, H, W)
    label : int, optional
        A class; by default the network's answer.
    guided : bool
        Guided backpropagation in place of the gradient.

    Returns
    -------
    Saliency

    Raises
    ------
    DTypeError
        If it is no network.
    ShapeError
        If it is no image, or the network does not return one score for each class.
    OptionError
        If there is no such class, or guided backpropagation finds no ReLU.

    Notes
    -----
    The score is that before any softmax: a probability also rises when others fall.

    References
    ----------
    .. [1] K. Simonyan, A. Vedaldi, A. Zisserman, "Deep Inside Convolutional Networks: Visualising
       Image Classification Models and Saliency Maps", arXiv:1312.6034, 2013, section 3.1.
    .. [2] J. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller, "Striving for Simplicity: The
       All Convolutional Net", arXiv:1412.6806, 2014, section 3.4.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> network = tg.nn.Sequential(tg.nn.Flatten(), tg.nn.Linear(4, 3))
    >>> found = tg.explain.saliency(network, np.ones((1, 2, 2)), 2)
    >>> np.array_equal(found.gradient.ravel(), network[1].weight.numpy()[2])
    True
    """
    run = class_score("saliency", network, image, label, guided)
    if guided and not run.rectifiers:
        names = ", ".join(dict.fromkeys(step.name for step in run.values.graph.steps))
        raise OptionError(
            "saliency: guided backpropagation changes what a ReLU sends back; got a network of "
            f"{names}, without any. Take guided=False"
        )
    key = run.values.read("image").key
    gradient = run.gradients([key])[key][0]
    score = float(run.scores[run.label])
    return Saliency(run.image, run.label, run.predicted, score, gradient, guided)


def _score_text(found: "Saliency | GradCAM") -> str:
    answer = f"the network answers {found.predicted}"
    if found.label == found.predicted:
        answer = "the network's answer"
    return f"score of class {found.label}: {found.score:.4g} ({answer})"


@dataclass
class GradCAM(Pictured):
    """Which region of a layer's maps speaks for a class.

    Attributes
    ----------
    image : ndarray, shape (C, H, W)
    label, predicted : int
    score : float
    layer : str
    weights : ndarray, shape (K,)
        α: the mean gradient of each map.
    summed : ndarray, shape (h, w)
        ``Σ_k α_k A^k``, before the ReLU: below 0 it speaks against the class.
    """

    image: Array
    label: int
    predicted: int
    score: float
    layer: str
    weights: Array
    summed: Array

    @property
    def map(self) -> Array:
        """``max(0, Σ_k α_k A^k)``, shape (h, w)."""
        return np.maximum(self.summed, 0)

    def over_image(self) -> Array:
        """Return the map at the size of the image, interpolated linearly."""
        return upsampled(self.map, *self.image.shape[1:])

    def text(self) -> str:
        """Return plain text: the score, and the maps that weigh most."""
        strongest = np.argsort(-np.abs(self.weights))[:5]
        height, width = self.summed.shape
        weights = ", ".join(f"{k}: {self.weights[k]:+.3g}" for k in strongest)
        return (
            f"{_score_text(self)}\n"
            f"Grad-CAM of {self.layer}, {len(self.weights)} maps {height}x{width}: from "
            f"{self.summed.min():.4g} to {self.summed.max():.4g} before the ReLU, above 0 at "
            f"{np.count_nonzero(self.map):,} of {self.map.size:,} places\n"
            f"largest α, by map: {weights}"
        )

    def sheet(self) -> Sheet:
        """Return it as pictures."""
        from tinygrad_cnn.explain.sight.saliency_pictures import grad_cam_sheet

        return grad_cam_sheet(self)


def grad_cam(
    network: Module, image: Any, label: int | None = None, layer: str | None = None
) -> GradCAM:
    """Return the region of a layer's maps that speaks for a class.

    Parameters
    ----------
    network : Module
        Run in evaluation mode; it stays as it is.
    image : Tensor or array_like, shape (C, H, W) or (1, C, H, W)
    label : int, optional
        A class; by default the network's answer.
    layer : str, optional
        A layer or element with maps; by default the last one whose maps have several pixels.

    Returns
    -------
    GradCAM

    Raises
    ------
    UnknownNameError
        If there is no such layer; the message lists those there are.
    OptionError
        If the layer has no maps, or there is no such class.
    DTypeError, ShapeError
        As :func:`saliency`.

    References
    ----------
    .. [3] R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh, D. Batra, "Grad-CAM: Visual
       Explanations from Deep Networks via Gradient-based Localization", ICCV 2017, section 3,
       equations 1 and 2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> network = tg.nn.Sequential(
    ...     tg.nn.Conv2d(1, 2, 3), tg.nn.ReLU(), tg.nn.Flatten(), tg.nn.Linear(18, 3)
    ... )
    >>> found = tg.explain.grad_cam(network, np.ones((1, 5, 5)), 0)
    >>> found.layer, found.weights.shape, found.map.shape, found.over_image().shape
    ('1', (2,), (3, 3), (5, 5))
    """
    run = class_score("grad_cam", network, image, label)
    values = run.values
    with_maps = {
        values.names[key]: kept
        for key, kept in values.values.items()
        if key in values.made and is_maps(kept)
    }
    if not with_maps:
        raise OptionError(
            "grad_cam: it weighs the maps of a layer, shape (1, K, h, w); got a network without any"
        )
    if layer is None:
        several = [name for name, kept in with_maps.items() if max(kept.shape[2:]) > 1]
        layer = (several or list(with_maps))[-1]
    kept = values.computed(layer)
    if not is_maps(kept):
        raise OptionError(
            f"grad_cam: layers with maps are {', '.join(with_maps)}; got {layer}, of shape "
            f"{kept.shape}"
        )
    maps = np.asarray(kept.value)[0].astype(np.float64)
    slopes = run.gradients([kept.key])[kept.key][0].astype(np.float64)
    weights = slopes.mean((1, 2))
    summed = np.tensordot(weights, maps, 1)
    score = float(run.scores[run.label])
    name = values.names[kept.key]
    return GradCAM(run.image, run.label, run.predicted, score, name, weights, summed)

"""The score of one class for one image, and its gradients by whatever the network computed."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import hooks
from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.errors import DTypeError, GraphError, OptionError, ShapeError
from tinygrad_cnn.explain.recording import record
from tinygrad_cnn.explain.sight.run_values import RunValues
from tinygrad_cnn.functional import relu
from tinygrad_cnn.graph import enable_grad
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.variable import Variable

Array = npt.NDArray[Any]


class ClassScore(NamedTuple):
    """One run of a network on one image.

    Attributes
    ----------
    values : RunValues
        Everything that it computed, kept as arrays.
    image : ndarray, shape (C, H, W)
    scores : ndarray, shape (K,)
    label : int
        The class that is asked about.
    predicted : int
        The class of the largest score.
    rectifiers : int
        Elements that a ReLU is part of.
    result : Tensor, shape (1, K)
        The scores as the network returned them: they keep the graph.
    """

    values: RunValues
    image: Array
    scores: Array
    label: int
    predicted: int
    rectifiers: int
    result: Variable

    def gradients(self, keys: list[int]) -> dict[int, Array]:
        """Return ∂score/∂value for some values; zeros where the score does not depend on one."""
        result = self.values.graph.result
        seed = np.zeros(result.shape)
        seed[0, self.label] = 1.0
        found = self.values.signals({result.key: seed}, keys)
        return {
            key: found.get(key, np.zeros(self.values.values[key].shape, self.image.dtype))
            for key in keys
        }


def class_score(
    operation: str,
    network: Callable[..., Any],
    image: Any,
    label: int | None,
    guided: bool = False,
) -> ClassScore:
    """Run a network in evaluation mode on one image.

    Its mode, parameters, buffers and gradients stay what they are. With `guided`, error signals
    that reach a ReLU from above are cut off below 0.

    Raises
    ------
    DTypeError, ShapeError, OptionError, GraphError
        If the network, image or class is none, or scores are not one number for each class.
    """
    if not isinstance(network, Module):
        raise DTypeError(
            f"{operation}: it looks into a Module; got {type(network).__name__}. Put it into one"
        )
    pixels = _one_image(operation, network, image)
    seen = Tensor(pixels[None], requires_grad=True)
    seen.name = "image"
    watch = _Rectifiers(guided)
    with _evaluating(network), enable_grad(), record(keep="arrays") as recording:
        with hooks.observe(watch):
            scores = network(seen)
        if not isinstance(scores, Variable) or len(scores.shape) != 2 or scores.shape[0] != 1:
            got = getattr(scores, "shape", None) or type(scores).__name__
            raise ShapeError(
                f"{operation}: a network returns one score for each class, shape (1, K); got {got}"
            )
        if not scores.requires_grad or not recording.steps:
            raise GraphError(
                f"{operation}: scores depend on the image through elements that were recorded; "
                "got scores that do not. Compute them with functions of tinygrad_cnn alone"
            )
        values = RunValues(operation, scores)
    found = np.asarray(scores._value)[0]
    predicted = int(found.argmax())
    label = predicted if label is None else label
    if isinstance(label, bool) or not isinstance(label, int | np.integer):
        raise OptionError(f"{operation}: a class is a whole number; got {label!r}")
    if not 0 <= label < len(found):
        raise OptionError(
            f"{operation}: the classes of this network are 0 to {len(found) - 1}; got {label}"
        )
    return ClassScore(values, pixels, found, int(label), predicted, watch.count, scores)


def _one_image(operation: str, network: Module, image: Any) -> Array:
    given = image.numpy() if isinstance(image, Tensor) else np.asarray(image)
    given = given[0] if given.ndim == 4 and len(given) == 1 else given
    if given.ndim != 3 or 0 in given.shape or given.dtype.kind not in "fiu":
        raise ShapeError(
            f"{operation}: an image is numbers of shape (C, H, W); got {given.dtype} of "
            f"{given.shape}. Of a batch, choose one"
        )
    parameter = next(iter(network.parameters()), None)
    kind = np.dtype(np.float32) if parameter is None else parameter.dtype
    return np.ascontiguousarray(given, kind)


@contextmanager
def _evaluating(network: Module) -> Iterator[None]:
    """Put every module into evaluation mode inside a ``with`` block, and back into its own."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


class _Rectifiers:
    """Counts the elements that a ReLU is part of; guided, it cuts off what comes back to them."""

    def __init__(self, guided: bool) -> None:
        self.guided, self.count = guided, 0

    def on_forward(
        self,
        element: FunctionElement,
        inputs: tuple[Variable, ...],
        outputs: tuple[Variable, ...],
        effort: Any,
    ) -> None:
        """Look at an element that has run."""
        if element.name == "relu" or element.name.endswith("_relu"):
            self.count += 1
            if self.guided and outputs[0].requires_grad:
                outputs[0].register_hook(relu)

    def on_backward(self, *_: Any) -> None:
        """Nothing is kept of the walk back."""


def upsampled(values: Array, height: int, width: int) -> Array:
    """Return a map at another size, interpolated linearly."""
    from tinygrad_cnn.data import Resize

    if not math.prod(values.shape):
        return values
    return Resize((height, width))(values.astype(np.float64))

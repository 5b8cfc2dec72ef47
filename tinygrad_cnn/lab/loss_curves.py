"""The losses of a network's first steps, ours and PyTorch's, from the same weights and batches.

Two programs that add in another order differ in the last bits, and training makes that grow:
a sum that rounds to the other side of zero switches its rectifier, and each step starts from
what the last one left. PyTorch drifts away from itself in this way when only its layout of
arrays is another. So two questions are asked. Do both compute the same? Then the losses at the
same weights are equal at every step of the way. Do both learn the same? Then our losses drift
no further from PyTorch's than PyTorch's do from its own.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError, unknown_name
from tinygrad_cnn.lab.machine import has_pytorch, pytorch
from tinygrad_cnn.lab.pytorch_networks import IN_PYTORCH, build_in_pytorch
from tinygrad_cnn.optim import Optimiser, clip_grad_norm_
from tinygrad_cnn.tensor import Tensor

__all__ = ["LossCurves", "compare_losses", "require_comparable"]

Array = npt.NDArray[Any]


class LossCurves(NamedTuple):
    """Mean losses of the batches, each before its step.

    Attributes
    ----------
    ours, pytorch, channels_last : list of float
        Each after the steps that it made itself; PyTorch in both of its layouts.
    at_our_weights : list of float
        PyTorch's, after the steps that we made.
    """

    ours: list[float]
    pytorch: list[float]
    channels_last: list[float]
    at_our_weights: list[float]

    def differences(self) -> dict[str, Array]:
        """Return the distance of two curves at each step, by what it tells.

        Examples
        --------
        >>> LossCurves([2.0], [1.5], [1.25], [2.0]).differences()["PyTorch's two layouts"]
        array([0.25])
        """
        ours, theirs, last, same = (np.array(curve) for curve in self)
        return {
            "ours and PyTorch's, at the same weights": abs(ours - same),
            "ours and PyTorch's": abs(ours - theirs),
            "PyTorch's two layouts": abs(theirs - last),
        }


def require_comparable(network: str) -> None:
    """Refuse a network that is not written in PyTorch here, or a machine without it.

    Raises
    ------
    UnknownNameError
    OptionError

    Examples
    --------
    >>> require_comparable("resnet")
    Traceback (most recent call last):
    tinygrad_cnn.errors.UnknownNameError: ...
    """
    if network not in IN_PYTORCH:
        raise unknown_name("bench curve", network, IN_PYTORCH)
    if not has_pytorch():
        raise OptionError(
            "bench curve: PyTorch takes the same steps; got a Python without it. Install it: "
            "pip install torch"
        )


def compare_losses(
    network: str,
    model: nn.Module,
    optimiser: Optimiser,
    batches: Iterable[tuple[Array, npt.NDArray[np.int64]]],
    rates: Sequence[float],
    clip: float | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> LossCurves:
    """Train a network, and beside it the same one in PyTorch, and write down the losses.

    What our dropout drops, PyTorch's does too: the masks are handed over.

    Parameters
    ----------
    network : str
        Whose twin in PyTorch to build; see :func:`require_comparable`.
    model : Module
        Our network, which is trained; its weights are where all start.
    optimiser : Optimiser
        Of `model`, fresh; PyTorch's has its options.
    batches : iterable of (ndarray, ndarray)
        Images, in the precision in which to compute, and labels.
    rates : sequence of float
        The learning rate of each step.
    clip : float, optional
        Gradients are shortened to this norm.
    progress : callable
        ``progress(done)`` is told after each step.

    Returns
    -------
    LossCurves
    """
    require_comparable(network)
    masks: list[Array] = []
    handles = [
        layer.register_forward_hook(lambda layer, _, y: masks.append(_mask(layer, y.numpy())))
        for layer in model.modules()
        if isinstance(layer, nn.Dropout)
    ]
    model.train()
    before = model.state_dict()
    twins: list[_Twin] = []
    curves = LossCurves([], [], [], [])
    for done, ((images, labels), rate) in enumerate(zip(batches, rates, strict=True), start=1):
        if not twins:
            options = type(optimiser).__name__, dict(optimiser.param_groups[0])
            twins = [
                _Twin(network, before, images.dtype, masks, options, channels_last)
                for channels_last in (False, True, False)
            ]
        masks.clear()
        curves.ours.append(_step(model, optimiser, images, labels, rate, clip))
        twins[2].load(before)
        curves.at_our_weights.append(twins[2].loss(images, labels).item())
        curves.pytorch.append(twins[0].step(images, labels, rate, clip))
        curves.channels_last.append(twins[1].step(images, labels, rate, clip))
        before = model.state_dict()
        progress(done)
    for handle in handles:
        handle.remove()
    return curves


def _step(
    model: nn.Module,
    optimiser: Optimiser,
    images: Array,
    labels: Array,
    rate: float,
    clip: float | None,
) -> float:
    optimiser.param_groups[0]["lr"] = rate
    optimiser.zero_grad()
    loss = F.cross_entropy(model(Tensor(images)), labels)
    loss.backward()
    if clip is not None:
        clip_grad_norm_(optimiser.parameters, clip)
    optimiser.step()
    return float(loss.item())


def _mask(layer: Any, y: Array) -> Array:
    """Return what dropout has multiplied by; where a zero came in, either factor is right."""
    factor = 1.0 / (1.0 - layer.p) if layer.p < 1.0 else 0.0
    return np.where(y != 0, factor, 0.0).astype(y.dtype)


class _Twin:
    """The network in PyTorch, with its optimiser; our dropout's masks in place of its own."""

    def __init__(
        self,
        network: str,
        weights: dict[str, Array],
        dtype: Any,
        masks: list[Array],
        optimiser: tuple[str, dict[str, Any]],
        channels_last: bool,
    ) -> None:
        self._torch = torch = pytorch()
        self._form = torch.channels_last if channels_last else torch.contiguous_format
        precision = torch.from_numpy(np.zeros(1, dtype)).dtype
        self._model = build_in_pytorch(network).to(precision).to(memory_format=self._form)
        self.load(weights)
        dropouts = [m for m in self._model.modules() if isinstance(m, torch.nn.Dropout)]
        for place, layer in enumerate(dropouts):
            layer.p = 0.0
            layer.register_forward_hook(
                lambda _, inputs, y, place=place: y * torch.from_numpy(masks[place])
            )
        name, options = optimiser
        options = {key: value for key, value in options.items() if key != "params"}
        self._optimiser = getattr(torch.optim, name)(self._model.parameters(), **options)

    def load(self, weights: dict[str, Array]) -> None:
        """Take over our weights, and the means and variances that normalisation keeps."""
        copied = {path: self._torch.from_numpy(np.array(w)) for path, w in weights.items()}
        missing, unknown = self._model.load_state_dict(copied, strict=False)
        if unknown or any("num_batches" not in path for path in missing):
            raise OptionError(f"bench curve: both have the same weights; got {missing}, {unknown}")

    def loss(self, images: Array, labels: Array) -> Any:
        x = self._torch.from_numpy(images).contiguous(memory_format=self._form)
        scores = self._model(x)
        return self._torch.nn.functional.cross_entropy(scores, self._torch.from_numpy(labels))

    def step(self, images: Array, labels: Array, rate: float, clip: float | None) -> float:
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad()
        loss = self.loss(images, labels)
        loss.backward()
        if clip is not None:
            self._torch.nn.utils.clip_grad_norm_(self._model.parameters(), clip)
        self._optimiser.step()
        return float(loss.item())

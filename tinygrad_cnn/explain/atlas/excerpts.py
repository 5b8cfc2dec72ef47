"""What an atlas keeps of one element: δ of one image as maps, and figures of the whole batch.

A deep network leaves gigabytes of error signals. Of each, an atlas shows one image, the mean of its
channels and a few channels, at no more pixels than a page can show; so an excerpt is taken as soon
as an element has walked back, and the arrays may go.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import hooks
from tinygrad_cnn.element import FunctionElement
from tinygrad_cnn.elements.requirements import is_integer
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.atlas.units import Idle, idle_units
from tinygrad_cnn.explain.recording import Kept, Recording, Step
from tinygrad_cnn.explain.rendering.array_picture import shrunk
from tinygrad_cnn.hooks import Effort
from tinygrad_cnn.variable import Variable

__all__ = ["Excerpt", "Excerpts", "Selection", "batch_of", "excerpt", "record_excerpts"]

Array = npt.NDArray[Any]
SIDE, STRIP = 64, 128  # the most pixels of a map's side, and of a vector's strip


@dataclass(frozen=True)
class Selection:
    """Which part of each error signal is shown.

    Attributes
    ----------
    image : int
        Its place in the batch, from 0.
    channels : int or tuple of int
        So many channels of each element, those with the largest ‖δ‖; or these, from 0.
    """

    image: int = 0
    channels: int | tuple[int, ...] = 3

    @classmethod
    def of(cls, image: int, channels: int | Sequence[int]) -> "Selection":
        """Check what was asked for."""
        if not is_integer(image, 0):
            raise OptionError(f"atlas: an image is a place in the batch, from 0; got {image!r}")
        if isinstance(channels, int) and is_integer(channels, 0):
            return cls(image, channels)
        if isinstance(channels, Sequence) and all(is_integer(each, 0) for each in channels):
            return cls(image, tuple(channels))
        raise OptionError(
            f"atlas: channels are a number of them, or a list of places from 0; got {channels!r}"
        )

    def __str__(self) -> str:
        if isinstance(self.channels, int):
            return f"image {self.image} and {self.channels} channels"
        return f"image {self.image} and channels {list(self.channels)}"

    def require_image(self, batch: int) -> None:
        """Refuse an image that is not in the batch."""
        if self.image >= batch:
            raise OptionError(
                f"atlas: images of this batch are 0 to {batch - 1}; got image {self.image}"
            )


@dataclass(frozen=True)
class Excerpt:
    """What is kept of one element.

    Attributes
    ----------
    maps : array, shape (1 + channels, H, W), or None
        δ of the element's output for one image: the mean of its channels, then some of them. A
        vector has one map, of one row.
    channels : tuple of int
        Which channels these are.
    vector : bool
        Whether there are no channels, or only one number of each.
    idle : Idle or None
        Units that let no error signal pass, of an activation.
    gates : array, shape (N, C), or None
        What comes out of a sigmoid that has one number for each channel.
    """

    maps: Array | None = None
    channels: tuple[int, ...] = ()
    vector: bool = False
    idle: Idle | None = None
    gates: Array | None = None


def excerpt(step: Step, selection: Selection, batch: int) -> Excerpt:
    """Take an excerpt of an element that was recorded with arrays.

    Parameters
    ----------
    step : Step
    selection : Selection
    batch : int
        Number of images. A value whose first axis is another is shown whole.
    """
    return _with_maps(_of_forward(step), step, selection, batch)


def batch_of(steps: Sequence[Step]) -> int:
    """Return the number of images: the first axis of what the first element is given."""
    given = [kept for kept in steps[0].inputs if not kept.is_parameter and kept.shape]
    return given[0].shape[0] if given else 1


def _of_forward(step: Step) -> Excerpt:
    values = step.outputs[0].value if step.outputs else None
    if not isinstance(values, np.ndarray):
        return Excerpt()
    one_each = values.ndim == 4 and values.shape[2:] == (1, 1)
    gates = values[:, :, 0, 0] if one_each and step.name.endswith("sigmoid") else None
    return Excerpt(idle=idle_units(step.name, values), gates=gates)


def _with_maps(found: Excerpt, step: Step, selection: Selection, batch: int) -> Excerpt:
    arrived = next((signal for signal in step.outgoing or () if signal is not None), None)
    if arrived is None or not isinstance(arrived.value, np.ndarray) or arrived.value.ndim == 0:
        return found
    signal = arrived.value.astype(np.float64)
    if signal.ndim > 1 and signal.shape[0] == batch:
        signal = signal[selection.image]
    if signal.ndim < 2 or signal.shape[1:] == (1,) * (signal.ndim - 1):
        strip = signal.reshape(1, 1, -1)
        return replace(found, maps=shrunk(strip, STRIP), vector=True)
    signal = signal.reshape(signal.shape[0], -1, signal.shape[-1])
    chosen = _chosen(signal, selection.channels)
    tiles = [signal.mean(0)]
    tiles += [signal[c] if c < len(signal) else np.zeros_like(signal[0]) for c in chosen]
    return replace(found, maps=shrunk(np.stack(tiles), SIDE), channels=chosen)


def _chosen(signal: Array, channels: int | tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(channels, tuple):
        return channels
    strength = np.square(signal).sum((1, 2))
    return tuple(np.argsort(-strength, kind="stable")[:channels].tolist())


class Excerpts(Recording):
    """A recording that holds the arrays of one element at a time, and keeps excerpts."""

    def __init__(self, selection: Selection) -> None:
        super().__init__("arrays")
        self.selection = selection
        self.by_order: dict[int, Excerpt] = {}

    def on_forward(
        self,
        element: FunctionElement,
        inputs: tuple[Variable, ...],
        outputs: tuple[Variable, ...],
        effort: Effort,
    ) -> None:
        """Keep a forward step, and which of its units are idle."""
        super().on_forward(element, inputs, outputs, effort)
        step = self.steps[-1]
        if len(self.steps) == 1:
            self.selection.require_image(batch_of(self.steps))
        self.by_order[step.order] = _of_forward(step)
        step.inputs, step.outputs = _bare(step.inputs), _bare(step.outputs)

    def on_backward(
        self,
        element: FunctionElement,
        outgoing: tuple[Variable | None, ...],
        incoming: tuple[Variable | None, ...],
        effort: Effort,
    ) -> None:
        """Keep a step of the walk back, and the maps of its error signal."""
        super().on_backward(element, outgoing, incoming, effort)
        step = self._by_order.get(element.order)
        if step is None:
            return
        found, batch = self.by_order[step.order], batch_of(self.steps)
        self.by_order[step.order] = _with_maps(found, step, self.selection, batch)
        step.outgoing, step.incoming = _bare(step.outgoing or ()), _bare(step.incoming or ())


def _bare(values: Sequence[Kept | None]) -> Any:
    """Return values without their arrays; single numbers stay."""
    return tuple(
        replace(kept, value=None)
        if kept is not None and isinstance(kept.value, np.ndarray)
        else kept
        for kept in values
    )


@contextmanager
def record_excerpts(image: int = 0, channels: int | Sequence[int] = 3) -> Iterator[Excerpts]:
    """Record what an atlas shows, and no more, inside a ``with`` block.

    Parameters
    ----------
    image : int
        Which of the batch the maps are of.
    channels : int or sequence of int
        So many channels of each element, those with the largest ‖δ‖; or these.

    Raises
    ------
    OptionError
        If these are no places from 0, nor a number of channels.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[1.0, -2.0], [3.0, -4.0]], requires_grad=True)
    >>> with record_excerpts() as recording:
    ...     tg.functional.relu(x).sum().backward()
    >>> next(iter(recording.by_order.values())).idle
    Idle(kind='dead', share=0.5)
    """
    recording = Excerpts(Selection.of(image, channels))
    try:
        with hooks.observe(recording):
            yield recording
    finally:
        recording._fan_ins.finish()

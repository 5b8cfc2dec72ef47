"""The receptive field of one output: which pixels it depends on, and on which how much.

Two answers to the same question. The *geometry* follows windows, strides, padding, dilation,
pooling, joins and skips from the output back to the image, whatever the weights are: no other
pixel can change the output. The *measured* field is ``|∂y/∂x|`` at this image with these weights:
what a small change of each pixel would do. It is inside the geometry, and it is mostly far
smaller: many paths lead to the pixels in the middle and few to those at the edge, so that it
falls off like a bell [1]_.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import GraphError, KernelMismatchError
from tinygrad_cnn.explain.derivation.derivation import place_of
from tinygrad_cnn.explain.recording import Kept
from tinygrad_cnn.explain.rendering.text_table import text_table
from tinygrad_cnn.explain.sight.dependence import Mask
from tinygrad_cnn.explain.sight.picture_sheet import Pictured, Sheet
from tinygrad_cnn.explain.sight.run_values import Run, RunValues
from tinygrad_cnn.graph import Shape
from tinygrad_cnn.variable import Variable

__all__ = ["ReceptiveField", "Seen", "receptive_field"]


class Seen(NamedTuple):
    """What the output depends on at one element on the way to the image."""

    name: str
    shape: Shape
    ranges: tuple[tuple[int, int], ...]  # first and last place along each axis
    numbers: int  # less than the ranges hold where there are gaps

    @property
    def spans(self) -> tuple[int, ...]:
        """Places from the first to the last, along each axis."""
        return tuple(last - first + 1 for first, last in self.ranges)

    @property
    def where(self) -> str:
        """The ranges as text, such as ``0 x 2..6``."""
        return " x ".join(
            f"{first}" if first == last else f"{first}..{last}" for first, last in self.ranges
        )


@dataclass
class ReceptiveField(Pictured):
    """What one number sees of an image; printing it shows the text.

    Attributes
    ----------
    name : str
        The number: an element and an index.
    image : str
        What it looks at.
    batch : int
        Which image of the batch the number belongs to.
    mask : ndarray of bool, shape of the image
        The geometry: the numbers that it depends on.
    stages : list of Seen
        From the element next to the output to the image, which is the last.
    gradient : ndarray or None, shape of the image
        ``∂y/∂x``, measured.
    not_measured : str
        Why there is no gradient.
    """

    name: str
    image: str
    batch: int
    mask: Mask
    stages: list[Seen]
    gradient: npt.NDArray[Any] | None
    not_measured: str = ""

    @property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """First and last place along each axis of the image."""
        return self.stages[-1].ranges

    @property
    def spans(self) -> tuple[int, ...]:
        """Places from the first to the last, along each axis of the image."""
        return self.stages[-1].spans

    def measured(self) -> npt.NDArray[Any]:
        """Return ``|∂y/∂x|`` as shares that add up to 1 (or to 0 where all are 0).

        Raises
        ------
        GraphError
            If it could not be measured; the message says why.
        """
        if self.gradient is None:
            raise GraphError(f"receptive_field: a walk back measures it; got {self.not_measured}")
        size = np.abs(self.gradient.astype(np.float64))
        return size / (size.sum() or 1.0)

    def map(self) -> npt.NDArray[Any]:
        """Return the measured shares of the pixels of the image that is seen, shape (H, W)."""
        return _as_map(self.measured(), self.batch)

    def geometry(self) -> Mask:
        """Return the pixels that the output depends on, in any channel, shape (H, W)."""
        return _as_map(self.mask, self.batch) > 0

    def from_other_images(self) -> float:
        """Return the measured share of the other images of the batch.

        It is not 0 behind batch norm in training: through mean and variance, every image
        changes every other one.
        """
        shares = self.measured()
        return float(1.0 - shares[self.batch].sum()) if shares.ndim == 4 and shares.any() else 0.0

    def pixels_that_hold(self, share: float) -> int:
        """Return how many pixels, the strongest first, hold a share of the measured field."""
        found = np.sort(self.map().ravel())[::-1].cumsum()
        if not found[-1]:
            return 0
        return int(np.searchsorted(found, share * found[-1] * (1 - 1e-12)) + 1)

    def check(self) -> "ReceptiveField":
        """Refuse a gradient outside of the geometry; return the field else.

        Raises
        ------
        KernelMismatchError
            It names the first such place.
        """
        if self.gradient is not None:
            outside = np.argwhere((self.gradient != 0) & ~self.mask)
            if len(outside):
                place = tuple(map(int, outside[0]))
                raise KernelMismatchError(
                    f"receptive_field: a walk back stays inside the geometry; got "
                    f"{self.gradient[place]:g} for ∂{self.name}/∂{self.image}{list(place)}"
                )
        return self

    def text(self) -> str:
        """Return plain text: the geometry from element to element, and what was measured."""
        rows = [f"{self.name} depends on", ""]
        table = [("", "shape", "where", "numbers")]
        for seen in self.stages:
            count = "all" if seen.numbers == np.prod(seen.shape) else f"{seen.numbers:,}"
            table.append((seen.name, "x".join(map(str, seen.shape)), seen.where, count))
        return "\n".join([*rows, *text_table(table, right=[3]), "", *self._measured_lines()])

    def _measured_lines(self) -> list[str]:
        if self.gradient is None:
            return [f"not measured: {self.not_measured}"]
        inside, found = self.geometry().sum(), np.count_nonzero(self.map())
        lines = [
            f"measured: |∂{self.name}/∂{self.image}| is not 0 at {found:,} of {inside:,} pixels"
        ]
        if found:
            half, most = self.pixels_that_hold(0.5), self.pixels_that_hold(0.95)
            lines.append(f"half of it is at {half:,} pixels, 95 % at {most:,}")
        if self.from_other_images() > 1e-6:
            lines.append(f"{100 * self.from_other_images():.3g} % of it is in other images")
        return lines

    def sheet(self, image: npt.NDArray[Any] | None = None) -> Sheet:
        """Return both answers as pictures, beside an image of shape (C, H, W) if it is given."""
        from tinygrad_cnn.explain.sight.field_pictures import receptive_field_sheet

        return receptive_field_sheet(self, image)


def _as_map(values: npt.NDArray[Any], image: int) -> npt.NDArray[Any]:
    """Return one image of a batch with its channels added up; a vector as one row."""
    values = values[image] if values.ndim > 1 else values
    while values.ndim > 2:
        values = values.sum(0)
    return np.atleast_2d(values)


def receptive_field(
    run: Run,
    element: str | Variable,
    position: int | Sequence[int] | None = None,
    image: str | Variable | None = None,
) -> ReceptiveField:
    """Return what one number that an element computed depends on, by geometry and as measured.

    Parameters
    ----------
    run : Scalar, Tensor, Recording or GraphDump
        A loss, or whatever comes after the element.
    element : str or Variable
        A layer or element, such as ``"C3"``, or what it computed.
    position : int or sequence of int, optional
        Which number of it, a place for each axis; by default the middle of the first map.
    image : str or Variable, optional
        What is looked at, another value that the run began with; by default what the network
        was given.

    Returns
    -------
    ReceptiveField

    Raises
    ------
    UnknownNameError
        If there is no such element or image; the message lists those there are.
    ShapeError
        If the position lies outside.
    GraphError
        If nothing was recorded, or the elements are gone.
    DTypeError
        If it is no run.

    Notes
    -----
    The field is measured by a walk back from that number alone, ``δ(y) = 1`` there and 0
    elsewhere, if the image requires a gradient and the graph was not freed; the geometry needs
    neither. Row r and tap u of a window read pixel ``r s + u d - p``; away from the border, fields
    are of the size that :func:`tinygrad_cnn.summary` tells. Batch norm in training
    reads its channel in the whole batch, and so does all that comes behind it; windows alone
    show in evaluation mode.

    References
    ----------
    .. [1] W. Luo, Y. Li, R. Urtasun, R. Zemel, "Understanding the Effective Receptive Field in
       Deep Convolutional Neural Networks", NIPS 2016, section 2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor(np.ones((1, 1, 8, 8)), requires_grad=True, name="x")
    >>> w = tg.Tensor(np.ones((1, 1, 3, 3)), name="w")
    >>> with tg.explain.record():
    ...     y = tg.functional.avg_pool2d(tg.functional.conv2d(x, w), 2)
    >>> print(tg.explain.receptive_field(y, "avg_pool2d", (0, 0, 1, 1)))
    avg_pool2d[0,0,1,1] depends on
    <BLANKLINE>
              shape    where                numbers
      conv2d  1x1x6x6  0 x 0 x 2..3 x 2..3        4
      x       1x1x8x8  0 x 0 x 2..5 x 2..5       16
    <BLANKLINE>
    measured: |∂avg_pool2d[0,0,1,1]/∂x| is not 0 at 16 of 16 pixels
    half of it is at 5 pixels, 95 % at 15
    """
    values = RunValues("receptive_field", run)
    kept = values.computed(element)
    looked_at = values.image() if image is None else values.read(image)
    name = values.names[kept.key]
    place = _middle(kept.shape) if position is None else position
    place = place_of("receptive_field", name, kept.shape, place, 0)
    seed = np.zeros(kept.shape, bool)
    seed[place] = True
    masks, stages = _led_back(values, kept, seed, looked_at)
    gradient, reason = _gradient(values, kept, seed, looked_at)
    return ReceptiveField(
        f"{name}[{','.join(map(str, place))}]" if place else name,
        values.names[looked_at.key],
        place[0] if kept.shape[:1] == looked_at.shape[:1] and place else 0,
        masks,
        stages,
        gradient,
        reason,
    )


def _middle(shape: Shape) -> Shape:
    return tuple(size // 2 if axis > 1 else 0 for axis, size in enumerate(shape))


def seen_of(name: str, mask: Mask) -> Seen:
    """Return what a set of places covers."""
    places = np.nonzero(mask) if mask.ndim else ()
    ranges = tuple((int(at.min()), int(at.max())) if at.size else (0, -1) for at in places)
    return Seen(name, mask.shape, ranges, int(mask.sum()))


def _led_back(values: RunValues, kept: Kept, seed: Mask, image: Kept) -> tuple[Mask, list[Seen]]:
    """Lead a set of places back to the image, from element to element."""
    masks: dict[int, Mask] = {kept.key: seed}
    stages = []
    for step in reversed(values.graph.steps):
        for number, output in enumerate(step.outputs):
            mask = masks.pop(output.key, None)
            if mask is None:
                continue
            if output.key != kept.key:
                stages.append(seen_of(values.names[output.key], mask))
            for position, read in enumerate(step.inputs):
                if read.key in values.made or read.key == image.key:
                    back = values.dependence(step, position, number).back(mask)
                    before = masks.get(read.key)
                    masks[read.key] = back if before is None else before | back
    found = masks.get(image.key)
    found = np.zeros(image.shape, bool) if found is None else found
    return found, [*stages, seen_of(values.names[image.key], found)]


def _gradient(
    values: RunValues, kept: Kept, seed: Mask, image: Kept
) -> tuple[npt.NDArray[Any] | None, str]:
    """Walk back from one number, or say why that cannot be done."""
    if not image.requires_grad:
        return None, f"{values.names[image.key]} does not require a gradient"
    reason = values.require_graph(kept.key)
    if reason:
        return None, reason
    found = values.signals({kept.key: seed.astype(np.float64)}, [image.key])
    return found.get(image.key, np.zeros(image.shape)), ""

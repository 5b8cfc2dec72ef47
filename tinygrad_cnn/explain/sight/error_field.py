"""The error field of one weight or pixel: whose errors reach it, and with what share.

It is the dual of the receptive field. There a number looks back at all that it depends on; here a
number that the run began with looks ahead at all that depends on it, element after element. Errors
come back from exactly there, through the same strides, pools and skips. So the gradient is a sum
over the field, at every element anew::

    ∂L/∂w = Σ_k δ(y)_k · ∂y_k/∂w        y: what an element computed, k: its numbers

Where all paths from w to the loss lead through y, the sum is the whole gradient; where some go
around it, past a skip, it is the part that came through y. Each summand is the *contribution* of
one error signal. ``∂y_k/∂w`` of all elements at once takes two walks back: the gradient of w is
linear in error signals that are put into every y, and its slope by them is what is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import GraphError, KernelMismatchError, unknown_name
from tinygrad_cnn.explain.derivation.derivation import place_of
from tinygrad_cnn.explain.recording import Kept
from tinygrad_cnn.explain.rendering.text_table import text_table
from tinygrad_cnn.explain.sight.dependence import Mask
from tinygrad_cnn.explain.sight.picture_sheet import Pictured, Sheet
from tinygrad_cnn.explain.sight.receptive_field import Seen, seen_of
from tinygrad_cnn.explain.sight.run_values import Run, RunValues
from tinygrad_cnn.gradients import grad
from tinygrad_cnn.graph import Shape, enable_grad
from tinygrad_cnn.hooks import unobserved
from tinygrad_cnn.variable import Variable
from tinygrad_cnn.walk import signals_at

__all__ = ["ErrorField", "Reached", "error_field"]

Array = npt.NDArray[Any]


class Reached(NamedTuple):
    """What depends on the number, at one element after it.

    Attributes
    ----------
    seen : Seen
        The geometry: the places whose errors can reach the number.
    mask : ndarray of bool
        The same as truth values.
    contributions : ndarray or None
        ``δ(y)_k · ∂y_k/∂w``, measured; their sum is what of the gradient came this way.
    """

    seen: Seen
    mask: Mask
    contributions: Array | None

    @property
    def total(self) -> float:
        """The part of the gradient that came through this element."""
        return 0.0 if self.contributions is None else float(self.contributions.sum())

    @property
    def kept(self) -> float:
        """What is left of the contributions when they are added up; 1 if none cancel."""
        size = 0.0 if self.contributions is None else float(np.abs(self.contributions).sum())
        return abs(self.total) / size if size else 0.0

    def shares(self) -> Array:
        """Return ``|contribution|`` as shares that add up to 1 (or to 0)."""
        if self.contributions is None:
            return np.zeros(self.mask.shape)
        size = np.abs(self.contributions)
        return size / (size.sum() or 1.0)


@dataclass
class ErrorField(Pictured):
    """Whose errors reach one number; printing it shows the text.

    Attributes
    ----------
    name : str
        The number: a parameter or image, and an index.
    reached : list of Reached
        From the element that reads it to the loss.
    gradient : float or None
        ``∂L/∂w``.
    not_measured : str
        Why there is none.
    """

    name: str
    reached: list[Reached]
    gradient: float | None
    not_measured: str = ""

    def __getitem__(self, name: str) -> Reached:
        """Return what depends on the number at an element."""
        found = {each.seen.name: each for each in self.reached}
        if name not in found:
            raise unknown_name("error_field", name, found)
        return found[name]

    def by_image(self) -> Array:
        """Return the share of each image of the batch, by size; they add up to 1.

        Measured at the element that reads the number. Images that the network is sure of have
        hardly an error to send.
        """
        shares = self.reached[0].shares() if self.reached else np.zeros(0)
        return shares.sum(tuple(range(1, shares.ndim))) if shares.ndim else np.zeros(0)

    def check(self) -> "ErrorField":
        """Refuse a contribution from outside of the geometry; return the field else.

        Raises
        ------
        KernelMismatchError
            It names the first such place.
        """
        for each in self.reached:
            if each.contributions is None:
                continue
            outside = np.argwhere((each.contributions != 0) & ~each.mask)
            if len(outside):
                place = tuple(map(int, outside[0]))
                raise KernelMismatchError(
                    f"error_field: errors come from inside the geometry; got "
                    f"{each.contributions[place]:g} for {self.name} from {each.seen.name}"
                    f"{list(place)}"
                )
        return self

    def text(self) -> str:
        """Return plain text: element by element where the errors came from."""
        table: list[tuple[str, ...]] = [
            ("", "shape", "where", "numbers", "with a share", "of ∂L", "left of the sum")
        ]
        for each in self.reached:
            seen = each.seen
            measured = ["", "", ""]
            if each.contributions is not None and self.gradient is not None:
                part = 100 * each.total / self.gradient if self.gradient else float("nan")
                measured = [
                    f"{np.count_nonzero(each.contributions):,}",
                    f"{part:.4g} %",
                    f"{100 * each.kept:.3g} %",
                ]
            shape = "x".join(map(str, seen.shape)) or "1"
            table.append((seen.name, shape, seen.where, f"{seen.numbers:,}", *measured))
        used = 7 if self.gradient is not None else 4
        rows = text_table([row[:used] for row in table], right=range(3, used))
        gradient = "" if self.gradient is None else f": ∂L/∂{self.name} = {self.gradient:.6g}"
        text = [f"errors reach {self.name} from{gradient}", "", *rows]
        shares = self.by_image()
        if self.gradient and 1 < len(shares) <= 16:
            told = ", ".join(f"{100 * share:.3g} %" for share in shares)
            text += ["", f"by image: {told}"]
        if self.not_measured:
            text += ["", f"not measured: {self.not_measured}"]
        return "\n".join(text)

    def sheet(self) -> Sheet:
        """Return the contributions as pictures, element by element."""
        from tinygrad_cnn.explain.sight.field_pictures import error_field_sheet

        return error_field_sheet(self)


def error_field(run: Run, of: str | Variable, index: int | Sequence[int] = ()) -> ErrorField:
    """Return which errors reach a weight, or a pixel of the image, and with what share.

    Parameters
    ----------
    run : Scalar, Tensor, Recording or GraphDump
        Usually a loss.
    of : str or Variable
        A parameter such as ``"C3.weight"``, or what the network was given.
    index : int or sequence of int
        Which number of it.

    Returns
    -------
    ErrorField

    Raises
    ------
    UnknownNameError
        If there is no such parameter or image; the message lists those there are.
    ShapeError
        If the index lies outside.
    GraphError
        If nothing was recorded, or the elements are gone.
    DTypeError
        If it is no run.

    Notes
    -----
    Shares are measured if the run ends in one number, what is asked about requires a gradient,
    and the graph was not freed. The geometry needs none of this.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[[1.0, 2.0, 3.0, 4.0]]], name="x")
    >>> w = tg.Tensor([[[1.0, -1.0]]], requires_grad=True, name="w")
    >>> with tg.explain.record():
    ...     y = tg.functional.conv1d(x, w)
    ...     loss = (y * y).sum() * 0.5
    >>> field = tg.explain.error_field(loss, "w", (0, 0, 1))
    >>> field["conv1d"].contributions.tolist(), field.gradient
    ([[[-2.0, -3.0, -4.0]]], -9.0)
    """
    values = RunValues("error_field", run)
    kept = values.read(of)
    name = values.names[kept.key]
    place = place_of("error_field", name, kept.shape, index, 0)
    seed = np.zeros(kept.shape, bool)
    seed[place] = True
    masks = _led_ahead(values, kept, seed)
    found, gradient, reason = _measured(values, kept, place, list(masks))
    reached = [
        Reached(seen_of(values.names[key], mask), mask, found.get(key, np.zeros(mask.shape)))
        if gradient is not None
        else Reached(seen_of(values.names[key], mask), mask, None)
        for key, mask in masks.items()
    ]
    written = f"{name}[{','.join(map(str, place))}]" if place else name
    return ErrorField(written, reached, gradient, reason)


def _led_ahead(values: RunValues, kept: Kept, seed: Mask) -> dict[int, Mask]:
    """Lead a place ahead to all that depends on it, in execution order."""
    masks: dict[int, Mask] = {kept.key: seed}
    for step in values.graph.steps:
        for position, read in enumerate(step.inputs):
            mask = masks.get(read.key)
            if mask is None:
                continue
            for number, output in enumerate(step.outputs):
                if output.requires_grad or not kept.requires_grad:
                    ahead = values.dependence(step, position, number).ahead(mask)
                    before = masks.get(output.key)
                    masks[output.key] = ahead if before is None else before | ahead
    del masks[kept.key]
    return masks


def _measured(
    values: RunValues, kept: Kept, place: Shape, keys: list[int]
) -> tuple[dict[int, Array], float | None, str]:
    """Return contributions by value, and the gradient; or why there are none."""
    result = values.graph.result
    if not kept.requires_grad:
        return {}, None, f"{values.names[kept.key]} does not require a gradient"
    if result.shape:
        return {}, None, f"errors are those of a loss, one number; got shape {result.shape}"
    reason = values.require_graph(result.key)
    if reason:
        return {}, None, reason
    signals = values.signals({result.key: np.ones(())}, [kept.key, *keys])
    if kept.key not in signals:
        return {}, 0.0, ""
    reached = [key for key in keys if key in signals]
    slopes = _slopes(values, kept, place, reached)
    found = {
        key: signals[key].astype(np.float64) * slopes[key].astype(np.float64) for key in slopes
    }
    return found, float(signals[kept.key][place]), ""


def _slopes(values: RunValues, kept: Kept, place: Shape, keys: list[int]) -> dict[int, Array]:
    """Return ∂y/∂w of several values, w the number at a place: by two walks back."""
    leaf = values.node_or_none(kept.key)
    if leaf is None:
        raise GraphError(f"error_field: {values.require_graph(kept.key)}")
    with enable_grad(), unobserved():
        put_in = [
            values.signal_of(key, np.zeros(values.values[key].shape), requires_grad=True)
            for key in keys
        ]
        roots = list(zip((values.stands_for(key) for key in keys), put_in, strict=True))
        gradient: Any = signals_at([leaf], roots, True, True)[leaf]
        one = gradient[place] if place else gradient
        if not one.requires_grad:
            return {}
        found = grad(one, put_in, allow_unused=True)
    return {
        key: np.asarray(slope._value)
        for key, slope in zip(keys, found, strict=True)
        if slope is not None
    }

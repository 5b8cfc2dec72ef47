"""Zoom: one number of a tensor element, expanded into scalar elements on the same engine.

::

    C3[0,2,4,5]  =  C3.bias[2] + C3.weight[2,0,0,0]·S2[0,0,4,5] + …      150 products of scalars

The index form of the element says which numbers meet. They become scalars, the formula runs on
them as a graph of its own, and is walked back. The tensor element runs again too, with an error
signal that is 1 at this number and 0 elsewhere. So there are two values and, for each number that
took part, two partial derivatives: one granularity of the engine checks the other.

Of a parameter, one number of its gradient is expanded: its partial derivatives by error signals
and inputs are second derivatives, for which the tensor engine walks back over its walk back. A
weight that several elements read has the sum of what each of them sends. Means and variances of
a batch are expanded too, so that a normalised number depends on all of its channel; what dropout
drew is taken as it was drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_cnn.errors import GraphError, KernelMismatchError, OptionError
from tinygrad_cnn.explain.derivation.chain import Chain
from tinygrad_cnn.explain.derivation.derivation import place_of, target_of
from tinygrad_cnn.explain.derivation.expression import Number
from tinygrad_cnn.explain.derivation.forms import WITHOUT_FORM
from tinygrad_cnn.explain.derivation.notation import LatexNotation, Notation, number
from tinygrad_cnn.explain.expansion import Expansion, Partial, Share
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.recording import Recording, Step
from tinygrad_cnn.explain.rendering.notebook import WithFormulas
from tinygrad_cnn.explain.rendering.text_table import text_table
from tinygrad_cnn.explain.story import story
from tinygrad_cnn.scalar import Scalar
from tinygrad_cnn.variable import Variable

LONG = 160  # letters of a formula in a printout
SHOWN = 12  # partial derivatives in a printout


@dataclass
class Zoom(WithFormulas):
    """One number as a graph of scalars; printing it shows the text.

    Attributes
    ----------
    name, label : str
        The number, and the element it is of.
    formula, latex : str
        What it was expanded into, as text and as an equation in LaTeX.
    recorded, scalar, tensor : float
        The number as it was recorded, as scalars and as tensors of float64 compute it.
    partials : list of Partial
    result : Scalar
        The last scalar: its graph can be told, drawn or differentiated again.
    bounds : tuple of float
        How far rounding takes the number as tensors compute it, and as it was recorded, from
        what it is.
    """

    name: str
    label: str
    formula: str
    latex: str
    recorded: float
    scalar: float
    tensor: float
    partials: list[Partial]
    result: Scalar
    recording: Recording
    bounds: tuple[float, float]

    @property
    def allowed(self) -> float:
        """How far rounding takes two partial derivatives from each other, in float64."""
        largest = max((max(abs(p.scalar), abs(p.tensor)) for p in self.partials), default=0.0)
        return 4.0 * (len(self.recording.steps) + 4) * float(np.finfo(np.float64).eps) * largest

    def disagreements(self) -> list[Partial]:
        """Return the partial derivatives that differ by more than rounding explains."""
        allowed = self.allowed
        return [p for p in self.partials if not abs(p.scalar - p.tensor) <= allowed]

    @property
    def agrees(self) -> bool:
        """Whether the number itself is the same three times, but for rounding."""
        pairs = zip((self.tensor, self.recorded), self.bounds, strict=True)
        return all(abs(self.scalar - other) <= bound for other, bound in pairs)

    def check(self) -> "Zoom":
        """Refuse a number that differs, or whose partial derivatives do; return it else.

        Raises
        ------
        KernelMismatchError
            It names the first of them, and both numbers.
        """
        if not self.agrees:
            raise KernelMismatchError(
                f"zoom: scalars and tensors compute the same number; got {self.tensor:g} from "
                f"{self.label}, {self.recorded:g} as it was recorded, where scalars give "
                f"{self.name} = {self.scalar:g}"
            )
        for wrong in self.disagreements():
            raise KernelMismatchError(
                f"zoom: scalars and tensors have the same partial derivatives; got {wrong.tensor:g}"
                f" from {self.label} where scalars give ∂{self.name}/∂{wrong.name} = "
                f"{wrong.scalar:g}"
            )
        return self

    def story(self) -> str:
        """Tell the run of the scalar graph, element by element."""
        return story(self.result)

    def text(self) -> str:
        """Return plain text: the formula, both values, and the partial derivatives."""
        rows = [self._title(), "", f"  {self.name} = {self.formula}", f"  {self._values()}", ""]
        rows += text_table(self._cells(), right=[1, 2, 3])
        if len(self.partials) > SHOWN:
            rows.append(f"  … {len(self.partials) - SHOWN:,} more")
        return "\n".join([*rows, "", self._verdict()])

    def markdown(self) -> str:
        """Return Markdown, with the formula in LaTeX."""
        rows = [f"### {self._title()}", "", f"$${self.latex}$$", "", self._values(), ""]
        head, *cells = self._cells()
        rows += [f"| {' | '.join(head)} |", "| --- | ---: | ---: | ---: |"]
        rows += [f"| `{name}` | {' | '.join(figures)} |" for name, *figures in cells]
        if len(self.partials) > SHOWN:
            rows.append(f"| … {len(self.partials) - SHOWN:,} more | | | |")
        return "\n".join([*rows, "", self._verdict()])

    def _title(self) -> str:
        return f"{self.name} of {self.label}, as {len(self.recording.steps)} scalar elements"

    def _values(self) -> str:
        return (
            f"scalars {number(self.scalar)} · tensors {number(self.tensor)} · recorded "
            f"{number(self.recorded)}"
        )

    def _cells(self) -> list[tuple[str, ...]]:
        """Return the largest partial derivatives below a title."""
        ordered = sorted(self.partials, key=lambda p: -abs(p.scalar))[:SHOWN]
        cells: list[tuple[str, ...]] = [("∂ by", "value", "scalars", "tensors")]
        for p in ordered:
            cells.append((p.name, number(p.value), number(p.scalar), number(p.tensor)))
        return cells

    def _verdict(self) -> str:
        wrong = self.disagreements()
        verdict = f"{len(wrong):,} of them DISAGREE" if wrong else "all agree"
        value = "" if self.agrees else "; the number itself DISAGREES"
        return f"{len(self.partials):,} partial derivatives, {verdict}{value}"


def zoom(result: Variable | GraphDump, of: str | Variable, index: int | Sequence[int] = ()) -> Zoom:
    """Expand one number of a recorded run into scalar elements, and run both.

    Parameters
    ----------
    result : Scalar, Tensor or GraphDump
        Usually a loss, computed and walked back inside ``record(keep="arrays")``.
    of : str or Variable
        The output of a layer or element (``"C3"``), of which a value is expanded; or a parameter
        (``"C3.weight"``) or another leaf, of which a number of the gradient is; or an error
        signal (``"δ(C3)"``).
    index : int or sequence of int
        Which number.

    Returns
    -------
    Zoom

    Raises
    ------
    UnknownNameError, ShapeError, GraphError
        As :func:`derive`.
    OptionError
        If the element has no index form, or the number has more terms than a graph of scalars is
        made for.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Tensor([[1.0, 2.0]], requires_grad=True, name="x")
    >>> w = tg.Tensor([[3.0, 4.0]], requires_grad=True, name="w")
    >>> with tg.explain.record(keep="arrays"):
    ...     loss = tg.functional.affine(x, w).sum()
    ...     loss.backward()
    >>> print(tg.explain.zoom(loss, "affine", (0, 0)))
    affine[0,0] of affine, as 3 scalar elements
    <BLANKLINE>
      affine[0,0] = Σ_{d<2} w[0,d]·x[0,d]
      scalars 11 · tensors 11 · recorded 11
    <BLANKLINE>
      ∂ by    value  scalars  tensors
      x[0,1]      2        4        4
      x[0,0]      1        3        3
      w[0,1]      4        2        2
      w[0,0]      3        1        1
    <BLANKLINE>
    4 partial derivatives, all agree
    """
    chain = Chain(graph_of("zoom", result), "zoom")
    kept = target_of("zoom", chain, of)
    place = place_of("zoom", chain.names[kept.key], kept.shape, index, 0)
    backward = kept.key not in chain.made or str(of).startswith("δ(")
    expansion = _of_signal(chain, kept.key) if backward else _of_value(chain, kept.key)
    found = expansion.run(place)
    written = Notation().write(found.formula)
    if len(written) > LONG:
        written = f"{written[: LONG - 2]} …"
    left, numbers = expansion.left, tuple(map(Number, place))
    return Zoom(
        Notation().reference(left, numbers),
        expansion.label,
        written,
        f"{LatexNotation().reference(left, numbers)} = {LatexNotation().write(found.formula)}",
        float(left.data[place]),
        float(found.result),
        found.tensor,
        found.partials,
        found.result,
        found.recording,
        found.bounds,
    )


def _of_value(chain: Chain, key: int) -> Expansion:
    """Return the expansion of what an element computed."""
    step, position = chain.made[key]
    form = chain.form(step)
    equation = None if form is None else form.output(position)
    if equation is None:
        raise _no_form(step)
    return Expansion(chain, chain.array(key), key, [Share(step, [equation])], position)


def _of_signal(chain: Chain, key: int) -> Expansion:
    """Return the expansion of an error signal: what came from all elements that read the value."""
    signal = chain.signal(key)
    shares = []
    for way in chain.contributions(key):
        form = chain.form(way.step)
        equations = [] if form is None else [form.signals.get(k) for k in way.positions]
        known = [equation for equation in equations if equation is not None]
        if not known or len(known) < len(way.positions):
            raise _no_form(way.step)
        shares.append(Share(way.step, known))
    if signal is None or not shares:
        raise GraphError(
            "zoom: an error signal that came from other elements is expanded; got that of "
            f"{chain.names[key]}, which the walk began with"
        )
    return Expansion(chain, signal, key, shares, None)


def _no_form(step: Step) -> OptionError:
    reason = WITHOUT_FORM.get(step.name, "its rule is not written out for this use")
    return OptionError(
        "zoom: it expands elements whose rule is written out as an index form; got "
        f"{step.label}, which has none: {reason}"
    )

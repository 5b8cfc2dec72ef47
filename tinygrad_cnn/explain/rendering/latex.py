"""A recorded run as a LaTeX document: the rule of each element with its shapes, there and back.

It needs the packages amsmath, amssymb and geometry, and any engine: the text is ASCII.
"""

import unicodedata
from collections.abc import Iterable, Sequence

from tinygrad_cnn.explain.folding import Item, Repeat, fold, unfold
from tinygrad_cnn.explain.graph_dump import GraphDump, graph_of
from tinygrad_cnn.explain.recording import Kept, Step
from tinygrad_cnn.explain.story import headline, number_text, options_text
from tinygrad_cnn.variable import Variable

__all__ = ["latex"]

SPECIAL = {letter: f"\\{letter}" for letter in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
SYMBOLS = {
    "δ": r"\delta", "∇": r"\nabla", "Σ": r"\sum", "√": r"\surd", "∘": r"\circ", "·": r"\cdot",
    "⋆": r"\star", "×": r"\times", "→": r"\to", "≤": r"\leq", "≥": r"\geq", "−": "-",
    "ᵀ": "^{T}", "²": "^{2}", "‖": r"\|", "…": r"\dots", "±": r"\pm", "∂": r"\partial",
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "ε": r"\varepsilon", "μ": r"\mu",
    "σ": r"\sigma", "Φ": r"\Phi", "φ": r"\varphi", "π": r"\pi", "∞": r"\infty",
}  # fmt: skip


def latex(result: Variable | GraphDump, folded: bool = True) -> str:
    r"""Write the rules that a value was computed by, and those of the walk back.

    Parameters
    ----------
    result, folded
        As of :func:`~tinygrad_cnn.explain.svg`.

    Returns
    -------
    str
        A LaTeX document.

    Raises
    ------
    DTypeError, GraphError
        As :func:`~tinygrad_cnn.explain.svg` does.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> x = tg.Scalar(0.5, requires_grad=True, name="x")
    >>> print("\n".join(latex(x.tanh()).splitlines()[9:14]))
    <BLANKLINE>
    \noindent 1~\textbf{tanh}: scalar $\to$ scalar
    \begin{align*}
    a &= \tanh z
    \end{align*}
    """
    graph = graph_of("latex", result)
    items = fold(graph, 4 if folded else None)
    lines = [
        r"\documentclass{article}",
        r"\usepackage{amsmath,amssymb}",
        r"\usepackage[margin=2cm]{geometry}",
        r"\allowdisplaybreaks",
        r"\begin{document}",
        rf"\section*{{{escaped(graph.title or graph.steps[-1].label)}}}",
        escaped(headline(graph)),
        "",
        r"\subsection*{Forward}",
        *_part(items, graph.steps, backward=False),
        r"\subsection*{Backward}",
        *_part(items, graph.steps, backward=True),
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"


def _part(items: Sequence[Item], steps: Sequence[Step], backward: bool) -> Iterable[str]:
    for item in reversed(items) if backward else items:
        if isinstance(item, Repeat):
            elements = list(unfold([item]))
            first, size = elements[0].place + 1, len(elements) // item.times
            yield ""
            yield (
                rf"\medskip\hrule\smallskip\noindent Elements {first} to {first + size - 1} come "
                f"${item.times}$ times, up to {elements[-1].place + 1}:"
            )
            yield from _part(item.items, steps, backward)
            yield r"\hrule\medskip"
            continue
        step = steps[item.place]
        formulas = list(_backward(step)) if backward else [_forward(step)]
        if not formulas:
            continue
        yield ""
        label = rf"{item.place + 1}~\textbf{{{escaped(step.label)}}}"
        yield rf"\noindent {label}: {_about(step, backward)}"
        yield r"\begin{align*}"
        yield " \\\\\n".join(map(_aligned, formulas))
        yield r"\end{align*}"


def _about(step: Step, backward: bool) -> str:
    if not backward:
        options = ", ".join(filter(None, (options_text(step), _absent(step))))
        given = [kept for kept in step.inputs if not kept.is_parameter] or step.inputs[:1]
        left = ", ".join(dict.fromkeys(map(_shape, given)))
        right = ", ".join(map(_shape, step.outputs[:1]))
        return rf"{left} $\to$ {right}" + (f" ({escaped(options)})" if options else "")
    norms = [
        rf"$\|\delta({_mathematical(symbol)})\| = {_scientific(signal.statistics.norm)}$"
        for symbol, signal in zip(step.rule.outputs, step.outgoing or (), strict=False)
        if signal is not None
    ]
    return ", ".join(norms)


def _absent(step: Step) -> str:
    """Name the optional inputs of a rule that were not given: its formula has them still."""
    absent = step.rule.inputs[len(step.inputs) :]
    return ", ".join(f"no {symbol}" for symbol in absent if symbol != "...")


def _forward(step: Step) -> str:
    return step.rule.latex or rf"\text{{{escaped(step.rule.forward_text())}}}"


def _backward(step: Step) -> Iterable[str]:
    """Give the rules of the error signals that were wanted, each once."""
    wanted = dict.fromkeys(
        step.rule.declared_symbol(k) for k, kept in enumerate(step.inputs) if kept.requires_grad
    )
    for symbol in wanted:
        if symbol in step.rule.latex_backward:
            yield step.rule.latex_backward[symbol]
        elif symbol in step.rule.backward:
            yield rf"\text{{{escaped(step.rule.backward_text(symbol))}}}"


def _aligned(formula: str) -> str:
    """Set the mark of alignment before the first = that stands in no braces."""
    depth = 0
    for k, letter in enumerate(formula):
        depth += (letter == "{") - (letter == "}")
        if letter == "=" and not depth:
            return f"{formula[:k]}&{formula[k:]}"
    return f"&{formula}"


def _shape(kept: Kept) -> str:
    sizes = r" \times ".join(map(str, kept.shape))
    return f"${sizes}$" if sizes else "scalar"


def _scientific(number: float) -> str:
    if number != number or number in (float("inf"), float("-inf")):
        return rf"\text{{{number}}}"
    mantissa, _, exponent = number_text(number).partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def _mathematical(symbol: str) -> str:
    return symbol if len(symbol) == 1 and symbol.isascii() else rf"\text{{{escaped(symbol)}}}"


def escaped(text: str) -> str:
    r"""Write a text so that LaTeX prints it, in ASCII.

    Examples
    --------
    >>> print(escaped("δ(x_1) & 3%"))
    $\delta$(x\_1) \& 3\%
    """
    return "".join(map(_letter, text))


def _letter(letter: str) -> str:
    if letter in SYMBOLS:
        return f"${SYMBOLS[letter]}$"
    if letter in SPECIAL:
        return SPECIAL[letter]
    if letter.isascii():
        return letter if letter.isprintable() else " "
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return "".join(SPECIAL.get(each, each) for each in plain) or f"[U+{ord(letter):04X}]"

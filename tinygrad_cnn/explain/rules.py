"""All function elements with the rules that they declare, as a table."""

from collections.abc import Iterator

from tinygrad_cnn import functional  # noqa: F401  # registers every element
from tinygrad_cnn.element import ELEMENTS, FunctionElement
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.rendering.notebook import MarkdownText, PlainText

__all__ = ["rules"]

FORMS = ("text", "latex")


def rules(form: str = "text") -> str:
    """List every element with its forward rule, error signals and sub-gradient convention.

    Parameters
    ----------
    form : {"text", "latex"}
        Plain text, or Markdown with formulas in LaTeX.

    Returns
    -------
    str

    Raises
    ------
    OptionError
        If the form is unknown.

    Examples
    --------
    >>> "a = 1 / (1 + exp(-z))" in rules()
    True
    """
    if form not in FORMS:
        raise OptionError(f"rules: form is one of {', '.join(FORMS)}; got {form!r}")
    blocks = (_text(name) if form == "text" else _latex(name) for name in sorted(ELEMENTS))
    text = "\n\n".join("\n".join(lines) for lines in blocks)
    return PlainText(text) if form == "text" else MarkdownText(text)


def _summary(element: type[FunctionElement]) -> str:
    return (element.__doc__ or "").strip().splitlines()[0]


def _text(name: str) -> Iterator[str]:
    element = ELEMENTS[name]
    yield f"{name}: {_summary(element)}"
    yield f"  {element.rule.forward_text()}"
    for symbol in element.rule.backward:
        yield f"  {element.rule.backward_text(symbol)}"
    if element.convention:
        yield f"  where {element.convention}"


def _latex(name: str) -> Iterator[str]:
    element = ELEMENTS[name]
    yield f"### {name}"
    yield ""
    yield _summary(element)
    yield ""
    for formula in (element.rule.latex, *element.rule.latex_backward.values()):
        yield f"$${formula}$$"
    if element.convention:
        yield ""
        yield f"Convention: {element.convention}."

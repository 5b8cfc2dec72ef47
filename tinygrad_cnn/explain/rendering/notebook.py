"""What a notebook shows of an object that a terminal prints as text.

Tables of this package are laid out in letters of one width, so a notebook shows them in such:
``_repr_html_`` is the printed text, set as it is and scrolled where it is wide. Objects with
formulas have a ``_repr_markdown_`` of their own instead.
"""

from html import escape

__all__ = ["MarkdownText", "PlainText", "Printed"]


class Printed:
    """Something whose text a notebook shows as a terminal does.

    Examples
    --------
    >>> PlainText("‖δ‖ < 1")._repr_html_()
    '<pre style="white-space: pre; overflow-x: auto">‖δ‖ &lt; 1</pre>'
    """

    def _repr_html_(self) -> str:
        return f'<pre style="white-space: pre; overflow-x: auto">{escape(str(self))}</pre>'


class PlainText(Printed, str):
    """A text to be printed, which a notebook shows line by line."""

    __slots__ = ()


class MarkdownText(str):
    """A text in Markdown, which a notebook shows as it is meant."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)

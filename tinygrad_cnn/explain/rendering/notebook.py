"""What a notebook shows of an object that a terminal prints as text.

Tables of this package are laid out in letters of one width, so a notebook shows them in such:
``_repr_html_`` is the printed text, set as it is and scrolled where it is wide. What
has formulas is shown as Markdown instead.
"""

from abc import ABC, abstractmethod
from html import escape
from pathlib import Path

from tinygrad_cnn.explain.rendering.saving import Forms, save_by_ending

__all__ = [
    "MarkdownText",
    "PageText",
    "PlainText",
    "Printed",
    "SvgText",
    "WithFormulas",
    "framed",
]


class Printed:
    """Something whose text a notebook shows as a terminal does.

    Examples
    --------
    >>> PlainText("‖δ‖ < 1")._repr_html_()
    '<pre style="white-space: pre; overflow-x: auto">‖δ‖ &lt; 1</pre>'
    """

    def text(self) -> str:
        """Return what a terminal prints."""
        return str(self)

    def save(self, path: str | Path) -> None:
        """Write the text to a file that ends in .txt.

        Raises
        ------
        OptionError
            If the file has another ending.
        RunDirectoryError
            If it cannot be written.
        """
        save_by_ending(path, {".txt": self.text}, "explain")

    def _repr_html_(self) -> str:
        return f'<pre style="white-space: pre; overflow-x: auto">{escape(str(self))}</pre>'


class WithFormulas(ABC):
    """A result that is told in plain text, and in Markdown with formulas in LaTeX."""

    @abstractmethod
    def text(self) -> str:
        """Return plain text."""

    @abstractmethod
    def markdown(self) -> str:
        """Return Markdown with formulas in LaTeX."""

    def forms(self) -> Forms:
        """Return the forms of a file by their endings: .txt is plain text, .md Markdown."""
        return {".txt": self.text, ".md": self.markdown}

    def save(self, path: str | Path) -> None:
        """Write one of the :meth:`forms` to a file, as its ending says.

        Raises
        ------
        OptionError
            If the file has another ending.
        RunDirectoryError
            If it cannot be written.
        """
        save_by_ending(path, self.forms(), "explain")

    def __str__(self) -> str:
        return self.text()

    def _repr_markdown_(self) -> str:
        return self.markdown()


class PlainText(Printed, str):
    """A text to be printed, which a notebook shows line by line."""

    __slots__ = ()


class MarkdownText(str):
    """A text in Markdown, which a notebook shows as it is meant."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)


class SvgText(str):
    """An SVG document, which a notebook shows as a picture, scrolled where it is wide."""

    __slots__ = ()

    def _repr_svg_(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x: auto">{self!s}</div>'


class PageText(str):
    """An HTML document, which a notebook shows in a frame."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return framed(str(self))


def framed(page: str) -> str:
    """Return a page in a frame of its own: its style and script leave the notebook alone.

    Examples
    --------
    >>> framed('<p class="a">')[:45]
    '<iframe srcdoc="&lt;p class=&quot;a&quot;&gt;'
    """
    inside = escape(page, quote=True)
    return f'<iframe srcdoc="{inside}" style="width: 100%; height: 48rem; border: 0"></iframe>'

"""The frame of every page: one HTML file that asks nothing of the network."""

import json
from collections.abc import Iterable
from html import escape
from typing import Any

__all__ = ["PAPER", "html_document", "json_element"]

# Style of a page that has no more to it than what it shows.
PAPER = """:root { color-scheme: light dark; } body { margin: 1rem; background: #ffffff; }
@media screen and (prefers-color-scheme: dark) { body { background: #12161c; } }
.picture { overflow-x: auto; }
"""


def html_document(title: str, body: Iterable[str], style: str = PAPER, kind: str = "") -> str:
    """Return an HTML document.

    Parameters
    ----------
    title : str
    body : iterable of str
        Lines of HTML.
    style : str
    kind : str
        The class of the body, for the style.

    Examples
    --------
    >>> html_document("1 < 2", ["<p>so it is</p>"]).splitlines()[4]
    '<title>1 &lt; 2</title>'
    """
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>\n{style}</style></head>",
            f'<body class="{kind}">' if kind else "<body>",
            *body,
            "</body></html>",
            "",
        )
    )


def json_element(name: str, document: Any) -> str:
    """Return a document as an element that a script of the page reads.

    In a script element nothing is escaped; so that no text ends it, ``<`` is written otherwise.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("<", chr(92) + "u003c")
    return f'<script type="application/json" id="{name}">{text}\n</script>'

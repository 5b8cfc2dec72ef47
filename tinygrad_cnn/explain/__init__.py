"""The graph explains itself: what was computed, by which rule, and what came back.

``with record(): ...`` keeps figures of every value and error signal; :func:`story` prints
them, one line for each element, forward and backward. :func:`rules` lists what each element
declares of itself.

Everything that is printed or drawn renders from one document, :class:`GraphDump`:
:func:`story`, :func:`markdown`, :func:`latex`, :func:`dot`, :func:`svg`, :func:`page`; and
:func:`difference` compares two.
"""

from tinygrad_cnn.explain.derivation import Derivation, derive
from tinygrad_cnn.explain.difference import difference
from tinygrad_cnn.explain.dot import dot
from tinygrad_cnn.explain.graph_dump import GraphDump, dump
from tinygrad_cnn.explain.latex import latex
from tinygrad_cnn.explain.markdown import markdown
from tinygrad_cnn.explain.page import page
from tinygrad_cnn.explain.recording import Recording, Statistics, record
from tinygrad_cnn.explain.rules import rules
from tinygrad_cnn.explain.story import story
from tinygrad_cnn.explain.svg import svg
from tinygrad_cnn.explain.weight_matrix import draw_weight_matrix, weight_matrix
from tinygrad_cnn.explain.zoom import Zoom, zoom

__all__ = [
    "Derivation",
    "GraphDump",
    "Recording",
    "Statistics",
    "Zoom",
    "derive",
    "difference",
    "dot",
    "draw_weight_matrix",
    "dump",
    "latex",
    "markdown",
    "page",
    "record",
    "rules",
    "story",
    "svg",
    "weight_matrix",
    "zoom",
]

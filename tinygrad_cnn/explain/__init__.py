"""The graph explains itself: what was computed, by which rule, and what came back.

``with record(): ...`` keeps figures of every value and error signal; :func:`story` prints
them, one line for each element, forward and backward. :func:`rules` lists what each element
declares of itself.

Everything that is printed or drawn renders from one document, :class:`GraphDump`:
:func:`story`, :func:`markdown`, :func:`latex`, :func:`dot`, :func:`svg`, :func:`page`; and
:func:`difference` compares two.

:func:`fan_ins`, :func:`count_paths`, :func:`split_by_length` and
:func:`contribution_matrices` follow the paths by which an error signal came, and
:func:`compare_orders` shows why they are walked in topological order.
:func:`toolbox_replay` sets the lectures' reference code beside the chain rule and this library;
:func:`explain_gradcheck` says why a gradient and its differences disagree.
:func:`atlas` shows δ of every element of a network, :func:`compare_networks` of several beside
each other, :func:`follow_training` over its steps.
"""

from tinygrad_cnn.explain.atlas import (
    Atlas,
    atlas,
    compare_networks,
    follow_training,
    measure_updates,
    record_excerpts,
)
from tinygrad_cnn.explain.contributions import contribution_matrices
from tinygrad_cnn.explain.derivation import Derivation, derive
from tinygrad_cnn.explain.difference import difference
from tinygrad_cnn.explain.dot import dot
from tinygrad_cnn.explain.gradcheck_report import explain_gradcheck
from tinygrad_cnn.explain.graph_dump import GraphDump, dump
from tinygrad_cnn.explain.latex import latex
from tinygrad_cnn.explain.markdown import markdown
from tinygrad_cnn.explain.page import page
from tinygrad_cnn.explain.path_lengths import split_by_length
from tinygrad_cnn.explain.paths import count_paths, fan_ins
from tinygrad_cnn.explain.recording import Recording, Statistics, record
from tinygrad_cnn.explain.rules import rules
from tinygrad_cnn.explain.story import story
from tinygrad_cnn.explain.svg import svg
from tinygrad_cnn.explain.toolbox_replay import toolbox_replay
from tinygrad_cnn.explain.walk_orders import compare_orders
from tinygrad_cnn.explain.weight_matrix import draw_weight_matrix, weight_matrix
from tinygrad_cnn.explain.zoom import Zoom, zoom

__all__ = [
    "Atlas",
    "Derivation",
    "GraphDump",
    "Recording",
    "Statistics",
    "Zoom",
    "atlas",
    "compare_networks",
    "compare_orders",
    "contribution_matrices",
    "count_paths",
    "derive",
    "difference",
    "dot",
    "draw_weight_matrix",
    "dump",
    "explain_gradcheck",
    "fan_ins",
    "follow_training",
    "latex",
    "markdown",
    "measure_updates",
    "page",
    "record",
    "record_excerpts",
    "rules",
    "split_by_length",
    "story",
    "svg",
    "toolbox_replay",
    "weight_matrix",
    "zoom",
]

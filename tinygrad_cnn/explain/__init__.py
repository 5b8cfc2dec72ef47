"""The graph explains itself: what was computed, by which rule, and what came back.

``with record(): ...`` keeps figures of every value and error signal; :func:`story` prints
them, one line for each element, forward and backward. :func:`rules` lists what each element
declares of itself.
"""

from tinygrad_cnn.explain.derivation import Derivation, derive
from tinygrad_cnn.explain.graph_dump import GraphDump, dump
from tinygrad_cnn.explain.recording import Recording, Statistics, record
from tinygrad_cnn.explain.rules import rules
from tinygrad_cnn.explain.story import story
from tinygrad_cnn.explain.weight_matrix import draw_weight_matrix, weight_matrix
from tinygrad_cnn.explain.zoom import Zoom, zoom

__all__ = [
    "Derivation",
    "GraphDump",
    "Recording",
    "Statistics",
    "Zoom",
    "derive",
    "draw_weight_matrix",
    "dump",
    "record",
    "rules",
    "story",
    "weight_matrix",
    "zoom",
]

"""The graph explains itself: what was computed, by which rule, and what came back.

``with record(): ...`` keeps figures of every value and error signal; :func:`story` prints
them, one line for each element, forward and backward.
"""

from tinygrad_cnn.explain.recording import Recording, Statistics, record
from tinygrad_cnn.explain.story import story

__all__ = ["Recording", "Statistics", "record", "story"]

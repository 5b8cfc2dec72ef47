"""The atlas: error signals of a whole network as maps, and by depth.

:func:`atlas` shows recorded runs; :func:`compare_networks` trains the networks of a preset for some
steps and shows them side by side. What is seen: where a signal fades or grows on its way back,
which units let nothing pass, and how far a step moves each parameter.
"""

from tinygrad_cnn.explain.atlas.atlas import Atlas, atlas
from tinygrad_cnn.explain.atlas.comparison import compare_networks, follow_training
from tinygrad_cnn.explain.atlas.excerpts import record_excerpts
from tinygrad_cnn.explain.atlas.plates import Moment, Plate, Run
from tinygrad_cnn.explain.atlas.presets import PRESETS
from tinygrad_cnn.explain.atlas.updates import Update, measure_updates

__all__ = [
    "PRESETS",
    "Atlas",
    "Moment",
    "Plate",
    "Run",
    "Update",
    "atlas",
    "compare_networks",
    "follow_training",
    "measure_updates",
    "record_excerpts",
]

"""The stepper: a walk backward that pauses before any element, goes on, and goes back.

The walk is the engine's own, :class:`tinygrad_cnn.walk.Walk`, which is asked for one element at a
time; so what lands in ``.grad`` is, bit for bit, what ``backward()`` leaves. On the way, error
signals can be looked at and changed, and the walk taken back and made again.
"""

from tinygrad_cnn.explain.stepper.begin import step
from tinygrad_cnn.explain.stepper.comparison import Comparison
from tinygrad_cnn.explain.stepper.edits import Edit
from tinygrad_cnn.explain.stepper.pause import Pause
from tinygrad_cnn.explain.stepper.stepper import Stepper

__all__ = ["Comparison", "Edit", "Pause", "Stepper", "step"]

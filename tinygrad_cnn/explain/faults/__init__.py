"""Break the chain rule, and find where it is broken.

:func:`fault` switches a mistake on in the real engine; :func:`train_with_fault` shows what it does
to training; :func:`diagnose` finds it from numbers alone, and :func:`hit_rate` says how often.
"""

from tinygrad_cnn.explain.faults.catalogue import FAULTS
from tinygrad_cnn.explain.faults.diagnose import diagnose
from tinygrad_cnn.explain.faults.switch import fault, find

__all__ = ["FAULTS", "diagnose", "fault", "find"]

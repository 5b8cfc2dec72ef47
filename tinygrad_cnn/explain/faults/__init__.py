"""Break the chain rule, and find where it is broken.

:func:`fault` switches a mistake on in the real engine; :func:`train_with_fault` shows what it does
to training; :func:`diagnose` and :func:`diagnose_training` find it from numbers alone, and
:func:`hit_rate` says how often.
"""

from tinygrad_cnn.explain.faults.catalogue import FAULTS
from tinygrad_cnn.explain.faults.diagnose import diagnose
from tinygrad_cnn.explain.faults.hit_rate import hit_rate
from tinygrad_cnn.explain.faults.step_diagnosis import diagnose_training, diagnose_updates
from tinygrad_cnn.explain.faults.switch import fault
from tinygrad_cnn.explain.faults.training import train_with_fault

__all__ = [
    "FAULTS",
    "diagnose",
    "diagnose_training",
    "diagnose_updates",
    "fault",
    "hit_rate",
    "train_with_fault",
]

"""``torch.utils``: what scripts take from it is ``torch.utils.data``."""

from tinygrad_cnn.compat.namespace import Namespace
from tinygrad_cnn.compat.torch.utils import data

NAMES = Namespace(
    "torch.utils",
    nearest={
        "checkpoint": "tinygrad_cnn.checkpoint",
        "tensorboard": "the log and the curves of tinygrad-cnn train",
    },
)
__all__ = ["NAMES", "data"]
__getattr__ = NAMES.find

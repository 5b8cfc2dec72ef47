"""``torch.utils``: what scripts take from it is ``torch.utils.data``."""

from tinygrad_cnn.compat.namespace import Namespace
from tinygrad_cnn.compat.torch.utils import data

NAMES = Namespace(
    "torch.utils",
    nearest={
        "checkpoint": "tinygrad_cnn.checkpoint",
        "tensorboard": "tensorboardX, or tinygrad-cnn train --tensorboard",
    },
    otherwise="torch.utils.data",
)
__all__ = ["NAMES", "data"]
__getattr__ = NAMES.find

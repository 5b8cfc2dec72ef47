"""``torch.optim``: optimisers."""

from tinygrad_cnn.compat.namespace import Namespace
from tinygrad_cnn.compat.torch.optim import lr_scheduler

NAMES = Namespace(
    "torch.optim",
    same="tinygrad_cnn.optim",
    elsewhere={"Optimizer": "tinygrad_cnn.optim.Optimiser"},
    nearest={
        "LBFGS": "optim.Adam, optim.SGD",
        "NAdam": "optim.Adam",
        "swa_utils": "optim.EMA(model, decay), and its swapped_in()",
    },
    otherwise="optim.SGD, optim.Adam, optim.AdamW",
    keywords={"params": ("parameters",)},
    bases=("Optimiser", "Optimizer"),
)
__all__ = ["NAMES", "lr_scheduler"]
__getattr__ = NAMES.find


def __dir__() -> list[str]:
    return sorted({*NAMES.names(), *__all__[1:]})

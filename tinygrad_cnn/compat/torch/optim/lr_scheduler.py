"""``torch.optim.lr_scheduler``: learning rates that change as training goes on."""

from tinygrad_cnn.compat.namespace import Namespace

NAMES = Namespace(
    "torch.optim.lr_scheduler",
    same="tinygrad_cnn.optim.lr_scheduler",
    nearest={
        "CyclicLR": "OneCycleLR, CosineAnnealingWarmRestarts",
        "MultiplicativeLR": "LambdaLR, whose function returns the product",
    },
    otherwise="LambdaLR(optimizer, function)",
    keywords={"optimizer": ("optimiser",)},
    bases=("LRScheduler",),
)
__getattr__ = NAMES.find

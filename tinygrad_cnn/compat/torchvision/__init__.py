"""``torchvision``: published data sets, and what is done to pictures before training."""

from tinygrad_cnn.compat.namespace import Namespace
from tinygrad_cnn.compat.torchvision import datasets, transforms

NAMES = Namespace(
    "torchvision",
    nearest={
        "io": "PIL.Image.open(path), and transforms.ToTensor()",
        "models": "tinygrad_cnn.models.build(name), tinygrad_cnn.models.read_weights(path)",
        "utils": "matplotlib, whose imshow takes x.permute(1, 2, 0)",
    },
    otherwise="torchvision.datasets, torchvision.transforms",
)
__all__ = ["NAMES", "datasets", "transforms"]
__getattr__ = NAMES.find

"""``torchvision.transforms``: pictures on their way to tensors."""

from tinygrad_cnn.compat.namespace import Namespace

_IN_BATCHES = "the transforms of tinygrad_cnn.data, which draw for whole batches"
NAMES = Namespace(
    "torchvision.transforms",
    elsewhere={
        name: f"tinygrad_cnn.compat.picture_transforms.{name}"
        for name in "CenterCrop Compose Grayscale Lambda Normalize Resize ToPILImage ToTensor".split()
    },
    nearest=dict.fromkeys(
        (
            "AutoAugment",
            "ColorJitter",
            "RandAugment",
            "RandomAffine",
            "RandomCrop",
            "RandomErasing",
            "RandomHorizontalFlip",
            "RandomResizedCrop",
            "RandomRotation",
        ),
        _IN_BATCHES,
    ),
)
__getattr__ = NAMES.find

"""``torchvision.transforms``: pictures on their way to tensors."""

from tinygrad_cnn.compat.namespace import Namespace, under

_IN_BATCHES = "tinygrad_cnn.data.RandomCrop and its kin, for the transform= of its DataLoader"
NAMES = Namespace(
    "torchvision.transforms",
    elsewhere={
        **under(
            "tinygrad_cnn.compat.picture_transforms",
            "CenterCrop Compose Grayscale Lambda Normalize Resize ToPILImage ToTensor",
        ),
        **under("tinygrad_cnn.compat.random_transforms", "RandomCrop RandomHorizontalFlip"),
    },
    nearest={
        **dict.fromkeys(
            (
                "AutoAugment",
                "ColorJitter",
                "RandAugment",
                "RandomAffine",
                "RandomErasing",
                "RandomResizedCrop",
                "RandomRotation",
            ),
            _IN_BATCHES,
        ),
        "functional": "methods of a picture, which is one of Pillow's",
        "v2": "torchvision.transforms itself",
    },
    otherwise="transforms.Lambda(function)",
)
__getattr__ = NAMES.find

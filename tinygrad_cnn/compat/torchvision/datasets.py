"""``torchvision.datasets``: published data sets, and folders of pictures."""

from tinygrad_cnn.compat.namespace import Namespace

NAMES = Namespace(
    "torchvision.datasets",
    elsewhere={
        name: f"tinygrad_cnn.compat.pictures.{name}"
        for name in ("FashionMNIST", "ImageFolder", "MNIST")
    },
    nearest={
        "FakeData": "torch.utils.data.TensorDataset(torch.rand(sizes), labels)",
        "ImageNet": "datasets.ImageFolder",
    },
)
__getattr__ = NAMES.find

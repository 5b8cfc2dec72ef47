"""``torchvision.datasets``: published data sets, and folders of pictures."""

from tinygrad_cnn.compat.namespace import Namespace, under

NAMES = Namespace(
    "torchvision.datasets",
    elsewhere={
        **under(
            "tinygrad_cnn.compat.pictures", "CIFAR10 CIFAR100 EMNIST FashionMNIST KMNIST MNIST"
        ),
        "ImageFolder": "tinygrad_cnn.compat.picture_folder.ImageFolder",
    },
    nearest={
        "FakeData": "torch.utils.data.TensorDataset(torch.rand(sizes), labels)",
        "ImageNet": "datasets.ImageFolder",
    },
    otherwise="datasets.ImageFolder, or a torch.utils.data.Dataset of your own",
)
__getattr__ = NAMES.find

"""Networks, one file per paper, built by name."""

from tinygrad_cnn.models import (
    alexnet,
    all_cnn,
    cifar_resnet,
    densenet,
    dlt,
    googlenet,
    googlenet_torchvision,
    inception,
    lab11,
    lenet,
    nin,
    resnet,
    senet,
    vgg,
    xception,
    zfnet,
)
from tinygrad_cnn.models.lenet import LeNet5, LeNet5Original
from tinygrad_cnn.models.registry import Network, build, build_twin, find, names
from tinygrad_cnn.models.weights import read_weights

__all__ = [
    "LeNet5",
    "LeNet5Original",
    "Network",
    "alexnet",
    "all_cnn",
    "build",
    "build_twin",
    "cifar_resnet",
    "densenet",
    "dlt",
    "find",
    "googlenet",
    "googlenet_torchvision",
    "inception",
    "lab11",
    "lenet",
    "names",
    "nin",
    "read_weights",
    "resnet",
    "senet",
    "vgg",
    "xception",
    "zfnet",
]

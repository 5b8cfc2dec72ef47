"""Networks, one file per paper, built by name."""

from tinygrad_cnn.models.lenet import LeNet5, LeNet5Original
from tinygrad_cnn.models.registry import Network, build, build_twin, find, names

__all__ = ["LeNet5", "LeNet5Original", "Network", "build", "build_twin", "find", "names"]

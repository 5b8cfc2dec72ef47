"""The measured networks once more, in plain PyTorch; their states have the same names as ours.

Written as torchvision writes networks, rectifiers in place: PyTorch shall be at its best.
PyTorch is imported when one of them is built.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from tinygrad_cnn.lab.machine import pytorch
from tinygrad_cnn.lab.trained_networks import CLASSES, LEARNING_RATE, MOMENTUM, Array


def build_in_pytorch(network: str) -> Any:
    """Return the torch.nn.Module of a subject."""
    return _BUILDERS[network](pytorch().nn)


class PyTorchTrainee:
    """What :class:`~tinygrad_cnn.lab.trained_networks.Trainee` is, in PyTorch."""

    def __init__(self, model: Any, images: Array, labels: Array, channels_last: bool) -> None:
        self._torch = torch = pytorch()
        form = torch.channels_last if channels_last else torch.contiguous_format
        self.model = model.to(memory_format=form)
        self.images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=form)
        self.labels = torch.from_numpy(labels)
        parameters = model.parameters()
        self.optimiser = torch.optim.SGD(parameters, lr=LEARNING_RATE, momentum=MOMENTUM)

    def loss_and_gradients(self) -> Any:
        """Run the network forward and backward; return the loss."""
        self.optimiser.zero_grad()
        loss = self._torch.nn.functional.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        return loss

    def train(self) -> None:
        """Make one step of training."""
        self.loss_and_gradients()
        self.optimiser.step()

    def infer(self) -> Any:
        """Run the network without a graph; in the mode it is in."""
        with self._torch.no_grad():
            return self.model(self.images)


def _named(nn: Any, **layers: Any) -> Any:
    return nn.Sequential(OrderedDict(layers))


def _lenet5(nn: Any) -> Any:
    return _named(
        nn,
        C1=nn.Conv2d(1, 6, 5), squash1=nn.Sigmoid(), S2=nn.AvgPool2d(2),
        C3=nn.Conv2d(6, 16, 5), squash3=nn.Sigmoid(), S4=nn.AvgPool2d(2),
        flatten=nn.Flatten(),
        C5=nn.Linear(400, 120), squash5=nn.Sigmoid(),
        F6=nn.Linear(120, 84), squash6=nn.Sigmoid(),
        output=nn.Linear(84, CLASSES),
    )  # fmt: skip


def _lab11_cnn2(nn: Any) -> Any:
    return _named(
        nn,
        conv1=nn.Conv2d(1, 32, 3, padding=1), relu1=nn.ReLU(True), pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(32, 64, 3, padding=1), relu2=nn.ReLU(True), pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(), fc=nn.Linear(7 * 7 * 64, CLASSES),
    )  # fmt: skip


def _allcnn_c(nn: Any) -> Any:
    #        channels, kernel, stride, padding; Springenberg et al. 2015, table 1 and section 2
    plan = ((96, 3, 1, 1), (96, 3, 1, 1), (96, 3, 2, 1), (192, 3, 1, 1), (192, 3, 1, 1),
            (192, 3, 2, 1), (192, 3, 1, 0), (192, 1, 1, 0), (CLASSES, 1, 1, 0))  # fmt: skip
    layers: dict[str, Any] = {"dropout0": nn.Dropout(0.2)}
    before = 3
    for number, (channels, kernel, stride, padding) in enumerate(plan, start=1):
        layers[f"conv{number}"] = nn.Conv2d(before, channels, kernel, stride, padding)
        layers[f"relu{number}"] = nn.ReLU(True)
        if stride == 2:
            layers[f"dropout{number // 3}"] = nn.Dropout(0.5)
        before = channels
    return _named(nn, **layers, average=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten())


def _vgg11_on_cifar(nn: Any) -> Any:
    layers, before = [], 3
    for block in ((64,), (128,), (256, 256), (512, 512), (512, 512)):
        for channels in block:
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(True)]
            before = channels
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, CLASSES))


def _resnet20(nn: Any) -> Any:
    functional = pytorch().nn.functional

    class Block(nn.Module):  # type: ignore[misc]  # what PyTorch is, is not known here
        """Two convolutions, and beside them the input: every other pixel, zeros around."""

        def __init__(self, before: int, channels: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(channels)
            self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(channels)
            self.relu = nn.ReLU(True)
            self.stride, self.zeros = stride, (channels - before) // 2

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            if self.zeros:
                maps = (0, 0, 0, 0, self.zeros, self.zeros)
                x = functional.pad(x[:, :, :: self.stride, :: self.stride], maps)
            return self.relu(y + x)

    stages, before = {}, 16
    for number, channels in enumerate((16, 32, 64), start=1):
        blocks = [Block(before, channels, 1 if channels == before else 2)]
        blocks += [Block(channels, channels, 1) for _ in range(2)]
        stages[f"layer{number}"] = nn.Sequential(*blocks)
        before = channels
    return _named(
        nn,
        conv1=nn.Conv2d(3, 16, 3, padding=1, bias=False), bn1=nn.BatchNorm2d(16),
        relu=nn.ReLU(True), **stages,
        avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), linear=nn.Linear(64, CLASSES),
    )  # fmt: skip


_BUILDERS: dict[str, Callable[[Any], Any]] = {
    "lenet5": _lenet5,
    "lab11_cnn2": _lab11_cnn2,
    "resnet20": _resnet20,
    "allcnn_c": _allcnn_c,
    "vgg11 on CIFAR": _vgg11_on_cifar,
}
IN_PYTORCH = tuple(name for name in _BUILDERS if " " not in name)  # that `models` builds too

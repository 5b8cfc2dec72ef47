"""The networks whose whole training steps are measured, and one such step."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import functional as F
from tinygrad_cnn import models, nn
from tinygrad_cnn.errors import unknown_name
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.models.initial_weights import draw_filters
from tinygrad_cnn.optim import SGD
from tinygrad_cnn.tensor import Tensor

Array = npt.NDArray[Any]

CLASSES = 10
LEARNING_RATE, MOMENTUM = 1e-3, 0.9


class TrainSubject(NamedTuple):
    """A network, the number of images in its batch, and (C, H, W) of these."""

    network: str
    batch: int
    image: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.network}, batch {self.batch}"


TRAIN_SUBJECTS = (
    TrainSubject("lenet5", 1, (1, 32, 32)),
    TrainSubject("lenet5", 64, (1, 32, 32)),
    TrainSubject("lab11_cnn2", 100, (1, 28, 28)),
    TrainSubject("resnet20", 128, (3, 32, 32)),
    TrainSubject("allcnn_c", 128, (3, 32, 32)),
    TrainSubject("vgg11 on CIFAR", 64, (3, 32, 32)),
)


def train_subjects(names: Sequence[str] = ()) -> tuple[TrainSubject, ...]:
    """Return the subjects of some networks, all of them by default; "vgg11" is enough.

    Raises
    ------
    UnknownNameError
        If none is of a network of that name.

    Examples
    --------
    >>> [subject.batch for subject in train_subjects(["lenet5"])]
    [1, 64]
    """
    known = {subject.network.split()[0] for subject in TRAIN_SUBJECTS}
    for name in names:
        if name.split()[0] not in known:
            raise unknown_name("bench", name, sorted(known))
    wanted = {name.split()[0] for name in names} or known
    return tuple(s for s in TRAIN_SUBJECTS if s.network.split()[0] in wanted)


def build(network: str) -> nn.Module:
    """Build our network of a subject.

    Examples
    --------
    >>> build("vgg11 on CIFAR").count_parameters()
    9225610
    """
    if network != "vgg11 on CIFAR":
        return models.build(network, CLASSES)
    plan: Any = models.build("vgg11", allocate=False)
    layers = []
    for _, layer in plan.features.named_children():
        if isinstance(layer, nn.Conv2d):
            filters, channels, kernel, _ = layer.weight.shape
            layers.append(nn.Conv2d(channels, filters, kernel, padding=kernel // 2))
        else:
            layers.append(layer)
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, CLASSES))
    draw_filters(model)
    return model


def fused(model: nn.Module) -> nn.Module | None:
    """Return the model with fused elements, once there is ``nn.fuse``."""
    fuse: Callable[[nn.Module], nn.Module | None] | None = getattr(nn, "fuse", None)
    if fuse is None:
        return None
    result = fuse(model)
    return model if result is None else result


def draw_batch(subject: TrainSubject) -> tuple[Array, Array]:
    """Draw images (N, H, W, C), as they lie in memory, and labels."""
    channels, height, width = subject.image
    shape = (subject.batch, height, width, channels)
    images = np.random.default_rng(0).standard_normal(shape, np.float32)
    return images, np.arange(subject.batch) % CLASSES


class Trainee:
    """Our network with its optimiser and one batch that is trained on again and again.

    The images are channels-last in memory, as PyTorch's are where it works in that layout.
    """

    def __init__(self, model: nn.Module, images: Array, labels: Array) -> None:
        self.model, self.labels = model, labels
        self.images = Tensor(images.transpose(0, 3, 1, 2))
        self.optimiser = SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)

    def loss_and_gradients(self) -> Any:
        """Run the network forward and backward; return the loss."""
        self.optimiser.zero_grad()
        loss = F.cross_entropy(self.model(self.images), self.labels)
        loss.backward()
        return loss

    def train(self) -> None:
        """Make one step of training."""
        self.loss_and_gradients()
        self.optimiser.step()

    def infer(self) -> Any:
        """Run the network without a graph; in the mode it is in."""
        with no_grad():
            return self.model(self.images)

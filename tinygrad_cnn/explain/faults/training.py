"""The same small network trained twice from the same seed: rightly, and with a fault.

What one sees is the lesson. Some faults stop learning at once; many do not: stochastic gradient
descent only needs a direction that is right on average, so a network with a wrong chain rule often
learns, a little worse, and nothing in the curve says why. That is what gradient checks are for.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.data.digits import load_digits
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.faults.comparison import Curve, FaultComparison
from tinygrad_cnn.explain.faults.fault import Fault
from tinygrad_cnn.explain.faults.seeded import seeded
from tinygrad_cnn.explain.faults.switch import fault, find
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.optim import SGD
from tinygrad_cnn.tensor import Tensor

__all__ = ["SmallNet", "train_with_fault"]

BATCH = 32
OPTIONS: dict[str, Any] = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}
PIXEL = 16.0  # the largest value of a pixel


class SmallNet(nn.Module):
    """A network for 8x8 digits that has every element a fault touches: 4,258 parameters.

    Notes
    -----
    Convolution, batch normalisation, ReLU, maximum pooling; a residual block with tanh; a
    convolution with stride 2, ReLU, average pooling; dropout; a sigmoid layer of 32 units; 10
    scores.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.conv3 = nn.Conv2d(8, 16, 3, stride=2, padding=2)
        self.fc1 = nn.Linear(64, 32)
        self.fc2 = nn.Linear(32, 10)
        self.dropout = nn.Dropout(0.1)
        nn.init.xavier_uniform_(self.fc1.weight, gain=4.0)

    def forward(self, x: Tensor) -> Any:
        """Map images (N, 1, 8, 8) to scores (N, 10)."""
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)
        x = x + F.tanh(self.conv2(x))
        x = F.relu(self.conv3(x))
        x = F.avg_pool2d(x, 2, stride=1).reshape(x.shape[0], -1)
        x = F.sigmoid(self.fc1(self.dropout(x)))
        return self.fc2(x)


def train_with_fault(
    name: str,
    epochs: int = 5,
    seed: int = 0,
    on_epoch: Callable[[], None] | None = None,
) -> FaultComparison:
    """Train a small network on the embedded digits, with a fault and without.

    Parameters
    ----------
    name : str
        One of ``explain.FAULTS``.
    epochs : int
        Times that the 1,438 images are seen.
    seed : int
        Of the weights, the order of the images and the dropout, the same in both runs.
    on_epoch : callable, optional
        Called after each epoch of either run.

    Returns
    -------
    FaultComparison
        Both curves; ``print`` draws them in text, a notebook as a picture, and ``page()`` is an
        HTML file.

    Raises
    ------
    UnknownNameError
        If there is no fault of that name.
    OptionError
        If there is no epoch, or a fault is switched on already.

    Notes
    -----
    SGD with a rate of 0.1, momentum 0.9 and weight decay 5e-4, batches of 32. The loss is cross
    entropy, but where the fault is softmax's: there it is half the squared distance of the
    probabilities from the one-hot targets.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> told = tg.explain.train_with_fault("loss_sign_turned", epochs=1)
    >>> told.right.accuracies[-1] > 0.5 > 0.2 > told.wrong.accuracies[-1]
    True
    """
    chosen = find(name, "train_with_fault")
    if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 1:
        raise OptionError(f"train_with_fault: epochs is a whole number from 1 up; got {epochs!r}")
    if not isinstance(seed, int) or seed < 0:
        raise OptionError(f"train_with_fault: seed is a whole number from 0 up; got {seed!r}")
    with fault(name), seeded(seed):
        wrong = _trained(chosen, epochs, seed, on_epoch)
    with seeded(seed):
        right = _trained(chosen, epochs, seed, on_epoch)
    return FaultComparison(chosen, right, wrong)


def _loss(touched: Fault, scores: Tensor, labels: Any) -> Any:
    if "softmax" in touched.touches:
        targets = np.eye(10, dtype=np.float32)[labels]
        return F.squared_error(F.softmax(scores), targets, "mean")
    return F.cross_entropy(scores, labels)


def _trained(touched: Fault, epochs: int, seed: int, on_epoch: Callable[[], None] | None) -> Curve:
    network = SmallNet()
    optimiser = SGD(network.parameters(), **OPTIONS)
    split = load_digits()
    order = np.random.default_rng(seed)
    losses: list[float] = []
    accuracies = [_accuracy(network, split.test)]
    with np.errstate(all="ignore"):
        for _ in range(epochs):
            for images, labels in _batches(split.train, order):
                if losses and not np.isfinite(losses[-1]):
                    break
                optimiser.zero_grad()
                loss = _loss(touched, network(images), labels)
                loss.backward()
                optimiser.step()
                losses.append(loss.item())
            accuracies.append(_accuracy(network, split.test))
            if on_epoch is not None:
                on_epoch()
    return Curve(tuple(losses), tuple(accuracies))


def _batches(data: Any, order: np.random.Generator) -> Iterator[tuple[Tensor, Any]]:
    drawn = order.permutation(len(data.labels))
    for first in range(0, len(drawn) - BATCH + 1, BATCH):
        chosen = drawn[first : first + BATCH]
        yield _tensor(data.images[chosen]), data.labels[chosen]


def _tensor(images: Any) -> Tensor:
    return Tensor(images.astype(np.float32) / np.float32(PIXEL))


def _accuracy(network: nn.Module, data: Any) -> float:
    network.eval()
    with no_grad(), np.errstate(all="ignore"):
        scores = network(_tensor(data.images)).numpy()
    network.train()
    return float((scores.argmax(1) == data.labels).mean())

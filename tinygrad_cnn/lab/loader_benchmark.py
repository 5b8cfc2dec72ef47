"""How fast batches are made, and what it costs a training step that they are made beside it.

ResNet-20 is fed with CIFAR-10 as it is trained with: batches of 128 images of 3x32x32 bytes, each
cut out of itself with a border of four pixels, half of them mirrored, and normalised by channel.
LeNet-5 eats more images a second than any other network that has a recipe; it gets shifted digits,
as in its recipe, and then elastic distortions, the slowest transform there is. Pixels are drawn,
since it takes the same time whatever they show. Each network is trained on one batch that lies
ready, and on what the loader delivers: the difference is what the loader costs.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_cnn.data import (
    ArrayDataset,
    Compose,
    DataLoader,
    ElasticDistortion,
    Normalise,
    RandomCrop,
    RandomFlip,
)
from tinygrad_cnn.lab.rows import Row
from tinygrad_cnn.lab.timing import Effort, take_turns
from tinygrad_cnn.lab.trained_networks import CLASSES, Trainee, build
from tinygrad_cnn.tensor import Tensor

EPOCH, TRAINING = "an epoch of batches", "a training step"
READY = "on a batch that lies ready"
EXAMPLES = 50_000
WORKERS = (0, 1, 2)


class Feed(NamedTuple):
    """A network, and what it is fed with."""

    network: str
    image: tuple[int, int, int]
    batch: int
    name: str
    transform: Compose

    def __str__(self) -> str:
        return f"{self.network}, batch {self.batch}, {self.name}"

    def loader(self, dataset: ArrayDataset, workers: int) -> DataLoader:
        """Return what makes its batches."""
        return DataLoader(
            dataset, self.batch, shuffle=True, drop_last=True, num_workers=workers,
            transform=self.transform, generator=np.random.default_rng(0), seed=0,
        )  # fmt: skip


_MEAN, _DEVIATION = 127.5, 73.9  # of bytes that are equally likely
FEEDS = (
    Feed(
        "resnet20",
        (3, 32, 32),
        128,
        "crops and mirror images",
        Compose([RandomCrop(padding=4), RandomFlip(), Normalise([_MEAN] * 3, [_DEVIATION] * 3)]),
    ),
    Feed(
        "lenet5",
        (1, 32, 32),
        64,
        "shifts",
        Compose([RandomCrop(padding=1, repeat=True), Normalise([_MEAN], [_DEVIATION])]),
    ),
    Feed(
        "lenet5",
        (1, 32, 32),
        64,
        "elastic distortions",
        Compose([ElasticDistortion(), Normalise([_MEAN], [_DEVIATION])]),
    ),
)


def benchmark_loader(
    *,
    effort: Effort | None = None,
    examples: int = EXAMPLES,
    progress: Callable[[str, int, int], None] = lambda text, done, total: None,
) -> list[Row]:
    """Measure epochs of the loader alone, and training steps with it and without.

    Parameters
    ----------
    effort : Effort, optional
        How long to measure.
    examples : int
        In a data set, a batch at the least.
    progress : callable
        ``progress(text, done, total)`` is told what is measured next.

    Returns
    -------
    list of Row
        With ``images_per_second``; those of training with ``lost``, the share by which the
        step is longer than on a batch that lies ready.

    Raises
    ------
    OptionError
        If there is less than one repeat.
    """
    effort = effort or Effort(2.0)
    rows: list[Row] = []
    for done, feed in enumerate(FEEDS):
        progress(f"{EPOCH}, {feed}", 2 * done, 2 * len(FEEDS))
        images = np.random.default_rng(0).integers(0, 256, (examples, *feed.image), np.uint8)
        dataset = ArrayDataset(images, np.arange(examples) % CLASSES)
        loaders = {_with(workers): feed.loader(dataset, workers) for workers in WORKERS}
        rows += _epochs(feed, loaders, effort)
        progress(f"{TRAINING}, {feed}", 2 * done + 1, 2 * len(FEEDS))
        rows += _steps(feed, loaders, effort)
    return rows


def _epochs(feed: Feed, loaders: dict[str, DataLoader], effort: Effort) -> Iterator[Row]:
    """Measure the loader alone."""
    epochs = take_turns({who: _epoch(loader) for who, loader in loaders.items()}, effort)
    examples = len(loaders[_with(0)].dataset)
    shape = "x".join(map(str, feed.image))
    subject = f"{examples:,} images of {shape}, batch {feed.batch}, {feed.name}"
    for who, timing in epochs.items():
        facts = {"images_per_second": len(loaders[who]) * feed.batch / timing.seconds}
        yield Row("loader", subject, EPOCH, who, *timing, facts)


def _steps(feed: Feed, loaders: dict[str, DataLoader], effort: Effort) -> Iterator[Row]:
    """Measure training beside it."""
    first = next(iter(loaders[_with(0)]))
    nothing = np.zeros((1, 1, 1, 1), np.float32), np.zeros(1, np.int64)
    trainee = Trainee(build(feed.network), *nothing)
    contestants = {READY: _step(trainee, iter(lambda: first, None))}
    for who, loader in loaders.items():
        contestants[who] = _step(trainee, _endless(loader))
    for step in contestants.values():
        step()
    steps = take_turns(contestants, effort)
    for who, timing in steps.items():
        facts = {
            "images_per_second": feed.batch / timing.seconds,
            "lost": timing.seconds / steps[READY].seconds - 1.0,
        }
        yield Row("loader", str(feed), TRAINING, who, *timing, facts)


def _with(workers: int) -> str:
    return f"{workers} worker thread{'' if workers == 1 else 's'}"


def _epoch(loader: DataLoader) -> Callable[[], None]:
    def run() -> None:
        for _ in loader:
            pass

    run()  # compiles what has not run yet
    return run


def _endless(loader: DataLoader) -> Iterator[Any]:
    while True:
        yield from loader


def _step(trainee: Trainee, batches: Iterator[Any]) -> Callable[[], None]:
    def run() -> None:
        images, trainee.labels = next(batches)
        trainee.images = Tensor(images)
        trainee.train()

    return run

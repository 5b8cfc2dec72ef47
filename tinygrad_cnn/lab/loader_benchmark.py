"""How fast batches are made, and what it costs a training step that they are made beside it.

Batches are those of CIFAR-10 as it is trained with: 128 images of 3x32x32 bytes, each cut out
of itself with a border of four pixels, half of them mirrored, and normalised by channel. Their
pixels are drawn, since it takes the same time whatever they show. The network is ResNet-20; it
is trained on one batch that lies ready, and on what the loader delivers.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_cnn.data import (
    ArrayDataset,
    Compose,
    DataLoader,
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
EXAMPLES, BATCH = 50_000, 128
WORKERS = (0, 1, 2)


def benchmark_loader(
    *,
    effort: Effort | None = None,
    examples: int = EXAMPLES,
    network: str = "resnet20",
    progress: Callable[[str, int, int], None] = lambda text, done, total: None,
) -> list[Row]:
    """Measure epochs of the loader alone, and training steps with it and without.

    Parameters
    ----------
    effort : Effort, optional
        How long to measure.
    examples : int
        In the data set, a batch at the least.
    network : str
        What is trained; it takes images of 3x32x32.
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
    images = np.random.default_rng(0).integers(0, 256, (examples, 3, 32, 32), np.uint8)
    dataset = ArrayDataset(images, np.arange(examples) % CLASSES)
    loaders = {_with(workers): _loader(dataset, workers) for workers in WORKERS}
    progress(f"{EPOCH}, {examples:,} images", 0, 2)
    epochs = take_turns({who: _epoch(loader) for who, loader in loaders.items()}, effort)
    subject = f"CIFAR-10's shape, {examples:,} images, batch {BATCH}"
    rows = []
    for who, timing in epochs.items():
        facts = {"images_per_second": len(loaders[who]) * BATCH / timing.seconds}
        rows.append(Row("loader", subject, EPOCH, who, *timing, facts))

    progress(f"{TRAINING}, {network}", 1, 2)
    first = next(iter(loaders[_with(0)]))
    trainee = Trainee(build(network), np.zeros((1, 1, 1, 1), np.float32), np.zeros(1, np.int64))
    contestants = {READY: _step(trainee, iter(lambda: first, None))}
    for who, loader in loaders.items():
        contestants[who] = _step(trainee, _endless(loader))
    for step in contestants.values():
        step()
    steps = take_turns(contestants, effort)
    for who, timing in steps.items():
        facts = {
            "images_per_second": BATCH / timing.seconds,
            "lost": timing.seconds / steps[READY].seconds - 1.0,
        }
        rows.append(Row("loader", f"{network}, batch {BATCH}", TRAINING, who, *timing, facts))
    return rows


def _with(workers: int) -> str:
    return f"{workers} worker thread{'' if workers == 1 else 's'}"


def _loader(dataset: ArrayDataset, workers: int) -> DataLoader:
    normalise = Normalise([127.5] * 3, [73.9] * 3)  # of bytes that are equally likely
    transform = Compose([RandomCrop(padding=4), RandomFlip(), normalise])
    generator = np.random.default_rng(0)
    return DataLoader(
        dataset, BATCH, shuffle=True, drop_last=True, num_workers=workers, transform=transform,
        generator=generator, seed=0,
    )  # fmt: skip


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

"""Networks followed through some steps of training, and the presets made of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn import data, models, optim, random
from tinygrad_cnn.elements.requirements import is_integer
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.atlas.atlas import Atlas, assemble
from tinygrad_cnn.explain.atlas.excerpts import Selection, record_excerpts
from tinygrad_cnn.explain.atlas.plates import Run, moment_of
from tinygrad_cnn.explain.atlas.presets import Preset, Side, preset, without_normalisation
from tinygrad_cnn.explain.atlas.updates import measure_updates
from tinygrad_cnn.functional import cross_entropy
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor

__all__ = ["compare_networks", "follow_training", "moments_up_to"]

Array = npt.NDArray[Any]
Progress = Callable[[str, int, int], None]
Loss = Callable[[Any, Any], Any]
MOMENTUM = 0.9


def follow_training(
    network: Module,
    optimiser: optim.Optimiser,
    batches: Iterable[tuple[Array, Array]],
    seen: tuple[Array, Array],
    moments: Sequence[int] = (0,),
    *,
    loss: Loss = cross_entropy,
    title: str = "network",
    image: int = 0,
    channels: int | Sequence[int] = 3,
    progress: Callable[[int], None] = lambda done: None,
) -> Run:
    """Train a network and look at its error signals at some moments.

    At each moment the same images are sent through, and the next step of training is measured.

    Parameters
    ----------
    network : Module
    optimiser : Optimiser
    batches : iterable of (images, labels)
        What it is trained on; from the beginning again where there are fewer than steps.
    seen : (images, labels)
        What error signals are looked at with, at each moment.
    moments : sequence of int
        Steps after which to look, from 0.
    loss : callable
        ``loss(outputs, labels)``.
    title : str
    image, channels
        As in :func:`atlas`.
    progress : callable
        Called with the number of steps that are done.

    Returns
    -------
    Run

    Raises
    ------
    OptionError
        If moments are no rising whole numbers from 0, there are no batches, or image and channels
        are none of the network's.
    """
    wanted = list(moments)
    if not wanted or not all(is_integer(m, 0) for m in wanted) or wanted != sorted(set(wanted)):
        raise OptionError(f"atlas: moments are rising numbers of steps, from 0; got {moments!r}")
    if not is_integer(image, 0) or image >= len(seen[0]):
        raise OptionError(f"atlas: images of this batch are 0 to {len(seen[0]) - 1}; got {image!r}")
    stream = _again_and_again(batches)
    found = []
    for step in range(wanted[-1] + 1):
        looked = None
        if step in wanted:
            network.zero_grad()
            with record_excerpts(image, channels):
                looked = loss(network(Tensor(seen[0])), seen[1])
                looked.backward()
        images, labels = next(stream)
        network.zero_grad()
        loss(network(Tensor(images)), labels).backward()
        if looked is None:
            optimiser.step()
        else:
            updates = measure_updates(network.named_parameters(), optimiser.step)
            selection = Selection.of(image, channels)
            found.append(moment_of(looked, selection, step, updates=updates))
        progress(step + 1)
    network.zero_grad()
    return Run(title, tuple(found))


def compare_networks(
    name: str,
    *,
    steps: int | None = None,
    full: bool = False,
    batch_size: int = 16,
    image: int = 0,
    channels: int | Sequence[int] = 3,
    seed: int = 0,
    data_name: str = "digits",
    data_dir: Any = None,
    progress: Progress = lambda text, done, total: None,
) -> Atlas:
    """Train the networks of a preset for some steps and show their error signals side by side.

    Parameters
    ----------
    name : str
        ``lenet5-sigmoid-relu``, ``plain34-resnet34``, ``plain56-resnet56``, ``batch-norm`` or
        ``se-gates``.
    steps : int, optional
        Of training; by default those of the preset, at full size none. Looked at are the first
        moment, the last, and two between.
    full : bool
        Networks as wide as published, and images as large.
    batch_size : int, in images
        Of training, and of the test images that δ is looked at with.
    image, channels
        As in :func:`atlas`.
    seed : int
        Of weights and batches; all networks get the same.
    data_name, data_dir
        As in :func:`tinygrad_cnn.data.load`.
    progress : callable
        Called as ``progress(text, done, total)`` with steps.

    Returns
    -------
    Atlas

    Raises
    ------
    UnknownNameError
        If there is no such preset, or no such data.
    OptionError
        If a number makes no sense, or image and channels are none of the networks'.

    Examples
    --------
    >>> found = compare_networks("lenet5-sigmoid-relu", steps=0, batch_size=2)
    >>> [run.title for run in found.runs]
    ['sigmoid', 'ReLU']
    """
    chosen = preset(name)
    selection = Selection.of(image, channels)
    for what, number, least in (
        ("steps", steps, 0), ("batch_size", batch_size, 1), ("seed", seed, 0),
    ):  # fmt: skip
        if number is not None and not is_integer(number, least):
            raise OptionError(f"atlas: {what} is a whole number from {least} up; got {number!r}")
    last = (0 if full else chosen.steps) if steps is None else steps
    total = len(chosen.sides) * (last + 1)
    runs = []
    for place, side in enumerate(chosen.sides):
        row = models.find(side.model)
        size = row.input_shape[1] if full else chosen.image_size
        progress(f"{side.title}: images of {size}x{size} pixels", place * (last + 1), total)
        train, test = data.load(data_name, data_dir, image_size=size)
        random.manual_seed(seed)
        network = _built(side, full)
        rate = chosen.lr
        optimiser = optim.SGD(network.parameters(), lr=rate, momentum=MOMENTUM)
        colours = row.input_shape[0]
        loader = data.DataLoader(train, min(batch_size, len(train)), shuffle=True)
        batches = _Coloured(loader, colours)
        seen = _in_colours(test.images[:batch_size], colours), test.labels[:batch_size]

        def advance(done: int, place: int = place, title: str = side.title) -> None:
            text = f"{title}: step {done - 1} of {last}"
            progress(text, place * (last + 1) + done, total)

        runs.append(
            follow_training(
                network, optimiser, batches, seen, moments_up_to(last), loss=row.loss,
                title=side.title, image=image, channels=channels, progress=advance,
            )
        )  # fmt: skip
    return assemble(runs, chosen.title, _remark(chosen, full, last, data_name), selection)


def moments_up_to(last: int) -> tuple[int, ...]:
    """Return the first step, the last, and two between: early steps change most.

    Examples
    --------
    >>> moments_up_to(100), moments_up_to(2), moments_up_to(0)
    ((0, 10, 33, 100), (0, 1, 2), (0,))
    """
    return tuple(sorted({0, -(-last // 10), last // 3, last}))


class _Coloured:
    """Batches whose images have so many channels."""

    def __init__(self, batches: Iterable[tuple[Array, Array]], channels: int) -> None:
        self.batches, self.channels = batches, channels

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        for images, labels in self.batches:
            yield _in_colours(images, self.channels), labels


def _in_colours(images: Array, channels: int) -> Array:
    """Repeat grey images in all channels; of coloured ones for a grey network take the mean."""
    if images.shape[1] == channels:
        return images
    grey = images.mean(1, keepdims=True, dtype=np.float32)
    return np.repeat(grey, channels, axis=1)


def _again_and_again(batches: Iterable[tuple[Array, Array]]) -> Iterator[tuple[Array, Array]]:
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise OptionError("atlas: training takes batches of images and labels; got none")


def _built(side: Side, full: bool) -> Module:
    row = models.find(side.model)
    options = {**side.options, **({} if full else side.narrow)}
    classes = options.pop("num_classes", None)
    network = row.build(classes, **options)
    return network if side.normalised else without_normalisation(network)


def _remark(chosen: Preset, full: bool, last: int, data_name: str) -> str:
    narrow = any(side.narrow for side in chosen.sides) and not full
    size = "Narrow networks of full depth" if narrow else "Networks as published"
    trained = f"{last} steps of SGD, learning rate {chosen.lr:g}, momentum {MOMENTUM:g}"
    return f"{chosen.remark} {size}, {data_name}; {trained if last else 'not trained'}."

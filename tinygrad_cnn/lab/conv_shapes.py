"""The convolutions that networks are made of, read off the networks themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tinygrad_cnn import hooks, models
from tinygrad_cnn.creation import zeros
from tinygrad_cnn.errors import unknown_name
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.kernels.geometry import Convolution


@dataclass(frozen=True)
class Subject:
    """A network, and the batch whose convolutions are measured.

    Parameters
    ----------
    batch : int, in images
    options : dict
        What its builder is given.
    image : (int, int, int), optional
        (C, H, W) where the images are not those it was made for.
    """

    batch: int
    options: dict[str, Any] = field(default_factory=dict)
    image: tuple[int, int, int] | None = None


CONV_SUBJECTS: dict[str, Subject] = {
    "lenet5": Subject(64),
    "lab11_cnn2": Subject(100),
    "lab11_cnn3": Subject(100),
    "resnet20": Subject(128),
    "allcnn_c": Subject(128),
    "vgg16": Subject(64, {"num_classes": 10, "pooled": 1}, (3, 32, 32)),
    "resnet18": Subject(8),
}


def conv_layers(names: Sequence[str] = ()) -> dict[Convolution, tuple[str, ...]]:
    """Return each distinct convolution, and the networks that it occurs in.

    Parameters
    ----------
    names : sequence of str
        Some of :data:`CONV_SUBJECTS`; all of them by default.

    Raises
    ------
    UnknownNameError
        If a name is none of those.

    Examples
    --------
    >>> for layer, networks in conv_layers(["lenet5"]).items():
    ...     print(describe(layer), *networks)
    64 x 1→6, 32x32, kernel 5x5 lenet5
    64 x 6→16, 14x14, kernel 5x5 lenet5
    """
    found: dict[Convolution, tuple[str, ...]] = {}
    for name in names or CONV_SUBJECTS:
        if name not in CONV_SUBJECTS:
            raise unknown_name("bench", name, sorted(CONV_SUBJECTS))
        for layer in _layers_of(name, CONV_SUBJECTS[name]):
            found[layer] = (*found.get(layer, ()), name)
    return found


def _layers_of(name: str, subject: Subject) -> list[Convolution]:
    """Run a network on shapes alone and look at every convolution."""
    network = models.find(name)
    model = network.build(allocate=False, **subject.options)
    seen: dict[Convolution, None] = {}

    def look(element: Any, inputs: Any, outputs: Any) -> None:
        window = getattr(element, "window", None)
        if window is None or len(inputs) < 2 or len(inputs[1].shape) != 4:
            return  # no convolution, and no element that contains one
        images, channels, height, width = inputs[0].shape
        filters = inputs[1].shape[0]
        seen[Convolution(images, height, width, channels, filters, window)] = None

    with no_grad(), hooks.on_forward(look):
        model(zeros((subject.batch, *(subject.image or network.input_shape)), device="shapes"))
    return list(seen)


def multiply_adds(layer: Convolution) -> int:
    """Return the multiply-adds of each of the three passes.

    Examples
    --------
    >>> from tinygrad_cnn.kernels.geometry import Window
    >>> multiply_adds(Convolution(1, 32, 32, 1, 6, Window(5, 5)))
    117600
    """
    window = layer.window
    rows, columns = window.output_size(layer.height, layer.width)
    taps = layer.channels // window.groups * window.kh * window.kw
    return layer.images * rows * columns * layer.filters * taps


def describe(layer: Convolution) -> str:
    """Return a convolution in words; what is as usual is left out.

    Examples
    --------
    >>> from tinygrad_cnn.kernels.geometry import Window
    >>> describe(Convolution(8, 56, 56, 64, 128, Window(3, 3, 2, 2, 1, 1)))
    '8 x 64→128, 56x56, kernel 3x3, stride 2, padding 1'
    """
    w = layer.window
    text = f"{layer.images} x {layer.channels}→{layer.filters}, {layer.height}x{layer.width}"
    text += f", kernel {w.kh}x{w.kw}"
    for name, down, across in (
        ("stride", w.sh, w.sw), ("padding", w.ph, w.pw), ("dilation", w.dh, w.dw),
        ("further reach", w.eh, w.ew),
    ):  # fmt: skip
        usual = 0 if name in ("padding", "further reach") else 1
        if (down, across) != (usual, usual):
            text += f", {name} {down if down == across else f'{down}x{across}'}"
    return text + (f", groups {w.groups}" if w.groups != 1 else "")

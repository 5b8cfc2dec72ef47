"""The atlas of error signals: δ of every element of one or several networks on one page."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.explain.atlas.excerpts import Selection
from tinygrad_cnn.explain.atlas.plates import Moment, Run, moment_of
from tinygrad_cnn.explain.atlas.updates import Update
from tinygrad_cnn.explain.graph_dump import GraphDump
from tinygrad_cnn.explain.rendering.notebook import framed
from tinygrad_cnn.explain.rendering.saving import save_by_ending
from tinygrad_cnn.variable import Variable

__all__ = ["Atlas", "atlas"]

One = Variable | GraphDump
Several = Mapping[str, One | Mapping[int, One]]


@dataclass(frozen=True)
class Atlas:
    """Plates of one or several runs; ``print`` shows a table, notebooks the page.

    Attributes
    ----------
    runs : tuple of Run
        Networks side by side; all have as many moments.
    title : str
    remark : str
        What to look at.
    selection : Selection
        The image, and the channels.
    """

    runs: tuple[Run, ...]
    title: str
    remark: str
    selection: Selection

    def __str__(self) -> str:
        return self.text()

    def text(self, complete: bool = False) -> str:
        """Return tables: one line for each run and moment, then one for each element.

        Parameters
        ----------
        complete : bool
            Elements at all moments, and not at the last one alone.
        """
        from tinygrad_cnn.explain.atlas.text import atlas_text

        return atlas_text(self, complete)

    def svg(self) -> str:
        """Return the curves: ‖δ‖ by depth, updates, and idle units, at each moment."""
        from tinygrad_cnn.explain.atlas.curves import curves_svg

        return curves_svg(self)

    def html(self) -> str:
        """Return the page; it needs no other file and no network."""
        from tinygrad_cnn.explain.atlas.page import atlas_page

        return atlas_page(self)

    def save(self, path: str | Path) -> None:
        """Write the page (.html), the curves (.svg) or the tables (.txt) to a file.

        Raises
        ------
        OptionError
            If the file has another ending.
        RunDirectoryError
            If it cannot be written.
        """
        forms = {".html": self.html, ".svg": self.svg, ".txt": lambda: self.text(True)}
        save_by_ending(path, forms, "atlas")

    def _repr_html_(self) -> str:
        return framed(self.html())

    def _repr_svg_(self) -> str:
        return self.svg()


def atlas(
    result: One | Sequence[One] | Several,
    *,
    image: int = 0,
    channels: int | Sequence[int] = 3,
    layers: str | Sequence[str] = (),
    lr: float | None = None,
    updates: Iterable[Update] | None = None,
    title: str = "",
) -> Atlas:
    """Show δ of every element of a network, or of several side by side.

    Parameters
    ----------
    result : Scalar, Tensor or GraphDump, a sequence of them, or a mapping
        Usually a loss, computed and walked back inside ``record(keep="arrays")``. A mapping names
        networks, ``{"sigmoid": loss, "ReLU": other}``; for each it may hold a mapping of training
        steps to losses, ``{"ReLU": {0: first, 100: later}}``.
    image : int
        Which of the batch is shown; figures and curves are of the whole batch.
    channels : int or sequence of int
        Beside the mean of the channels, so many of those with the largest ‖δ‖; or these.
    layers : str or sequence of str, optional
        Names of layers, ``"layer1.0"``, that the atlas is of; all if none is named.
    lr : float, optional
        η of gradient descent, for the ratio of updates to weights, ‖η ∇w‖/‖w‖.
    updates : iterable of Update, optional
        What an optimiser really did, as :func:`measure_updates` returns it; for one run.
    title : str

    Returns
    -------
    Atlas

    Raises
    ------
    GraphError
        If a run was not recorded, recorded without arrays, or never walked back.
    OptionError
        If there are no runs, image and channels are none of theirs, or moments are not alike.
    UnknownNameError
        If a layer is not there.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_cnn as tg
    >>> network = tg.models.build("lenet5")
    >>> images = tg.Tensor(np.zeros((2, 1, 32, 32), np.float32))
    >>> with tg.explain.record(keep="arrays"):
    ...     loss = tg.functional.cross_entropy(network(images), np.array([3, 5]))
    ...     loss.backward()
    >>> found = atlas(loss, lr=0.01)
    >>> [plate.label for plate in found.runs[0].moments[0].plates][:3]
    ['C1.conv2d', 'sigmoid', 'S2.avg_pool2d']
    """
    selection = Selection.of(image, channels)
    if lr is not None and not (isinstance(lr, int | float) and 0 <= lr < math.inf):
        raise OptionError(f"atlas: a learning rate is a number from 0 up; got {lr!r}")
    named = _named(result, title)
    several = isinstance(layers, Iterable) and not isinstance(layers, str)
    wanted: tuple[Any, ...] = tuple(layers) if several else (layers,)
    if not all(isinstance(layer, str) for layer in wanted):
        raise OptionError(f"atlas: layers are names, such as 'C1'; got {layers!r}")
    if updates is not None and (len(named) != 1 or len(next(iter(named.values()))) != 1):
        raise OptionError(
            f"atlas: updates are those of one run at one moment; got {len(named)} runs. Pass lr"
        )
    runs = []
    for name, moments in named.items():
        read = (
            moment_of(each, selection, step, wanted, lr, updates)
            for step, each in sorted(moments.items())
        )
        runs.append(Run(name, tuple(read)))
    return assemble(runs, title or "Error-signal atlas", "", selection)


def assemble(runs: Sequence[Run], title: str, remark: str, selection: Selection) -> Atlas:
    """Put runs into one atlas.

    Raises
    ------
    OptionError
        If moments of one network are not of the same elements, or networks have other steps.
    """
    for run in runs:
        labels = {tuple(plate.label for plate in moment.plates) for moment in run.moments}
        if len(labels) > 1:
            raise OptionError(
                f"atlas: moments of one network have the same elements; got others in {run.title!r}"
            )
    steps = [[moment.step for moment in run.moments] for run in runs]
    if any(each != steps[0] for each in steps):
        raise OptionError(f"atlas: runs side by side are seen after the same steps; got {steps}")
    return Atlas(tuple(runs), title, remark, selection)


def _named(result: Any, title: str) -> dict[str, dict[int, Any]]:
    """Return losses by network and training step."""
    if isinstance(result, Mapping):
        named = {str(name): each for name, each in result.items()}
    elif isinstance(result, Sequence):
        named = {f"run {number}": each for number, each in enumerate(result, 1)}
    else:
        own = result.title if isinstance(result, GraphDump) else ""
        named = {own or title or "network": result}
    if not named:
        raise OptionError("atlas: it shows at least one run; got none")
    moments = {
        name: dict(each) if isinstance(each, Mapping) else {0: each} for name, each in named.items()
    }
    empty = [name for name, each in moments.items() if not each]
    if empty:
        raise OptionError(f"atlas: a run has at least one moment; got none of {empty[0]!r}")
    return moments


def moments_of(found: Atlas) -> tuple[Moment, ...]:
    """Return the moments of the first run: those of all others have the same steps."""
    return found.runs[0].moments

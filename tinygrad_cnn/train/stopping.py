"""Early stopping: training ends when images that nobody learns from are no longer learnt.

The images are taken from the training images. The test images must not decide when to stop:
the stop would be chosen to suit them, and what they say of the network would be too good.
"""

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.data import ArrayDataset
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.optim import EMA
from tinygrad_cnn.train.state import TrainingState

__all__ = ["BestWeights", "hold_out", "settle"]


def hold_out(
    dataset: ArrayDataset, share: float, seed: int
) -> tuple[ArrayDataset, ArrayDataset | None]:
    """Divide training images into those to learn from and those that are held out.

    Parameters
    ----------
    dataset : ArrayDataset
    share : float
        Of the images that are held out, rounded up; with 0 none are.
    seed : int
        Decides which. The default generator is not touched.

    Returns
    -------
    learnt : ArrayDataset
    held_out : ArrayDataset, or None

    Raises
    ------
    OptionError
        If nothing would be left to learn from.

    Examples
    --------
    >>> dataset = ArrayDataset(np.zeros((10, 1, 2, 2), np.float32), range(10))
    >>> learnt, held_out = hold_out(dataset, 0.2, seed=0)
    >>> len(learnt), len(held_out), sorted([*learnt.labels, *held_out.labels]) == list(range(10))
    (8, 2, True)
    """
    if not share:
        return dataset, None
    count = int(np.ceil(share * len(dataset)))
    if count >= len(dataset):
        raise OptionError(
            f"hold_out: there are images left to learn from; got a share of {share:g} of "
            f"{len(dataset)}, that is {count}"
        )
    order = np.random.default_rng(seed).permutation(len(dataset))
    return dataset.subset(np.sort(order[count:])), dataset.subset(np.sort(order[:count]))


class BestWeights:
    """The weights with which the held-out images had the lowest loss.

    Parameters
    ----------
    model : Module
        Whose weights, with the statistics of its layers, are kept.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> model = tg.nn.Linear(1, 1)
    >>> best, state = BestWeights(model), TrainingState(epoch=1)
    >>> best.offer(0.7, state)
    >>> model.weight.data = [[5.0]]
    >>> state.epoch = 2
    >>> best.offer(0.8, state)  # not as good
    >>> state.best_epoch, bool(best.state_dict()["weight"][0, 0] == 5.0)
    (1, False)
    """

    def __init__(self, model: Module) -> None:
        self.model = model
        self._weights: dict[str, npt.NDArray[np.generic]] = model.state_dict()

    def offer(self, loss: float, state: TrainingState) -> None:
        """Keep the weights as they are now, if the loss is lower than it ever was."""
        if state.best_loss is None or loss < state.best_loss:
            state.best_loss, state.best_epoch = loss, state.epoch
            self._weights = self.model.state_dict()

    def state_dict(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the weights that are kept."""
        return dict(self._weights)

    def load_state_dict(self, weights: dict[str, npt.NDArray[np.generic]]) -> None:
        """Keep these weights, which :meth:`state_dict` returned."""
        self._weights = dict(weights)


def settle(model: Module, average: EMA | None, best: BestWeights | None) -> None:
    """Give a network the weights that it answers with: the best, or their average.

    Parameters
    ----------
    model : Module
        Left as it is where there is neither.
    average : EMA, optional
    best : BestWeights, optional
        Comes first: what was kept are averages, where there are any.
    """
    if best is not None:
        model.load_state_dict(best.state_dict())
    elif average is not None:
        with average.swapped_in():
            weights = model.state_dict()
        model.load_state_dict(weights)

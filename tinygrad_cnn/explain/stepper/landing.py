"""The end of a walk: gradients land in ``.grad``, and can be taken away again."""

from tinygrad_cnn.explain.stepper.paused_walk import PausedWalk
from tinygrad_cnn.graph import Node
from tinygrad_cnn.variable import Variable
from tinygrad_cnn.walk import deposit


class Landing:
    """Gradients that a finished walk has left, and what was there before.

    Parameters
    ----------
    walk : PausedWalk
        At its end. Hooks of leaves run now.
    """

    def __init__(self, walk: PausedWalk) -> None:
        self._walk, self._waiting = walk, dict(walk.signals)
        walk.finish()
        landing = [*walk.retained.items(), *walk.signals.items()]
        owners = {id(each): each for node, _ in landing if (each := _owner(node)) is not None}
        self._before = [(each, each._grad, each.grad_passes) for each in owners.values()]
        for node, signal in landing:
            deposit(node, signal, mine=False)
        self._left = [each._grad for each, _, _ in self._before]

    def take_back(self) -> None:
        """Put back what ``.grad`` held before, where nobody has put something else there."""
        for (owner, grad, passes), left in zip(self._before, self._left, strict=True):
            if owner._grad is left:
                owner._grad, owner.grad_passes = grad, passes
        self._walk.signals.clear()
        self._walk.signals.update(self._waiting)


def _owner(node: Node) -> Variable | None:
    return None if node.variable is None else node.variable()

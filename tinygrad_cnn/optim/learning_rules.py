"""The learning rules of a single neuron: the perceptron's and ADALINE's, on scalars.

Both change a weight by rate times error times input, ``w ← w + α (d - y) x``. What differs is
the answer y that the wanted one, d, is compared with:

==========  ===========================  ==================================================
neuron      y                            the rule is a gradient step of
==========  ===========================  ==================================================
ADALINE     s = Σ w x + b, as it is      the squared error ``½ (d - s)²``
perceptron  1 if s > 0, else 0           no loss of y, whose slope is 0 wherever it has one;
                                         but of ``max(0, -t s)`` with t = ±1
==========  ===========================  ==================================================

Each neuron has this loss as its :meth:`criterion`, recorded on the scalar engine, so that the
rule can be held against ``criterion(...).backward()`` and a step of gradient descent.
"""

from collections.abc import Iterable, Sequence
from numbers import Real

from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.graph import no_grad
from tinygrad_cnn.scalar import Scalar

__all__ = ["Adaline", "Perceptron"]

Example = tuple[Sequence[float], float]  # inputs x, and the answer d that is wanted


class _Neuron:
    """Common part: weights, a bias, and the rule.

    Parameters
    ----------
    inputs : int
        How many numbers an example has.
    rate : float
        The learning rate α.

    Raises
    ------
    OptionError
        If there is no input, or the rate is not above 0.
    """

    rate: float
    weights: list[Scalar]
    bias: Scalar

    def __init__(self, inputs: int, rate: float = 1.0) -> None:
        kind = type(self).__name__
        if not isinstance(inputs, int) or inputs < 1:
            raise OptionError(f"{kind}: inputs is a positive integer; got {inputs!r}")
        if not isinstance(rate, Real) or not rate > 0:
            raise OptionError(f"{kind}: rate is a number above 0; got {rate!r}")
        self.rate = float(rate)
        self.weights = [Scalar(0.0, requires_grad=True, name=f"w{k + 1}") for k in range(inputs)]
        self.bias = Scalar(0.0, requires_grad=True, name="b")

    def parameters(self) -> list[Scalar]:
        """Return the weights and the bias."""
        return [*self.weights, self.bias]

    def score(self, x: Sequence[float]) -> Scalar:
        """Return ``s = Σ w x + b``, recorded."""
        if len(x) != len(self.weights):
            raise ShapeError(
                f"{type(self).__name__}: an example has {len(self.weights)} numbers; got {len(x)}"
            )
        total = self.bias
        for weight, value in zip(self.weights, x, strict=True):
            total = total + weight * value
        return total

    def answer(self, x: Sequence[float]) -> float:
        """Return the y that the rule compares with the wanted answer."""
        raise NotImplementedError  # abstract

    def criterion(self, x: Sequence[float], d: float) -> Scalar:
        """Return the loss that the rule descends, recorded."""
        raise NotImplementedError  # abstract

    def update(self, x: Sequence[float], d: float) -> float:
        """Apply ``w ← w + α (d - y) x`` and ``b ← b + α (d - y)``; return the error d - y."""
        error = d - self.answer(x)
        with no_grad():
            for weight, value in zip(self.weights, x, strict=True):
                weight += self.rate * error * value
            self.bias += self.rate * error
        return error

    def epoch(self, examples: Iterable[Example]) -> float:
        """Update on each example in turn; return the sum of the squared errors met."""
        return sum(self.update(x, d) ** 2 for x, d in examples)


class Perceptron(_Neuron):
    """A neuron that answers yes or no, and learns from its mistakes only.

    Parameters
    ----------
    inputs : int
        How many numbers an example has.
    rate : float
        The learning rate α. Weights start at 0, so it changes their scale and nothing else.

    Notes
    -----
    ``y = 1`` if ``s > 0``, else 0. A right answer changes nothing, a wrong one moves the weights
    towards x or away from it. If some line separates the classes, the perceptron finds one after
    finitely many mistakes; if none does, as for XOR, it never stops.

    References
    ----------
    .. [1] F. Rosenblatt, "The perceptron: a probabilistic model for information storage and
       organization in the brain", Psychological Review 65(6), 1958.
    .. [2] A. B. J. Novikoff, "On convergence proofs on perceptrons", Symposium on the
       Mathematical Theory of Automata, 1962.

    Examples
    --------
    >>> logical_and = [((0, 0), 0), ((0, 1), 0), ((1, 0), 0), ((1, 1), 1)]
    >>> neuron = Perceptron(2)
    >>> while neuron.epoch(logical_and):
    ...     pass
    >>> [neuron.answer(x) for x, _ in logical_and]
    [0.0, 0.0, 0.0, 1.0]
    >>> neuron.weights, neuron.bias
    ([Scalar(2.0), Scalar(1.0)], Scalar(-2.0))
    """

    def answer(self, x: Sequence[float]) -> float:
        """Return 1 if the score is above 0, else 0."""
        return 1.0 if self.score(x) > 0.0 else 0.0

    def criterion(self, x: Sequence[float], d: float) -> Scalar:
        """Return ``max(0, -t s)``, t = 1 for d = 1 and -1 for d = 0: how wrong the score is.

        For a wrong answer its error signal of s is -t = -(d - y), so that a step of gradient
        descent is the rule; for a right one it is 0. At s = 0, where it has a kink, the rule
        follows the answer, which is 0.
        """
        t = 2.0 * d - 1.0
        return F.hinge_loss(self.score(x), t, margin=0.0)


class Adaline(_Neuron):
    """A neuron whose linear score is compared with the wanted answer: the delta rule.

    Parameters
    ----------
    inputs : int
        How many numbers an example has.
    rate : float
        The learning rate α; it has to be small for the errors to fall.

    Notes
    -----
    ``y = s = Σ w x + b``. The rule is a step of gradient descent for ``J = ½ (d - s)²``: with
    ``δ(s) = -(d - s)`` the gradient of w is ``-(d - s) x``.

    References
    ----------
    .. [1] B. Widrow, M. E. Hoff, "Adaptive switching circuits", IRE WESCON Convention Record,
       1960, part 4.

    Examples
    --------
    >>> neuron = Adaline(1, rate=0.25)
    >>> neuron.update([2.0], 1.0)  # the error before the step
    1.0
    >>> neuron.weights, neuron.bias
    ([Scalar(0.5)], Scalar(0.25))
    >>> loss = neuron.criterion([2.0], 1.0)
    >>> loss.backward()
    >>> neuron.bias.grad  # -(d - s)
    Scalar(0.25)
    """

    def __init__(self, inputs: int, rate: float = 0.1) -> None:
        super().__init__(inputs, rate)

    def answer(self, x: Sequence[float]) -> float:
        """Return the score itself."""
        return self.score(x).item()

    def criterion(self, x: Sequence[float], d: float) -> Scalar:
        """Return ``½ (d - s)²``."""
        return F.squared_error(self.score(x), d)

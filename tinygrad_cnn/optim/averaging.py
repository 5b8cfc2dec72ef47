"""Running averages of the weights: calmer than the weights of any one step.

Late in training the weights wander around a minimum, pushed about by single batches. Their
exponential moving average (EMA) lies nearer to it, and often answers better.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_cnn.errors import CheckpointError, OptionError
from tinygrad_cnn.kernels.registry import lookup
from tinygrad_cnn.optim.parameter_groups import group_of, within, zeros_beside
from tinygrad_cnn.optim.state_input import as_stored
from tinygrad_cnn.tensor import Tensor

__all__ = ["EMA"]

Array = npt.NDArray[Any]


class EMA:
    r"""The exponential moving average of the weights of a network.

    Parameters
    ----------
    parameters : Module or iterable of Tensor
        Whose weights are averaged. A module's buffers are not: the running averages of batch
        normalisation are averages already.
    decay : float
        How much of the average is kept, β, in [0, 1). About the last 1/(1 - β) updates count.
    bias_correction : bool
        Whether the average starts at 0 and is divided by 1 - βᵗ, as in Adam, so that the first
        weights count no more than any others. Otherwise it starts as the weights of the first
        update, which stay in it as βᵗ⁻¹.

    Attributes
    ----------
    updates : int
        How often :meth:`update` was called.

    Raises
    ------
    OptionError
        If the decay lies outside its range, or a parameter comes twice.
    DTypeError
        If the parameters are not tensors.

    Notes
    -----
    .. math:: a_t = \beta\,a_{t-1} + (1 - \beta)\,\theta_t

    with a₁ = θ₁; with bias correction a₀ = 0, and the average is :math:`a_t / (1 - \beta^t)`.

    References
    ----------
    .. [1] B. Polyak, A. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM
       Journal on Control and Optimization 30(4), 1992: averages of all weights.
    .. [2] C. Szegedy et al., "Rethinking the Inception architecture for computer vision",
       CVPR 2016, section 8: evaluated with a running average of the parameters.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> w = tg.Tensor([0.0], requires_grad=True)
    >>> average = EMA([w], decay=0.75)
    >>> for value in (0.0, 4.0):
    ...     w.data = [value]
    ...     average.update()
    >>> with average.swapped_in():
    ...     w.tolist()
    [1.0]
    >>> w.tolist()
    [4.0]
    """

    def __init__(
        self, parameters: Any, decay: float = 0.999, bias_correction: bool = False
    ) -> None:
        options = {"decay": decay, "bias_correction": bias_correction}
        within("EMA", options, {"decay": (0.0, 1.0), "bias_correction": None})
        listed = getattr(parameters, "parameters", None)
        given = {"params": listed() if callable(listed) else parameters}
        self.parameters: list[Tensor] = group_of("EMA", given, {}, {}, [])["params"]
        if not self.parameters:
            raise OptionError("EMA: there are weights to average; got nothing")
        self.decay, self.bias_correction = float(decay), bias_correction
        self.updates = 0
        self._averages = zeros_beside(self.parameters)
        self._swapped = False
        self._positions: dict[np.dtype[Any], list[int]] = {}  # nearly always one type
        for position, parameter in enumerate(self.parameters):
            self._positions.setdefault(parameter.dtype, []).append(position)

    def update(self) -> None:
        """Take in the weights as they are now: call it after each step."""
        if self._swapped:
            raise OptionError(
                "EMA: an update takes in the weights of training; got one inside swapped_in(), "
                "where the parameters hold their averages. Call it after the with block"
            )
        keep = 0.0 if self.updates == 0 and not self.bias_correction else self.decay
        for dtype, positions in self._positions.items():
            values = [
                np.ascontiguousarray(self.parameters[position]._read("EMA"))
                for position in positions
            ]
            averages = [self._averages[position] for position in positions]
            lookup("average_update", "cpu", dtype).function(keep, *values, *averages)
        self.updates += 1

    def averages(self) -> list[Array]:
        """Return the averages, one array for each parameter; before any update the weights."""
        if self.updates == 0:
            return [parameter.numpy().copy() for parameter in self.parameters]
        share = 1.0 - self.decay**self.updates if self.bias_correction else 1.0
        return [
            (average / average.dtype.type(share)).reshape(parameter.shape)
            for parameter, average in zip(self.parameters, self._averages, strict=True)
        ]

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Put the averages in place of the weights inside a ``with`` block.

        Afterwards, also after an error, the weights are to the bit what they were before.
        """
        if self._swapped:
            raise OptionError(
                "EMA: averages are swapped in once; got swapped_in() inside another one"
            )
        before = [parameter.numpy().copy() for parameter in self.parameters]
        self._overwrite(self.averages())
        self._swapped = True
        try:
            yield
        finally:
            self._swapped = False
            self._overwrite(before)

    def _overwrite(self, values: Iterable[Array]) -> None:
        for parameter, array in zip(self.parameters, values, strict=True):
            parameter._overwrite(..., array)

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of the averages and of what belongs to them, as plain arrays."""
        averages = {f"average.{k}": average.copy() for k, average in enumerate(self._averages)}
        return {
            **averages,
            "decay": np.array(self.decay),
            "bias_correction": np.array(self.bias_correction),
            "updates": np.array(self.updates),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a copy that :meth:`state_dict` made; all or nothing.

        Raises
        ------
        CheckpointError
            If it is the state of other parameters.
        ShapeError, DTypeError, OptionError
            If a value has another shape, is not made of numbers, or lies outside its range.
        """
        own = self.state_dict()
        if own.keys() != state.keys():
            raise CheckpointError(
                f"EMA: the state belongs to the same parameters; got {len(state)} values for "
                f"{len(own)}, or other names"
            )
        values = {path: as_stored("EMA", path, state[path], own[path]) for path in own}
        decay, updates = float(values["decay"]), int(values["updates"])
        within("EMA", {"decay": decay}, {"decay": (0.0, 1.0)})
        if updates < 0:
            raise OptionError(f"EMA: updates lies in [0, inf); got {updates}")
        self.decay, self.bias_correction = decay, bool(values["bias_correction"])
        self.updates = updates
        for k, average in enumerate(self._averages):
            average[...] = values[f"average.{k}"]

"""Normalisation layers."""

from typing import Any

import numpy as np

from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.activated import require_activation
from tinygrad_cnn.elements.local_response_norm import formula
from tinygrad_cnn.elements.requirements import finite_number
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.graph import is_recomputing
from tinygrad_cnn.nn.module import Array, Module, Parameter
from tinygrad_cnn.nn.requirements import require_positive
from tinygrad_cnn.tensor import Tensor


class _BatchNorm(Module):
    """Common part: scale and shift, and running averages of the statistics."""

    ranks: tuple[int, ...] = ()
    takes: str = ""
    activations = ("relu",)
    running_mean: Array | None
    running_var: Array | None
    num_batches_tracked: Array | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        activation: str | None = None,
    ) -> None:
        super().__init__()
        require_activation(type(self).__name__, activation, self.activations)
        self.activation = activation
        require_positive(type(self).__name__, num_features=num_features)
        self.num_features = num_features
        self.eps = finite_number(type(self).__name__, "eps", eps, 0.0)
        if momentum is not None:
            momentum = finite_number(type(self).__name__, "momentum", momentum)
        self.momentum = momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(np.ones(num_features, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(num_features, np.float32)) if affine else None
        tracked = track_running_stats
        zeros, ones = np.zeros(num_features, np.float32), np.ones(num_features, np.float32)
        self.register_buffer("running_mean", zeros if tracked else None)
        self.register_buffer("running_var", ones if tracked else None)
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64) if tracked else None)

    def reset_running_stats(self) -> None:
        """Forget the batches seen so far."""
        for buffer, value in (
            (self.running_mean, 0),
            (self.running_var, 1),
            (self.num_batches_tracked, 0),
        ):
            if buffer is not None:
                buffer[...] = value

    def forward(self, x: Tensor) -> Any:
        """Normalise each channel: by the batch in training, else by the running averages."""
        if len(x.shape) not in self.ranks or x.shape[1] != self.num_features:
            raise ShapeError(
                f"{type(self).__name__}: x is {self.takes} with C = {self.num_features}; "
                f"got {x.shape}"
            )
        counter, share = self.num_batches_tracked, self.momentum
        if share is None:  # the plain average of all batches
            share = 0.0 if counter is None else 1.0 / (int(counter) + 1)
        y = F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            share,
            self.eps,
            activation=self.activation,
        )
        if self.training and counter is not None and not is_recomputing():
            counter += 1
        return y

    def options(self) -> str:
        words = [str(self.num_features)]
        for option, usual in (
            ("eps", 1e-5),
            ("momentum", 0.1),
            ("affine", True),
            ("track_running_stats", True),
            ("activation", None),
        ):
            if getattr(self, option) != usual:
                words.append(f"{option} {getattr(self, option)}")
        return ", ".join(words)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images; see :func:`tinygrad_cnn.functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        Channels C.
    eps : float
        Added to the variance.
    momentum : float or None
        Share of a batch in the new running averages; None for the plain average of all
        batches seen.
    affine : bool
        Learn a scale `weight`, at first 1, and a shift `bias`, at first 0.
    track_running_stats : bool
        Keep the buffers `running_mean`, `running_var` and `num_batches_tracked`, and use them in
        evaluation; without them the statistics are always those of the batch.
    activation : {None, "relu"}
        What is applied to the result; in training in the same pass over memory.

    Raises
    ------
    OptionError
        If num_features is not a positive integer, eps negative, or momentum no number.

    References
    ----------
    .. [1] S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by
       reducing internal covariate shift", ICML 2015, algorithms 1 and 2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> layer = tg.nn.BatchNorm2d(3)
    >>> layer(tg.ones(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    >>> [round(float(mean), 2) for mean in layer.running_mean]
    [0.1, 0.1, 0.1]
    >>> list(layer.state_dict())
    ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
    """

    ranks = (4,)
    takes = "(N, C, H, W)"


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of vectors or sequences; see :class:`BatchNorm2d`.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, activation
        As in :class:`BatchNorm2d`.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> layer = tg.nn.BatchNorm1d(2, eps=0.0)
    >>> layer(tg.Tensor([[1.0, 10.0], [3.0, 30.0]])).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    """

    ranks = (2, 3)
    takes = "(N, C) or (N, C, L)"


class LocalResponseNorm(Module):
    """Normalise by neighbouring channels; see :func:`tinygrad_cnn.functional.local_response_norm`.

    Parameters
    ----------
    size : int, in channels
        Neighbours that are added up, the channel itself among them.
    alpha, beta, k : float
        Factor, exponent and constant of the divisor.

    Raises
    ------
    OptionError
        If size is not a positive integer, or another option no finite number.

    Notes
    -----
    AlexNet's layer (n = 5, α = 1e-4, β = 0.75, k = 2) is ``LocalResponseNorm(5, 5e-4, 0.75, 2.0)``:
    its paper does not divide α by n.

    References
    ----------
    .. [1] A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet classification with deep
       convolutional neural networks", NIPS 2012, section 3.3.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> tg.nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0)(tg.ones(1, 96, 2, 2)).shape
    (1, 96, 2, 2)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        numbers = formula("LocalResponseNorm", size, alpha, beta, k)
        self.size, self.alpha, self.beta, self.k = numbers

    def forward(self, x: Tensor) -> Any:
        """Divide each value by a power of the energy around it."""
        return F.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def options(self) -> str:
        return f"{self.size}, alpha {self.alpha}, beta {self.beta}, k {self.k}"

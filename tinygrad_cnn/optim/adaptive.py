"""Adagrad, Adadelta and RMSprop: each parameter's step is scaled by its own past gradients.

Adagrad divides by the root of *all* squared gradients, so its steps become smaller and smaller.
The two others forget: they divide by a running mean.
"""

from math import inf
from typing import Any, ClassVar

import numpy as np

from tinygrad_cnn.kernels.registry import lookup
from tinygrad_cnn.optim.optimiser import Array, Optimiser, Parameters
from tinygrad_cnn.optim.parameter_groups import Group, Limits, shorthand


class Adagrad(Optimiser):
    r"""Adagrad: steps divided by the root of the sum of all squared gradients.

    Parameters
    ----------
    parameters : iterable of Tensor, or of dict
        Leaves that require a gradient, each once; or groups of them.
    lr : float
        Learning rate α.
    lr_decay : float
        η: the t-th update has the rate ``lr / (1 + (t - 1) η)``.
    weight_decay : float
        λ: times θ, added to the gradient.
    initial_accumulator_value : float
        What the sum s starts with.
    eps : float
        ε, added to the root.

    Notes
    -----
    .. math::
        g = \nabla\theta + \lambda\,\theta, \qquad
        s \leftarrow s + g^2, \qquad
        \theta \leftarrow \theta - \frac{\alpha}{1 + (t - 1)\,\eta}\,
        \frac{g}{\sqrt{s} + \varepsilon}

    References
    ----------
    .. [1] J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and
       stochastic optimization", Journal of Machine Learning Research 12, 2011, section 1.1,
       with the diagonal of G.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> w = tg.Tensor([1.0], requires_grad=True)
    >>> optimiser = tg.optim.Adagrad([w], lr=0.1)
    >>> for _ in range(2):  # steps of lr, and of lr / √2
    ...     w.grad = tg.Tensor([3.0])
    ...     optimiser.step()
    >>> round(w.item(), 4)
    0.8293
    """

    limits: ClassVar[dict[str, Limits | None]] = {
        "lr": (0.0, inf),
        "lr_decay": (0.0, inf),
        "weight_decay": (0.0, inf),
        "initial_accumulator_value": (0.0, inf),
        "eps": (0.0, inf),
    }
    lr_decay = shorthand("lr_decay", "How fast the rate falls")
    weight_decay = shorthand("weight_decay", "What is added to the gradient, times θ")
    eps = shorthand("eps", "What is added to the root")

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 0.01,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        options = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
        }
        super().__init__(parameters, options)

    def _slots(self, group: Group) -> tuple[str, ...]:
        return ("total",)

    def _initial(self, slot: str, group: Group) -> float:
        return float(group["initial_accumulator_value"])

    def _counts_updates(self, group: Group) -> bool:
        return bool(group["lr_decay"])

    def _update(self, group: Group, step: int, dtype: np.dtype[Any], *arrays: Array) -> None:
        rate = group["lr"] / (1.0 + (step - 1) * group["lr_decay"])
        rates = (rate, group["eps"], group["weight_decay"])
        lookup("adagrad_update", "cpu", dtype).function(*rates, *arrays)


class Adadelta(Optimiser):
    r"""Adadelta: steps as large as those before, in the units of the parameter.

    Parameters
    ----------
    parameters : iterable of Tensor, or of dict
        Leaves that require a gradient, each once; or groups of them.
    lr : float
        A factor α of the step, 1 in the paper, which has no learning rate.
    rho : float
        How much of both running means is kept, ρ, in [0, 1).
    eps : float
        ε, under both roots; it makes the first step.
    weight_decay : float
        λ: times θ, added to the gradient.

    Notes
    -----
    .. math::
        g &= \nabla\theta + \lambda\,\theta, \qquad
        s \leftarrow \rho\,s + (1 - \rho)\,g^2 \\
        \Delta &= \frac{\sqrt{u + \varepsilon}}{\sqrt{s + \varepsilon}}\,g, \qquad
        u \leftarrow \rho\,u + (1 - \rho)\,\Delta^2, \qquad
        \theta \leftarrow \theta - \alpha\,\Delta

    References
    ----------
    .. [1] M. Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701, 2012,
       algorithm 1.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> w = tg.Tensor([1.0], requires_grad=True)
    >>> (w * 3.0).sum().backward()
    >>> tg.optim.Adadelta([w]).step()  # the first step is √(ε / (1 - ρ))
    >>> round(1.0 - w.item(), 5)
    0.00316
    """

    limits: ClassVar[dict[str, Limits | None]] = {
        "lr": (0.0, inf),
        "rho": (0.0, 1.0),
        "eps": (0.0, inf),
        "weight_decay": (0.0, inf),
    }
    rho = shorthand("rho", "How much of both running means is kept")
    eps = shorthand("eps", "What is added under both roots")
    weight_decay = shorthand("weight_decay", "What is added to the gradient, times θ")

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        options = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay}
        super().__init__(parameters, options)

    def _slots(self, group: Group) -> tuple[str, ...]:
        return ("square", "change")

    def _update(self, group: Group, step: int, dtype: np.dtype[Any], *arrays: Array) -> None:
        rates = (group["lr"], group["rho"], group["eps"], group["weight_decay"])
        lookup("adadelta_update", "cpu", dtype).function(*rates, *arrays)


class RMSprop(Optimiser):
    r"""RMSprop: steps divided by the root of a running mean of squared gradients.

    Parameters
    ----------
    parameters : iterable of Tensor, or of dict
        Leaves that require a gradient, each once; or groups of them.
    lr : float
        Learning rate, α_r below.
    alpha : float
        How much of the running means is kept, in [0, 1).
    eps : float
        ε, added to the root.
    weight_decay : float
        λ: times θ, added to the gradient.
    momentum : float
        How much of v is kept, μ, in [0, 1).
    centered : bool
        Whether the root is that of an estimated variance, the mean gradient m being
        subtracted.

    Notes
    -----
    .. math::
        g &= \nabla\theta + \lambda\,\theta, \qquad
        s \leftarrow \alpha\,s + (1 - \alpha)\,g^2, \qquad
        m \leftarrow \alpha\,m + (1 - \alpha)\,g \\
        v &\leftarrow \mu\,v + \frac{g}{\sqrt{s} + \varepsilon}
        \quad\text{or, centred,}\quad
        v \leftarrow \mu\,v + \frac{g}{\sqrt{s - m^2} + \varepsilon}, \qquad
        \theta \leftarrow \theta - \alpha_r\,v

    Where gradients do not change, rounding may make ``s - m²`` negative. It counts as 0 here;
    PyTorch's step is NaN then.

    References
    ----------
    .. [1] T. Tieleman, G. Hinton, "Lecture 6e: rmsprop: divide the gradient by a running
       average of its recent magnitude", COURSERA: Neural Networks for Machine Learning, 2012.
    .. [2] A. Graves, "Generating sequences with recurrent neural networks", arXiv:1308.0850,
       2013, equations 38 to 45: the centred form.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> w = tg.Tensor([1.0], requires_grad=True)
    >>> (w * 3.0).sum().backward()
    >>> tg.optim.RMSprop([w], lr=0.01).step()  # the first step is lr / √(1 - alpha)
    >>> round(w.item(), 4)
    0.9
    """

    limits: ClassVar[dict[str, Limits | None]] = {
        "lr": (0.0, inf),
        "alpha": (0.0, 1.0),
        "eps": (0.0, inf),
        "weight_decay": (0.0, inf),
        "momentum": (0.0, 1.0),
        "centered": None,
    }
    alpha = shorthand("alpha", "How much of the running means is kept")
    eps = shorthand("eps", "What is added to the root")
    weight_decay = shorthand("weight_decay", "What is added to the gradient, times θ")
    momentum = shorthand("momentum", "How much of v is kept")
    centered = shorthand("centered", "Whether the root is that of a variance")

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
        }
        super().__init__(parameters, options)

    def _slots(self, group: Group) -> tuple[str, ...]:
        mean = ("mean",) if group["centered"] else ()
        return ("square", *mean, "velocity") if group["momentum"] else ("square", *mean)

    def _update(self, group: Group, step: int, dtype: np.dtype[Any], *arrays: Array) -> None:
        lookup("rmsprop_update", "cpu", dtype).function(
            group["lr"], group["alpha"], group["eps"], group["weight_decay"], group["momentum"],
            group["centered"], *arrays,
        )  # fmt: skip

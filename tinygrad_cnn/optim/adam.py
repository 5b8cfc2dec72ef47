"""Adam, and AdamW, whose weight decay goes its own way."""

from math import inf
from typing import Any, ClassVar

import numpy as np

from tinygrad_cnn.kernels.registry import lookup
from tinygrad_cnn.optim.optimiser import Array, Optimiser, Parameters
from tinygrad_cnn.optim.parameter_groups import Group, Limits, shorthand


class Adam(Optimiser):
    r"""Adam: steps scaled by running means of the gradient and of its square.

    Parameters
    ----------
    parameters : iterable of Tensor, or of dict
        Leaves that require a gradient, each once; or groups of them.
    lr : float
        Learning rate α: about the largest change of a parameter in one step.
    betas : (float, float)
        How much of the running means m and v is kept, β₁ and β₂, in [0, 1).
    eps : float
        ε, added to the root.
    weight_decay : float
        λ: times θ, added to the gradient.
    amsgrad : bool
        Whether the largest v so far stands in the root, so that steps never grow back.

    Notes
    -----
    .. math::
        g &= \nabla\theta + \lambda\,\theta \\
        m &\leftarrow \beta_1 m + (1 - \beta_1)\,g, \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2)\,g^2 \\
        \theta &\leftarrow \theta - \alpha\,
        \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}

    Both means start at 0 and are too small at first; the corrections 1 - β^t make up for it, t
    being the number of updates of the parameter.

    References
    ----------
    .. [1] D. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015,
       algorithm 1.
    .. [2] S. Reddi, S. Kale, S. Kumar, "On the convergence of Adam and beyond", ICLR 2018,
       algorithm 2: AMSGrad. As in PyTorch, with Adam's corrections.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> w = tg.Tensor([1.0], requires_grad=True)
    >>> (w * 3.0).sum().backward()
    >>> tg.optim.Adam([w], lr=0.1).step()  # the first step is lr, whatever the gradient
    >>> round(w.item(), 4)
    0.9
    """

    limits: ClassVar[dict[str, Limits | None]] = {
        "lr": (0.0, inf),
        "betas": (0.0, 1.0),
        "eps": (0.0, inf),
        "weight_decay": (0.0, inf),
        "amsgrad": None,
    }
    betas = shorthand("betas", "How much of both running means is kept")
    eps = shorthand("eps", "What is added to the root")
    weight_decay = shorthand("weight_decay", "The weight decay")
    amsgrad = shorthand("amsgrad", "Whether the largest mean square stands in the root")
    _decoupled: ClassVar[bool] = False

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
        }
        super().__init__(parameters, options)

    def _slots(self, group: Group) -> tuple[str, ...]:
        return ("mean", "square", "largest") if group["amsgrad"] else ("mean", "square")

    def _counts_updates(self, group: Group) -> bool:
        return True

    def _update(self, group: Group, step: int, dtype: np.dtype[Any], *arrays: Array) -> None:
        lookup("adam_update", "cpu", dtype).function(
            group["lr"], *group["betas"], group["eps"], group["weight_decay"], self._decoupled,
            group["amsgrad"], step, *arrays,
        )  # fmt: skip


class AdamW(Adam):
    r"""Adam with decoupled weight decay.

    Parameters
    ----------
    parameters, lr, betas, eps, amsgrad
        As for :class:`Adam`.
    weight_decay : float
        λ: each step shrinks θ to (1 - α λ) θ.

    Notes
    -----
    .. math::
        \theta \leftarrow (1 - \alpha\lambda)\,\theta - \alpha\,
        \frac{\hat m}{\sqrt{\hat v} + \varepsilon},
        \qquad \hat m, \hat v \text{ as in Adam, of } g = \nabla\theta

    Added to the gradient, as in Adam, the decay is divided by √v as the gradient is: weights
    with large gradients decay less. Here all decay alike.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019,
       algorithm 2. As in PyTorch, α follows the schedule in both places.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> w = tg.Tensor([1.0], requires_grad=True)
    >>> (w * 3.0).sum().backward()
    >>> tg.optim.AdamW([w], lr=0.1, weight_decay=0.5).step()  # 0.95, less the step of 0.1
    >>> round(w.item(), 4)
    0.85
    """

    _decoupled = True

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay, amsgrad)

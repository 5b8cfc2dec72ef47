"""Stochastic gradient descent, with momentum in its several forms."""

from collections.abc import Mapping
from math import inf
from typing import Any, ClassVar

import numpy as np

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.kernels.registry import lookup
from tinygrad_cnn.optim.optimiser import Array, Optimiser, Parameters
from tinygrad_cnn.optim.parameter_groups import Group, Limits, shorthand


class SGD(Optimiser):
    r"""Stochastic gradient descent with momentum.

    Parameters
    ----------
    parameters : iterable of Tensor, or of dict
        Leaves that require a gradient, each once; or groups of them.
    lr, momentum : float
        Learning rate α, and how much of v is kept, μ, in [0, 1).
    dampening : float
        How much of the gradient v does without, τ, in [0, 1).
    weight_decay : float
        λ: times θ, added to the gradient.
    nesterov : bool
        Whether v is looked ahead; with momentum, and without dampening.

    Notes
    -----
    .. math::
        g &= \nabla\theta + \lambda\,\theta \\
        v &\leftarrow \mu\,v + (1 - \tau)\,g \\
        \theta &\leftarrow \theta - \alpha\,v
        \quad\text{or, Nesterov's form,}\quad
        \theta \leftarrow \theta - \alpha\,(g + \mu\,v)

    As in PyTorch the learning rate is outside v, and the first v is g, not dampened. A ball
    that rolls along a valley gathers speed where gradients agree; where they alternate they
    cancel. Nesterov's form takes the gradient where the momentum is about to lead, written for
    the parameters that one has.

    References
    ----------
    .. [1] B. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
       Computational Mathematics and Mathematical Physics 4(5), 1964.
    .. [2] I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization
       and momentum in deep learning", ICML 2013, section 2.

    Examples
    --------
    >>> import tinygrad_cnn as tg
    >>> w = tg.Tensor([1.0], requires_grad=True)
    >>> (w * 3.0).sum().backward()
    >>> tg.optim.SGD([w], lr=0.1).step()
    >>> round(w.item(), 6)
    0.7
    """

    limits: ClassVar[dict[str, Limits | None]] = {
        "lr": (0.0, inf),
        "momentum": (0.0, 1.0),
        "dampening": (0.0, 1.0),
        "weight_decay": (0.0, inf),
        "nesterov": None,
    }
    momentum = shorthand("momentum", "How much of v is kept")
    dampening = shorthand("dampening", "How much of the gradient v does without")
    weight_decay = shorthand("weight_decay", "What is added to the gradient, times θ")
    nesterov = shorthand("nesterov", "Whether v is looked ahead")

    def __init__(
        self,
        parameters: Parameters,
        lr: float = 0.001,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        }
        super().__init__(parameters, options)

    def _require_consistent(self, options: Mapping[str, Any]) -> None:
        if options["nesterov"] and not (options["momentum"] and not options["dampening"]):
            raise OptionError(
                "SGD: nesterov goes with momentum and without dampening; got momentum "
                f"{options['momentum']:g} and dampening {options['dampening']:g}"
            )

    def _slots(self, group: Group) -> tuple[str, ...]:
        return ("velocity",) if group["momentum"] else ()

    def _counts_updates(self, group: Group) -> bool:
        return bool(group["dampening"])

    def _update(self, group: Group, step: int, dtype: np.dtype[Any], *arrays: Array) -> None:
        dampening = group["dampening"] if step > 1 else 0.0
        lookup("sgd_update", "cpu", dtype).function(
            group["lr"], group["momentum"], dampening, group["weight_decay"], group["nesterov"],
            *arrays,
        )  # fmt: skip

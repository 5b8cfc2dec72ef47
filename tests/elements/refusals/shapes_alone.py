"""What tensors without values, and networks without memory, refuse."""

from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.errors import DeviceError

from .row import Refusal, refusal, zeros

NO_VALUES = r"of shape \(2,\) on 'shapes', which has a shape and no values"


def shapes(*sizes: int, **options: Any) -> tg.Tensor:
    return tg.zeros(*sizes, device="shapes", **options)


def written_to() -> None:
    shapes(2)[0] = 1.0


def written_from() -> None:
    zeros(2)[...] = shapes(2)


def linear() -> nn.Module:
    with nn.without_memory():
        return nn.Linear(2, 1, bias=False)


def trained() -> None:
    layer = linear()
    optimiser = tg.optim.SGD(layer.parameters(), lr=0.1)
    layer(shapes(3, 2)).sum().backward()
    optimiser.step()


def loaded() -> None:
    linear().load_state_dict({"weight": np.zeros((1, 2))})


REFUSALS: tuple[Refusal, ...] = (
    refusal("shapes-numpy", lambda: shapes(2).numpy(), DeviceError,
            f"numpy: .*{NO_VALUES}.*tg.zeros"),
    refusal("shapes-array", lambda: np.asarray(shapes(2)), DeviceError, NO_VALUES),
    refusal("shapes-item", lambda: shapes().item(), DeviceError, "item: .*no values"),
    refusal("shapes-float", lambda: float(shapes()), DeviceError, "no values"),
    refusal("shapes-format", lambda: f"{shapes():.2f}", DeviceError, "no values"),
    refusal("shapes-bool", lambda: bool(shapes()), DeviceError, "no values"),
    refusal("shapes-tolist", lambda: shapes(2).tolist(), DeviceError, f"tolist: .*{NO_VALUES}"),
    refusal("shapes-equal", lambda: shapes(2) == 0.0, DeviceError, f"equal: .*{NO_VALUES}"),
    refusal("shapes-compared", lambda: zeros(2) > shapes(2), DeviceError,
            f"greater: .*{NO_VALUES}"),
    refusal("shapes-to-cpu", lambda: shapes(2).cpu(), DeviceError, f"to: .*{NO_VALUES}"),
    refusal("shapes-scalars", lambda: shapes(2).scalars(), DeviceError, f"scalars: .*{NO_VALUES}"),
    refusal("shapes-written-to", written_to, DeviceError, f"assignment: .*{NO_VALUES}"),
    refusal("shapes-written-from", written_from, DeviceError, "assignment: .*no values"),
    refusal("shapes-nowhere", lambda: tg.zeros(2, device="gpu"), DeviceError, "zeros: .*got 'gpu'"),
    refusal("shapes-trained", trained, DeviceError, "no values.*Build"),
    refusal("shapes-loaded", loaded, DeviceError, r"no values.*models\.build"),
    refusal("shapes-state", lambda: linear().state_dict(), DeviceError, "no values"),
)  # fmt: skip

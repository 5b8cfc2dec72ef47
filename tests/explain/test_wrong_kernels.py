"""A derivation of what wrong kernels computed says so, and where."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import KernelMismatchError
from tinygrad_cnn.explain import Derivation, derive
from tinygrad_cnn.kernels import registry

from .derivation_cases import ROWS, run
from .lenet import lenet5


def turned(right: Any, *arguments: Any) -> None:
    """Forget to turn the filter round."""
    grad, weight, window, out = arguments
    right(grad, np.ascontiguousarray(weight[:, :, ::-1, ::-1]), window, out)


def one_image(right: Any, *arguments: Any) -> None:
    """Leave out the last image of the batch."""
    grad, x, window, out = arguments
    right(np.ascontiguousarray(grad[:-1]), np.ascontiguousarray(x[:-1]), window, out)


def slightly(right: Any, *arguments: Any) -> None:
    """Be wrong at one single place, in the fourth digit."""
    right(*arguments)
    place = np.unravel_index(np.argmax(np.abs(arguments[-1])), arguments[-1].shape)
    arguments[-1][place] *= 1.001


FAULTS: dict[str, tuple[str, Callable[..., None], str]] = {
    "filters not turned": ("conv2d_grad_input", turned, "δ(S2)"),
    "an image left out": ("conv2d_grad_weight", one_image, "∂L/∂C1.weight"),
    "one value": ("conv2d_grad_weight", slightly, "∂L/∂C1.weight"),
    "one value forward": ("conv2d_forward", slightly, "C1"),
    "one value of an affine map": ("affine_grad_input", slightly, "δ(sigmoid(F6))"),
    "one value of a slope": ("sigmoid_grad", slightly, "δ(F6)"),
    "one value of a mean": ("mean_pool2d_grad_input", slightly, "δ(sigmoid(C3))"),
    "one value of a loss": ("cross_entropy_grad", slightly, "δ(output)"),
}


def one_number(right: Any, *arguments: Any) -> None:
    """Be wrong at one single place: by a thousandth, or by one of whole numbers."""
    right(*arguments)
    out = arguments[-1]
    if out.dtype.kind != "f":
        out[(0,) * out.ndim] += 1
        return
    place = np.unravel_index(np.argmax(np.abs(out)), out.shape)
    out[place] = out[place] * 1.001 + 1e-4


# An operation, and the row of `derivation_cases` that runs it.
ELSEWHERE = {
    "max_pool2d_places": "maximum overlapping",  # who won, which the maximum does not show
    "max_pool2d_forward": "maximum with indices",
    "max_pool2d_share": "maximum shared at a border",
    "batch_norm_statistics": "batch norm",
    "batch_norm_grad_sums": "batch norm",
    "batch_norm_relu_grad_input": "batch norm relu",
    "local_response_norm_grad": "local response",
    "log_softmax": "log softmax",
    "lp_pool2d_grad_input": "norms",
    "windows_grad_input": "windows",
    "multi_margin_loss_grad": "margins mean",
    "cross_entropy_grad": "cross entropy mean, weighted, smoothed by 0.25",
    "dropout": "dropout",
    "place_box": "index step",
    "squared_distances_grad": "distances",
}


@pytest.fixture
def corrupted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run an operation with a kernel that is wrong; give the name of what it gets wrong."""
    operation, fault, first = request.param
    known = {kernel.variant: kernel for kernel in registry.variants(operation)}
    right = registry.lookup(operation).function if "conv" not in operation else None
    right = right or known["reference"].function
    monkeypatch.setitem(registry._KERNELS, (operation, "cpu"), known)
    registry.implements(operation, device="cpu", variant="wrong", rank=99)(
        lambda *arguments: fault(right, *arguments)
    )
    with tg.kernels.use(**{operation: "wrong"}):
        yield first
    registry._answers.clear()


@pytest.mark.parametrize("corrupted", FAULTS.values(), ids=FAULTS, indirect=True)
def test_a_wrong_kernel_is_caught_where_it_ran(corrupted: str) -> None:
    derivation = derive(lenet5(), "C1.weight", forward=True)
    wrong = [line.left.name for line, _ in derivation.disagreements()]
    assert corrupted in wrong
    text = derivation.text()
    assert "DISAGREE with what the kernels computed" in text
    assert "✗ the kernel computed" in text
    assert "**✗ the kernel computed" in derivation.markdown()
    with pytest.raises(KernelMismatchError, match=r"kernels compute what the chain rule says; got"):
        derivation.check()


@pytest.mark.parametrize(
    ("corrupted", "row"),
    [((operation, one_number, ""), row) for operation, row in ELSEWHERE.items()],
    ids=ELSEWHERE,
    indirect=["corrupted"],
)
def test_one_wrong_number_of_other_kernels_is_caught(corrupted: str, row: str) -> None:
    loss, tensors = run(ROWS[row])
    found = [derive(loss, tensor.name, forward=True).disagreements() for tensor in tensors]
    assert any(found)


def test_what_is_right_is_not_blamed() -> None:
    derivation: Derivation = derive(lenet5(), "C1.weight", forward=True)
    assert derivation.disagreements() == []
    assert derivation.check() is derivation

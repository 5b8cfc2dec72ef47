"""A kernel of one's own is held to what every kernel promises."""

from collections.abc import Iterator

import numpy as np
import pytest

from tinygrad_cnn import lab
from tinygrad_cnn.errors import UnknownNameError
from tinygrad_cnn.kernels import registry
from tinygrad_cnn.lab.contract_samples import known_operations, samples


@pytest.mark.parametrize("operation", known_operations())
def test_every_kernel_of_ours_keeps_its_promises(operation: str) -> None:
    for kernel in registry.variants(operation)[:-1]:  # the plain loops come last
        report = lab.check_kernel(operation, kernel.variant)
        assert report.is_kept or kernel.supports(None, np.dtype(np.float32)), str(report)


@pytest.fixture
def registered() -> Iterator[dict[str, registry.Kernel]]:
    """Give the variants of ReLU to change, and put them back."""
    registry.variants("relu")
    known = registry._KERNELS["relu", "cpu"]
    former = dict(known)
    yield known
    known.clear()
    known.update(former)
    registry._answers.clear()


def forgets(x: np.ndarray, out: np.ndarray) -> None:
    out.reshape(-1)[:-1] = np.maximum(x, 0).reshape(-1)[:-1]


def errs(x: np.ndarray, out: np.ndarray) -> None:
    out[...] = np.maximum(x, 0) * 1.001


def loses_nans(x: np.ndarray, out: np.ndarray) -> None:
    out[...] = np.nan_to_num(np.maximum(x, 0))


def answers(x: np.ndarray, out: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0, out=out)


def strays(x: np.ndarray, out: np.ndarray) -> None:
    out[...] = np.maximum(x, 0)
    if out.base is not None:
        out.base.reshape(-1)[-1] = 1.0


def wavers(x: np.ndarray, out: np.ndarray) -> None:
    wavers.calls = getattr(wavers, "calls", 0) + 1
    out[...] = np.maximum(x, 0) * (1 + 1e-16 * wavers.calls if x.itemsize == 8 else 1)
    out *= x.dtype.type(1) + np.finfo(x.dtype).eps * (wavers.calls % 2)


BREAKERS = [
    (forgets, "1 of 30 values were not written"),
    (errs, "off by"),
    (loses_nans, "one in argument 0 did not arrive"),
    (answers, "it returned something"),
    (strays, "the memory beside the result has changed"),
    (wavers, "two calls differ"),
]


@pytest.mark.parametrize(("function", "complaint"), BREAKERS)
def test_what_is_broken_is_said(registered: dict, function, complaint: str) -> None:
    registry.implements("relu", device="cpu", variant="mine", rank=99)(function)
    report = lab.check_kernel("relu", "mine")
    assert not report.is_kept
    assert "BROKEN" in str(report)
    assert complaint in str(report)


def test_a_kernel_that_declines_everything_was_not_tried(registered: dict) -> None:
    registry.implements(
        "relu", device="cpu", variant="shy", rank=99, supports=lambda geometry, dtype: "never"
    )(forgets)
    report = lab.check_kernel("relu", "shy")
    assert not report.is_kept
    assert "not tried" in str(report)


def test_inputs_that_cannot_be_written_are_what_is_given(registered: dict) -> None:
    seen = []
    plain = registered["reference"].function

    def look(x: np.ndarray, out: np.ndarray) -> None:
        seen.append(x.flags.writeable)
        plain(x, out)

    registry.implements("relu", device="cpu", variant="look", rank=99)(look)
    assert lab.check_kernel("relu", "look").is_kept
    assert False in seen


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"check_kernel: the known names are .*'relux'"):
        lab.check_kernel("relux", "numpy")
    with pytest.raises(UnknownNameError, match="check_kernel: relu: the known names are"):
        lab.check_kernel("relu", "fft")
    assert samples("sgd_update", np.float32) == []

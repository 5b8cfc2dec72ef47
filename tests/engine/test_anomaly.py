"""``detect_anomaly``: the first element whose numbers went bad is named, and no other."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.errors import NotFiniteError


def leaf(*values: float) -> tg.Tensor:
    return tg.Tensor(np.array(values), requires_grad=True)


def test_the_first_bad_result_is_named_with_what_it_was_computed_from() -> None:
    x = leaf(3.0, 0.0, -1.0)
    told = (
        r"got y of log with 1 of 3 NaN and 1 of 3 infinite, the first at \(1,\), "
        r"computed from x in \[-1, 3\]"
    )
    with tg.detect_anomaly(), pytest.raises(NotFiniteError, match=told):
        (F.log(x) * 0.0).sum()
    assert not tg.hooks.observers()


def test_the_layer_is_named() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    model.load_state_dict({
        "0.weight": np.ones((3, 2)), "0.bias": np.zeros(3),
        "2.weight": np.full((1, 3), 3e38), "2.bias": np.zeros(1),
    })  # fmt: skip
    with tg.detect_anomaly(), pytest.raises(NotFiniteError, match="of affine in 2 with 1 of 1"):
        model(tg.Tensor(np.ones((1, 2), np.float32)))


def test_a_bad_error_signal_is_named_although_every_result_was_finite() -> None:
    x = leaf(0.0, 4.0)
    told = r"got δ\(x\) of sqrt with 1 of 2 infinite, the first at \(0,\), computed from δ\(y\) in "
    with tg.detect_anomaly():
        y = F.sqrt(x).sum()
        with pytest.raises(NotFiniteError, match=told):
            y.backward()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_bad_number_given_is_found_where_it_is_first_used(value: float) -> None:
    with tg.detect_anomaly(), pytest.raises(NotFiniteError, match="of multiply with 1 of 2") as bad:
        leaf(1.0, value) * 2.0
    assert "x in [1, 1] but for 1 of 2" in str(bad.value)


def test_scalars_are_watched_too() -> None:
    with tg.detect_anomaly(), pytest.raises(NotFiniteError, match="of log with 1 of 1 infinite"):
        tg.Scalar(0.0).log()


def test_large_finite_values_whose_sum_overflows_are_no_anomaly() -> None:
    with tg.detect_anomaly():
        y = tg.Tensor(np.full(4, 3e38, np.float32)) * 1.0
    assert y.tolist() == [pytest.approx(3e38)] * 4

"""McNemar's test against every toss of a coin; counts against a plain loop."""

from collections.abc import Callable
from itertools import product
from math import comb, erfc, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_cnn.errors import TinygradCnnError
from tinygrad_cnn.train.paired import mcnemar, paired


@pytest.mark.parametrize("changed", range(11))
def test_every_way_a_coin_may_fall(changed: int) -> None:
    heads = [sum(tosses) for tosses in product((0, 1), repeat=changed)]
    for mended in range(changed + 1):
        unevenness = abs(2 * mended - changed)
        as_uneven = sum(abs(2 * count - changed) >= unevenness for count in heads)
        assert mcnemar(mended, changed - mended) == as_uneven / len(heads)


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_sum_of_its_definition(mended: int, spoiled: int) -> None:
    changed = mended + spoiled
    tail = sum(comb(changed, k) for k in range(min(mended, spoiled) + 1))
    assert mcnemar(mended, spoiled) == min(1.0, 2 * tail / 2**changed)
    assert mcnemar(mended, spoiled) == mcnemar(spoiled, mended)


def test_many_images() -> None:
    # With the continuity correction the normal distribution is near.
    mended, spoiled = 10_300, 10_000
    z = (mended - spoiled - 1) / sqrt(mended + spoiled)
    assert mcnemar(mended, spoiled) == pytest.approx(erfc(z / sqrt(2)), rel=1e-3)
    assert mcnemar(5000, 0) == 0.0  # 2 to the power of -4999 is no float


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_counts(pairs: list[tuple[bool, bool]]) -> None:
    before, after = (np.array(column) for column in zip(*pairs, strict=True))
    change = paired(before, after)
    assert change.mended == sum(now and not then for then, now in pairs)
    assert change.spoiled == sum(then and not now for then, now in pairs)
    assert change.gain == pytest.approx(after.mean() - before.mean())
    assert change.p_value == mcnemar(change.mended, change.spoiled)


YES = np.ones(3, np.bool_)
REFUSED = [
    (lambda: paired(YES, np.ones(3)), r"an answer is right or not; got float64"),
    (lambda: paired(YES, YES[:2]), r"of the same images; got \(3,\) and \(2,\)"),
    (lambda: paired(YES[None], YES[None]), r"shape \(N,\), .* got \(1, 3\) and \(1, 3\)"),
    (lambda: paired(YES[:0], YES[:0]), r"there are images to compare; got none"),
    (lambda: mcnemar(-1, 3), r"0 or more; got -1 and 3"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(TinygradCnnError, match=message):
        call()

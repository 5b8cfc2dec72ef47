"""The generator of masks, against numbers that its authors published, and as randomness."""

import numpy as np
import pytest

from tinygrad_cnn import kernels
from tinygrad_cnn.errors import DTypeError


def drawn(key: int, threshold: int, size: int) -> np.ndarray:
    out = np.empty(size, np.bool_)
    kernels.lookup("dropout_mask").function(key, threshold, out)
    return out


def test_the_first_words_are_those_of_the_known_answers() -> None:
    # Random123, known answers of philox4x32 with 7 rounds, counter and key 0
    for place, word in ((0, 0x5F6FB709), (64, 0x0D893F64), (128, 0x4F121F81), (192, 0x4F730A48)):
        assert not drawn(0, word, 256)[place]
        assert drawn(0, word + 1, 256)[place]


def test_a_longer_mask_begins_like_a_shorter_one() -> None:
    whole = drawn(7, 2**31, 100_000)
    for size in (1, 255, 256, 300, 16_384, 70_001):
        np.testing.assert_array_equal(drawn(7, 2**31, size), whole[:size])


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.9])
def test_as_many_places_are_kept_as_the_threshold_says(p) -> None:
    size = 1_000_000
    for key in (0, 1, 2**63 + 5):
        kept = drawn(key, round(p * 2**32), size).sum()
        assert abs(kept - p * size) < 5 * np.sqrt(p * (1 - p) * size)


def test_places_and_keys_do_not_depend_on_each_other() -> None:
    size = 400_000
    x = drawn(3, 2**31, size) * 2.0 - 1.0
    limit = 5 / np.sqrt(size)
    for shift in (1, 2, 3, 4, 16, 63, 64, 65, 128, 192, 256, 257):
        assert abs((x[shift:] * x[:-shift]).mean()) < limit, shift
    for key in (4, 2, 3 + 2**32, 3 ^ 2**63):
        y = drawn(key, 2**31, size) * 2.0 - 1.0
        assert abs((x * y).mean()) < limit, key


def test_what_is_no_mask_is_refused() -> None:
    for out in (np.empty(3), np.empty(6, np.bool_)[::2]):
        with pytest.raises(DTypeError, match=r"dropout_mask: a mask is .* truth values; got"):
            kernels.lookup("dropout_mask").function(1, 2**31, out)

"""Mean and deviation of each channel."""

import numpy as np
import pytest

from tinygrad_cnn.data import StandardiseChannels
from tinygrad_cnn.errors import DataError, OptionError, ShapeError

BYTES = np.random.default_rng(0).integers(0, 256, (7, 3, 5, 4), np.uint8)


@pytest.mark.parametrize("count", [1, 999, 1000, 2001])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_mean_and_deviation_are_those_of_each_channel(count, dtype):
    images = np.random.default_rng(count).integers(0, 256, (count, 3, 2, 3)).astype(dtype)
    images[:, 1] //= 4
    standardise = StandardiseChannels.fit(images)
    exact = images.astype(np.float64)
    np.testing.assert_allclose(standardise.mean, exact.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(standardise.deviation, exact.std((0, 2, 3)), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_standardised_channels_have_mean_zero_and_deviation_one(dtype):
    images = BYTES.astype(dtype)
    standardise = StandardiseChannels.fit(images)
    result = standardise(images)
    assert result.dtype == np.float32
    assert result.flags.c_contiguous
    np.testing.assert_allclose(result.mean((0, 2, 3), np.float64), 0.0, atol=1e-6)
    np.testing.assert_allclose(result.std((0, 2, 3), dtype=np.float64), 1.0, atol=1e-6)
    np.testing.assert_allclose(standardise.undo(result), images, atol=1e-4)
    mean, deviation = (np.array(each)[:, None, None] for each in
                       (standardise.mean, standardise.deviation))  # fmt: skip
    np.testing.assert_allclose(result, (images - mean) / deviation, atol=1e-6)


def test_one_image_and_any_layout_will_do():
    standardise = StandardiseChannels.fit(BYTES)
    np.testing.assert_array_equal(standardise(BYTES[2]), standardise(BYTES)[2])
    turned = np.ascontiguousarray(BYTES.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(standardise(turned), standardise(BYTES))
    assert standardise(BYTES[:0]).shape == (0, 3, 5, 4)


def test_pixels_of_another_unit_give_the_same():
    standardise = StandardiseChannels.fit(BYTES)
    scaled = standardise.times(1 / 255)
    np.testing.assert_allclose(
        scaled((BYTES / 255).astype(np.float32)), standardise(BYTES), atol=1e-5
    )


REFUSALS = [
    (lambda: StandardiseChannels((), ()), OptionError, "for each channel; got 0 and 0"),
    (lambda: StandardiseChannels((1.0, 2.0), (1.0,)), OptionError, "for each channel; got 2 and 1"),
    (lambda: StandardiseChannels((1.0,), (0.0,)), OptionError, r"above zero; got means \(1.0,\)"),
    (lambda: StandardiseChannels((np.nan,), (1.0,)), OptionError, "are finite"),
    (lambda: StandardiseChannels.fit(BYTES[0]), ShapeError, r"\(N, C, H, W\); got \(3, 5, 4\)"),
    (lambda: StandardiseChannels.fit(BYTES[:0]), DataError, r"some pixels .* got \(0, 3, 5, 4\)"),
    (lambda: StandardiseChannels.fit(BYTES // 128 * 0), DataError, "not all equal in any channel"),
    (lambda: StandardiseChannels.fit(np.full((1, 1, 2, 2), np.inf)), DataError, "are finite"),
    (lambda: StandardiseChannels((1.0,), (1.0,))(BYTES), ShapeError, r"\(..., 1, H, W\), as many"),
    (lambda: StandardiseChannels((1.0,), (1.0,)).undo(BYTES), ShapeError, r"got \(7, 3, 5, 4\)"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSALS)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_what_cannot_be_standardised_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()

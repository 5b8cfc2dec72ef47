"""Scaling, borders and standardising."""

import numpy as np
import pytest

from tinygrad_cnn.data import Standardise, crop_and_flip, pad, to_float
from tinygrad_cnn.errors import DataError, DTypeError, OptionError, ShapeError

PIXELS = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)


@pytest.mark.parametrize("maximum", [255, 16])
def test_every_pixel_value_becomes_its_share_of_the_largest(maximum):
    pixels = np.arange(maximum + 1, dtype=np.uint8)
    scaled = to_float(pixels, maximum)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, (pixels / maximum).astype(np.float32))
    assert (scaled[0], scaled[-1]) == (0.0, 1.0)


def test_a_border_of_two_zeros_turns_28_into_32_pixels():
    images = np.random.default_rng(0).random((2, 3, 28, 28), np.float32)
    padded = pad(images)
    assert padded.shape == (2, 3, 32, 32)
    assert padded.dtype == np.float32
    np.testing.assert_array_equal(padded[:, :, 2:30, 2:30], images)
    assert padded.sum(dtype=np.float64) == images.sum(dtype=np.float64)


@pytest.mark.parametrize("shape", [(4, 6), (0, 1, 4, 6), (2, 4, 6)])
def test_a_border_makes_images_square_and_leaves_other_axes(shape):
    padded = pad(np.ones(shape, np.uint8), 8)
    assert padded.shape == (*shape[:-2], 8, 8)
    assert padded.dtype == np.uint8


@pytest.mark.parametrize("count", [1, 999, 1000, 2001])
def test_mean_and_deviation_are_those_of_all_pixels(count):
    images = np.random.default_rng(count).normal(5.0, 3.0, (count, 1, 4, 4)).astype(np.float32)
    standardise = Standardise.fit(images)
    assert standardise.mean == pytest.approx(images.mean(dtype=np.float64), rel=1e-12)
    assert standardise.deviation == pytest.approx(images.std(dtype=np.float64), rel=1e-12)


def test_a_small_deviation_far_from_zero_is_measured_exactly():
    images = np.array([[1e6 - 1.0, 1e6 + 1.0]] * 5000)
    assert Standardise.fit(images) == Standardise(mean=1e6, deviation=1.0)


def test_standardised_pixels_have_mean_zero_and_deviation_one():
    images = to_float(PIXELS)
    standardise = Standardise.fit(images)
    result = standardise(images)
    assert result.dtype == np.float32
    assert result.mean(dtype=np.float64) == pytest.approx(0.0, abs=1e-6)
    assert result.std(dtype=np.float64) == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(standardise.undo(result), images, atol=1e-6)


def test_the_test_images_get_the_numbers_of_the_training_images():
    standardise = Standardise(mean=2.0, deviation=4.0)
    assert standardise(np.array([2, 6, 10], np.uint8)).tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "transform", [to_float, pad, Standardise(1.0, 2.0), Standardise(1.0, 2.0).undo]
)
def test_no_transform_changes_or_shares_its_input(transform):
    pixels = PIXELS.copy()
    pixels.flags.writeable = False
    result = transform(pixels)
    assert not np.shares_memory(result, pixels)
    np.testing.assert_array_equal(pixels, PIXELS)


def test_each_image_is_cut_out_of_itself_with_a_border_or_of_its_mirror_image():
    images = np.random.default_rng(0).integers(1, 256, (400, 3, 6, 5)).astype(np.uint8)
    kept = images.copy()
    cut = crop_and_flip(images, 1, np.random.default_rng(1))
    np.testing.assert_array_equal(images, kept)
    assert (cut.shape, cut.dtype) == (images.shape, images.dtype)
    wide = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    found = np.zeros((3, 3, 2), int)
    for top, left, flip in np.ndindex(found.shape):
        window = wide[:, :, top : top + 6, left : left + 5]
        window = window[..., ::-1] if flip else window
        found[top, left, flip] = (window == cut).all((1, 2, 3)).sum()
    assert found.sum() == 400  # each one in one way, and all ways about equally often
    assert 8 <= found.min() <= found.max() <= 45


def test_equal_generators_cut_out_equal_windows_and_another_layout_changes_nothing():
    images = np.random.default_rng(0).random((9, 2, 4, 7), np.float32)
    first = crop_and_flip(images, 3, np.random.default_rng(5))
    turned = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(crop_and_flip(turned, 3, np.random.default_rng(5)), first)


REFUSALS = [
    (lambda: crop_and_flip(PIXELS[0], 1, None), ShapeError, r"\(N, C, H, W\); got \(1, 16, 16\)"),
    (lambda: crop_and_flip(PIXELS, -1, None), OptionError, "crop_and_flip: border .*; got -1"),
    (lambda: to_float(np.ones(3, np.float32)), DTypeError, "to_float: .*uint8.*; got float32"),
    (lambda: to_float(PIXELS, 0), OptionError, "to_float: maximum .* 1 to 255; got 0"),
    (lambda: to_float(PIXELS, 256), OptionError, "to_float: maximum .* 1 to 255; got 256"),
    (lambda: to_float(PIXELS, 16), DataError, "at most maximum; got maximum 16 and a pixel of 255"),
    (lambda: pad(np.ones(3)), ShapeError, r"pad: images have shape \(..., H, W\); got \(3,\)"),
    (lambda: pad(PIXELS, 15), OptionError, "pad: .*; got images of 16x16 and size 15"),
    (lambda: pad(PIXELS, 14), OptionError, "pad: .*; got images of 16x16 and size 14"),
    (lambda: pad(PIXELS, 17), OptionError, "pad: .*equally wide.*16x16 and size 17"),
    (lambda: pad(PIXELS[..., :15], 18), OptionError, "pad: .*equally wide.*16x15 and size 18"),
    (lambda: Standardise(0.0, 0.0), OptionError, "above zero; got mean 0.0 and deviation 0.0"),
    (lambda: Standardise(0.0, -1.0), OptionError, "above zero; got mean 0.0 and deviation -1.0"),
    (lambda: Standardise(np.nan, 1.0), OptionError, "are finite, .*; got mean nan"),
    (lambda: Standardise.fit(PIXELS[:0]), DataError, r"some pixels are needed; got \(0, 1, 16"),
    (lambda: Standardise.fit(np.ones((2, 2))), DataError, "not all equal; got mean 1.0"),
    (lambda: Standardise.fit(np.array([[1.0, np.nan]])), DataError, "finite .*; got mean nan"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSALS)
def test_what_cannot_be_transformed_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()

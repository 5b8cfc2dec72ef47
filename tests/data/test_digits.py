"""The embedded digits, their enlargement, and loading by name."""

import numpy as np
import pytest

from tinygrad_cnn import data
from tinygrad_cnn.data import load_digits, upsample
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError, UnknownNameError


def whole_set():
    train, test = load_digits("writers")
    return np.concatenate([train.images, test.images]), np.concatenate([train.labels, test.labels])


def test_the_digits_are_those_that_scikit_learn_carries():
    datasets = pytest.importorskip("sklearn.datasets")
    published = datasets.load_digits()
    images, labels = whole_set()
    np.testing.assert_array_equal(images[:, 0], published.images)
    np.testing.assert_array_equal(labels, published.target)


def test_there_are_1797_images_of_0_to_16_in_the_published_class_counts():
    images, labels = whole_set()
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == np.uint8
    assert (images.min(), images.max()) == (0, 16)
    # optdigits.names, "Class Distribution", testing set.
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(labels).tolist() == counts
    assert labels[:10].tolist() == list(range(10))


def test_every_fifth_image_is_a_test_image():
    images, labels = whole_set()
    train, test = load_digits()
    assert (len(train), len(test)) == (1438, 359)
    index = np.arange(1797)
    np.testing.assert_array_equal(test.images, images[index % 5 == 4])
    np.testing.assert_array_equal(test.labels, labels[index % 5 == 4])
    np.testing.assert_array_equal(train.images, images[index % 5 != 4])
    np.testing.assert_array_equal(train.labels, labels[index % 5 != 4])


def test_the_last_360_images_are_the_test_images_of_the_writers_split():
    train, test = load_digits("writers")
    assert (len(train), len(test)) == (1437, 360)
    assert test.class_names == tuple("0123456789")


def enlarged_by_the_formula(image, size):
    """The equation of upsample's docstring, one pixel at a time."""
    side = len(image)
    factor = 0.75 * size / side
    result = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            row = (i + 0.5 - size / 2) / factor + side / 2 - 0.5
            column = (j + 0.5 - size / 2) / factor + side / 2 - 0.5
            for p in range(side):
                for q in range(side):
                    weight = max(0.0, 1.0 - abs(row - p)) * max(0.0, 1.0 - abs(column - q))
                    result[i, j] += weight * image[p, q]
    return result


@pytest.mark.parametrize(("side", "size"), [(8, 32), (8, 11), (8, 28), (5, 9), (3, 4), (1, 6)])
def test_enlarging_follows_its_equation(side, size):
    image = np.random.default_rng(size).random((side, side), np.float32)
    result = upsample(image[None, None], size)
    assert result.shape == (1, 1, size, size)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[0, 0], enlarged_by_the_formula(image, size), atol=1e-6)


def test_enlarging_keeps_the_ink_the_range_and_the_symmetry():
    images = np.random.default_rng(0).random((4, 2, 8, 8), np.float32)
    result = upsample(images)
    np.testing.assert_allclose(result.sum((2, 3)), 9.0 * images.sum((2, 3)), rtol=1e-5)
    assert result.min() >= 0.0
    assert result.max() <= images.max()
    np.testing.assert_array_equal(upsample(images.swapaxes(2, 3)).shape, result.shape)
    np.testing.assert_allclose(upsample(images[..., ::-1]), result[..., ::-1], atol=1e-6)
    np.testing.assert_allclose(upsample(images.swapaxes(2, 3)), result.swapaxes(2, 3), atol=1e-6)


def test_the_margin_is_empty_and_the_field_full_to_its_inside():
    result = upsample(np.ones((1, 1, 8, 8), np.float32))[0, 0]
    used = np.flatnonzero(result.any(axis=0))
    # 24 pixels in the middle of 32 and the fade of half a source pixel on each side.
    assert (used[0], used[-1]) == (3, 28)
    np.testing.assert_array_equal(result[5:27, 5:27], 1.0)


def test_no_images_enlarge_to_no_images():
    assert upsample(np.zeros((0, 1, 8, 8), np.float32)).shape == (0, 1, 32, 32)


SMALL = np.zeros((1, 1, 8, 8), np.float32)
REFUSALS = [
    (lambda: load_digits("random"), OptionError, "one of interleaved, writers; got 'random'"),
    (lambda: upsample(SMALL[..., :7]), ShapeError, r"\(N, C, side, side\); got \(1, 1, 8, 7\)"),
    (lambda: upsample(SMALL[0]), ShapeError, r"\(N, C, side, side\); got \(1, 8, 8\)"),
    (lambda: upsample(SMALL.astype(np.uint8)), DTypeError, "are float32.*to_float; got uint8"),
    (lambda: upsample(SMALL, 10), OptionError, "at least 4/3 .*; got size 10 for images of 8x8"),
    (lambda: upsample(SMALL[..., :0, :0]), OptionError, "at least 4/3 .*images of 0x0"),
    (lambda: data.load("digit"), UnknownNameError, r"got 'digit'\. Did you mean 'digits'\?"),
    (lambda: data.load("fashion-mnist"), UnknownNameError, r"Did you mean 'fashion_mnist'\?"),
    (
        lambda: data.load("xyz"),
        UnknownNameError,
        "known names are cifar10, cifar100, .*, kmnist, mnist; got 'xyz'$",
    ),
    (
        lambda: data.load("digits", split="half"),
        OptionError,
        "data.load: split of digits is one of interleaved, writers; got 'half'",
    ),
    (
        lambda: data.load("mnist", split="writers"),
        OptionError,
        "data.load: split of mnist is one of published; got 'writers'",
    ),
    (lambda: data.load("digits", image_size=10), OptionError, "upsample: size is at least"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSALS)
def test_what_does_not_exist_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("image_size", [32, 28, 8])
@pytest.mark.parametrize(("split", "counts"), [(None, (1438, 359)), ("writers", (1437, 360))])
def test_loaded_digits_are_standardised_and_of_the_size_asked_for(image_size, split, counts):
    loaded = data.load("digits", image_size=image_size, split=split)
    train, test = loaded
    assert (len(train), len(test)) == counts
    for part in loaded:
        assert part.images.shape[1:] == (1, image_size, image_size)
        assert part.images.dtype == np.float32
        assert part.images.flags.c_contiguous
        assert part.labels.dtype == np.int64
    assert train.images.mean(dtype=np.float64) == pytest.approx(0.0, abs=1e-6)
    assert train.images.std(dtype=np.float64) == pytest.approx(1.0, abs=1e-6)
    assert loaded.class_names == tuple("0123456789")
    assert loaded.standardise is test.standardise
    assert loaded.standardise.undo(test.images).max() == pytest.approx(1.0, abs=1e-6)


def test_the_same_call_gives_the_same_bits():
    first, second = data.load("digits"), data.load("digits")
    assert first.train.images.tobytes() == second.train.images.tobytes()
    assert first.test.images.tobytes() == second.test.images.tobytes()


def test_the_size_as_published_leaves_the_pixels_alone():
    train, _ = data.load("digits", image_size=8)
    pixels = train.standardise.undo(train.images) * 16
    np.testing.assert_allclose(pixels, load_digits().train.images, atol=1e-4)

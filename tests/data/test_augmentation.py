"""Transforms that draw: each picture against NumPy's own, and what it may depend on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_cnn.data import (
    ArrayDataset,
    CentreCrop,
    Compose,
    Cutout,
    DataLoader,
    Draws,
    ElasticDistortion,
    Normalise,
    PCAColourJitter,
    RandomCrop,
    RandomFlip,
    Standardise,
    ten_crops,
)
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError


def pixels(count=40, channels=3, height=9, width=7):
    rng = np.random.default_rng(count)
    return rng.integers(1, 256, (count, channels, height, width)).astype(np.uint8)


def draws_for(images, seed=0):
    return Draws(seed, 0, np.arange(len(images)))


JITTER = PCAColourJitter([0.2, 0.02, 0.005], np.linalg.qr(np.arange(9.0).reshape(3, 3) ** 2)[0])
TRANSFORMS = [
    RandomCrop(padding=4),
    RandomCrop((5, 4)),
    RandomCrop(3, padding=1, repeat=True),
    RandomFlip(),
    Cutout(4),
    ElasticDistortion(scale=10.0, deviation=2.0),
    JITTER,
    Compose([RandomCrop(padding=2), Compose([RandomFlip(), Cutout(3)]), JITTER, Standardise(9, 2)]),
]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
def test_a_picture_depends_on_seed_epoch_and_example_alone(transform):
    images = pixels()
    dataset = ArrayDataset(images, np.arange(len(images)))

    def pictures(**options):
        loader = DataLoader(dataset, transform=transform, seed=3, **options)
        found = {}
        for epoch in range(2):
            for batch, labels in loader:
                found.update({(epoch, label): batch[n].tobytes() for n, label in enumerate(labels)})
        return found

    alone = pictures(batch_size=1)
    for batch_size, workers, prefetch in ((7, 0, 0), (40, 1, 1), (3, 2, 4)):
        generator = np.random.default_rng(batch_size)
        options = {"shuffle": True, "num_workers": workers, "prefetch": prefetch}
        assert pictures(batch_size=batch_size, generator=generator, **options) == alone
    changed = [alone[0, n] != alone[1, n] for n in range(len(images))]
    assert np.mean(changed) > 0.3  # another epoch, another picture


@pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
def test_no_transform_changes_its_input_or_shares_memory_with_it(transform):
    images = pixels()
    kept = images.copy()
    result = transform(images, draws_for(images))
    assert not np.shares_memory(result, images)
    np.testing.assert_array_equal(images, kept)
    turned = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(transform(turned, draws_for(images)), result)
    nothing = transform(images[:0], draws_for(images[:0]))
    assert nothing.shape == (0, *result.shape[1:])


@settings(max_examples=60, deadline=None)
@given(
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    size=st.none() | st.tuples(st.integers(1, 12), st.integers(1, 12)),
    padding=st.integers(0, 5),
    repeat=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_a_crop_is_a_part_of_the_padded_image(sides, size, padding, repeat, seed):
    images = pixels(5, 2, *sides)
    height, width = size or sides
    crop = RandomCrop(size, padding, repeat)
    if height > sides[0] + 2 * padding or width > sides[1] + 2 * padding:
        with pytest.raises(OptionError, match="RandomCrop: the window is no larger than"):
            crop(images, draws_for(images, seed))
        return
    got = crop(images, draws_for(images, seed))
    assert (got.shape, got.dtype) == ((5, 2, height, width), images.dtype)
    border = [(0, 0), (0, 0), (padding, padding), (padding, padding)]
    wide = np.pad(images, border, "edge" if repeat else "constant")
    windows = np.lib.stride_tricks.sliding_window_view(wide, (height, width), (2, 3))
    found = (windows.transpose(0, 2, 3, 1, 4, 5) == got[:, None, None]).all((3, 4, 5))
    assert found.any((1, 2)).all()


def test_all_places_of_a_crop_are_equally_likely():
    position = np.arange(1, 82).reshape(1, 1, 9, 9).repeat(20_000, 0).astype(np.uint8)
    corner = RandomCrop(6)(position, draws_for(position))[:, 0, 0, 0]
    counts = np.bincount(corner)[1:].reshape(-1)
    counts = counts[counts > 0]
    assert counts.size == 16
    expected = 20_000 / 16
    assert abs(np.square(counts - expected).sum() / expected - 15) < 5 * np.sqrt(30)


@given(seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=20)
def test_to_flip_twice_changes_nothing_and_about_half_are_flipped(seed):
    images = pixels(200, 1, 3, 4)
    flip = RandomFlip()
    once = flip(images, draws_for(images, seed))
    np.testing.assert_array_equal(flip(once, draws_for(images, seed)), images)
    flipped = (once == images[..., ::-1]).all((1, 2, 3))
    kept = (once == images).all((1, 2, 3))
    assert (flipped | kept).all()
    assert 60 < flipped.sum() < 140


def test_probabilities_of_zero_and_one_flip_none_and_all():
    images = pixels()
    np.testing.assert_array_equal(RandomFlip(0.0)(images, draws_for(images)), images)
    np.testing.assert_array_equal(RandomFlip(1.0)(images, draws_for(images)), images[..., ::-1])


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 12), seed=st.integers(0, 1000))
def test_cutout_covers_a_square_around_a_pixel(size, seed):
    images = pixels(6, 2, 8, 5)
    covered = Cutout(size)(images, draws_for(images, seed))
    hole = covered == 0
    np.testing.assert_array_equal(covered[~hole], images[~hole])
    np.testing.assert_array_equal(hole[:, 0], hole[:, 1])
    row = draws_for(images, seed).integers(0, 8)  # of the middle; drawn first
    for mask in hole[:, 0]:
        down, across = mask.any(1), mask.any(0)
        np.testing.assert_array_equal(mask, down[:, None] & across)
        for line, length in ((down, 8), (across, 5)):
            places = np.flatnonzero(line)
            assert np.ptp(places) + 1 == len(places) <= size
            inside = places[0] > 0 and places[-1] < length - 1
            assert not inside or len(places) == size
            assert len(places) >= min(length, size // 2)
    assert hole[np.arange(6), 0, row].any(1).all()


def test_the_middle_of_a_cutout_may_be_any_pixel():
    images = np.ones((20_000, 1, 4, 5), np.uint8)
    holes = Cutout(1)(images, draws_for(images)) == 0
    assert (holes.sum((1, 2, 3)) == 1).all()
    counts = holes.sum((0, 1))
    assert abs(np.square(counts - 1000).sum() / 1000 - 19) < 5 * np.sqrt(38)


def test_the_ten_crops_are_corners_middle_and_their_mirror_images():
    images = pixels(3, 2, 8, 7)
    crops = ten_crops(images, (4, 3))
    assert crops.shape == (3, 10, 2, 4, 3)
    for k, (top, left) in enumerate(((0, 0), (0, 4), (4, 0), (4, 4), (2, 2))):
        window = images[:, :, top : top + 4, left : left + 3]
        np.testing.assert_array_equal(crops[:, k], window)
        np.testing.assert_array_equal(crops[:, k + 5], window[..., ::-1])
    np.testing.assert_array_equal(CentreCrop((4, 3))(images), crops[:, 4])
    np.testing.assert_array_equal(CentreCrop((4, 3))(images[0]), crops[0, 4])
    assert ten_crops(pixels(1, 3, 256, 256), 227).shape == (1, 10, 3, 227, 227)


def test_distortion_without_scale_is_none_and_its_fields_have_the_deviation_it_says():
    images = pixels(30, 1, 28, 28)
    still = ElasticDistortion(scale=0.0)(images, draws_for(images))
    np.testing.assert_array_equal(still, images.astype(np.float32))
    elastic = ElasticDistortion(34.0, 4.0)
    fields = elastic.fields(Draws(1, 0, np.arange(60)), 64, 64)
    middle = fields[:, 20:44, 20:44]
    assert middle.std() == pytest.approx(34 / (np.sqrt(3) * 2 * np.sqrt(np.pi) * 4), rel=0.05)
    # Neighbours move alike, as the Gaussian says: correlation exp(-d² / (4 σ²)).
    for distance in (1, 4, 8):
        near = np.corrcoef(
            fields[:, 20:44, 20:44].ravel(), fields[:, 20:44, 20 + distance : 44 + distance].ravel()
        )[0, 1]
        assert near == pytest.approx(np.exp(-(distance**2) / 64), abs=0.05)


def test_distortion_keeps_float64_and_the_range_of_pixels():
    images = pixels(8, 2, 12, 10)
    bent = ElasticDistortion(20.0, 3.0)(images.astype(np.float64), draws_for(images))
    assert bent.dtype == np.float64
    assert images.min() <= bent.min() <= bent.max() <= images.max()
    outside = ElasticDistortion(200.0, 3.0, repeat=False)(images, draws_for(images))
    assert (outside == 0).mean() > 0.3


IMAGES = pixels(4)
DRAWS = draws_for(IMAGES)
REFUSALS = [
    (lambda: RandomCrop(0), OptionError, "RandomCrop: size is a whole number from 1 up; got 0"),
    (lambda: RandomCrop((3, 4, 5)), OptionError, r"size is one number or .*; got \(3, 4, 5\)"),
    (lambda: RandomCrop(padding=-1), OptionError, "padding is a whole number from 0 up; got -1"),
    (lambda: RandomCrop(10)(IMAGES, DRAWS), OptionError, "9x7, padding 0 and size 10x10"),
    (lambda: RandomCrop()(IMAGES[0], DRAWS), ShapeError, r"\(N, C, H, W\); got \(3, 9, 7\)"),
    (lambda: RandomCrop()(IMAGES[:2], DRAWS), ShapeError, "2 images and draws for 4 examples"),
    (lambda: RandomFlip(1.5), OptionError, r"RandomFlip: probability lies in \[0, 1\]; got 1.5"),
    (lambda: RandomFlip(float("nan")), OptionError, "RandomFlip: probability .*; got nan"),
    (lambda: Cutout(2.5), OptionError, "Cutout: size is a whole number from 1 up; got 2.5"),
    (lambda: CentreCrop(8)(IMAGES), OptionError, "CentreCrop: .* images of 9x7 and size 8x8"),
    (lambda: ten_crops(IMAGES, 8), OptionError, "ten_crops: .* images of 9x7 and size 8x8"),
    (lambda: ten_crops(IMAGES[0], 8), ShapeError, r"ten_crops: .*got \(3, 9, 7\)"),
    (lambda: ElasticDistortion(-1.0), OptionError, "ElasticDistortion: .*got scale -1"),
    (lambda: ElasticDistortion(1.0, 0.0), OptionError, "deviation above 0, .* deviation 0.0"),
    (lambda: ElasticDistortion(np.nan), OptionError, "ElasticDistortion: .*got scale nan"),
    (lambda: Compose([3]), DTypeError, "Compose: a transform is called .*; got int"),
    (lambda: JITTER(IMAGES[:, :2], DRAWS), ShapeError, r"3 channels.*got \(4, 2, 9, 7\)"),
    (lambda: PCAColourJitter([1.0], np.eye(2)), OptionError, r"got shapes \(1,\) and \(2, 2\)"),
    (lambda: PCAColourJitter([np.nan], [[1]]), OptionError, "PCAColourJitter: .*finite"),
    (lambda: PCAColourJitter([1], [[1]], -0.1), OptionError, "PCAColourJitter: .*strength -0.1"),
    (lambda: Normalise([1, 2], [1]), OptionError, r"Normalise: .*got mean \[1, 2\]"),
    (lambda: Normalise(0.0, 0.0), OptionError, "Normalise: .*above zero; got mean 0.0"),
    (lambda: Normalise([1, 2], [1, 2])(IMAGES), ShapeError, "2 means and images of 3 channels"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSALS)
def test_what_cannot_be_transformed_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()

"""Normalising by channel, colours by their principal components, and other sizes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_cnn.data import Draws, Normalise, PCAColourJitter, Resize
from tinygrad_cnn.errors import DataError, OptionError, ShapeError

RNG = np.random.default_rng(3)
# Colours that vary mostly together, as those of photographs
MIX = np.array([[60, 10, 2], [58, -4, -5], [55, -9, 4]])
COLOURS = 120 + np.einsum("kc,nchw->nkhw", MIX, RNG.standard_normal((700, 3, 6, 5)))
PIXELS = COLOURS.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("images", [PIXELS, PIXELS.astype(np.float32), COLOURS])
def test_each_channel_gets_mean_zero_and_deviation_one(images):
    normalise = Normalise.fit(images)
    exact = images.astype(np.float64)
    np.testing.assert_allclose(normalise.mean, exact.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(normalise.deviation, exact.std((0, 2, 3)), rtol=1e-12)
    result = normalise(images)
    assert result.dtype == np.float32
    mean, deviation = (
        np.reshape(numbers, (3, 1, 1)) for numbers in (normalise.mean, normalise.deviation)
    )
    np.testing.assert_allclose(result, (exact - mean) / deviation, atol=2e-6)
    np.testing.assert_allclose(normalise.undo(result), exact, atol=1e-4)


def test_one_number_serves_all_channels():
    np.testing.assert_array_equal(Normalise(1.5, 2.0)(PIXELS), (PIXELS - np.float32(1.5)) / 2)


def test_the_colours_added_vary_as_those_of_the_training_images():
    jitter = PCAColourJitter.fit(PIXELS)
    shares = PIXELS.astype(np.float64).transpose(1, 0, 2, 3).reshape(3, -1) / 255
    covariance = np.cov(shares, bias=True)
    np.testing.assert_allclose(
        jitter.eigenvectors * jitter.eigenvalues @ jitter.eigenvectors.T, covariance, atol=1e-12
    )
    assert (np.diff(jitter.eigenvalues) < 0).all()
    examples = np.arange(20_000)
    grey = np.full((len(examples), 3, 1, 1), 100.0, np.float32)
    added = jitter(grey, Draws(0, 0, examples))[:, :, 0, 0] - 100.0
    # Σ p α λ with α of deviation 0.1 has the covariance 0.01 P Λ² Pᵀ = 0.01 C².
    wanted = 0.01 * 255**2 * covariance @ covariance
    found = added.T @ added / len(examples)
    np.testing.assert_allclose(found, wanted, atol=5 * wanted.max() * np.sqrt(2 / len(examples)))


def test_to_an_image_one_colour_is_added_whatever_the_unit_of_its_pixels():
    draws = [Draws(4, 1, np.arange(len(PIXELS))) for _ in range(2)]
    jittered = PCAColourJitter.fit(PIXELS)(PIXELS, draws[0])
    assert jittered.dtype == np.float32
    added = jittered - PIXELS
    np.testing.assert_allclose(added, added[:, :, :1, :1].repeat(6, 2).repeat(5, 3), atol=3e-5)
    scaled = PIXELS / np.float32(255)
    jitter = PCAColourJitter.fit(scaled, largest_pixel=1.0)
    np.testing.assert_allclose(jitter(scaled, draws[1]) * 255, jittered, atol=1e-3)


def matrix(before, after):
    """The equation of Resize's docstring, one weight at a time."""
    step = before / after
    weights = np.zeros((after, before))
    for i in range(after):
        for p in range(before):
            weights[i, p] = max(0.0, 1.0 - abs(p + 0.5 - (i + 0.5) * step) / max(step, 1.0))
    return weights / weights.sum(1, keepdims=True)


@settings(max_examples=60, deadline=None)
@given(
    before=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    after=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
def test_resizing_follows_its_equation(before, after):
    images = np.random.default_rng(before).random((2, 3, *before))
    wanted = matrix(before[0], after[0]) @ images @ matrix(before[1], after[1]).T
    result = Resize(after)(images)
    np.testing.assert_allclose(result, wanted, atol=1e-12)
    single = Resize(after)(images.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, wanted, atol=1e-6)
    assert not np.shares_memory(result, images)


@pytest.mark.parity
@pytest.mark.parametrize("size", [(5, 17), (16, 9), (11, 13), (40, 3)])
def test_resizing_is_that_of_pytorch(size):
    import torch

    images = np.random.default_rng(0).random((2, 3, 11, 13))
    wanted = torch.nn.functional.interpolate(
        torch.from_numpy(images), size, mode="bilinear", antialias=True
    )
    np.testing.assert_allclose(Resize(size)(images), wanted.numpy(), atol=1e-12)


def test_resizing_is_that_of_pillow():
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).random((11, 13)).astype(np.float32)
    wanted = image.fromarray(pixels).resize((7, 19), image.Resampling.BILINEAR)
    np.testing.assert_allclose(Resize((19, 7))(pixels), np.asarray(wanted), atol=1e-6)


@pytest.mark.parametrize(
    ("size", "before", "after"),
    [(256, (480, 640), (256, 341)), (4, (8, 6), (5, 4)), (3, (3, 3), (3, 3)), (6, (3, 4), (6, 8))],
)
def test_one_number_is_the_shorter_side(size, before, after):
    assert Resize(size).of(*before) == after
    assert Resize(size)(np.zeros((1, *before), np.uint8)).shape == (1, *after)


REFUSALS = [
    (lambda: Normalise.fit(PIXELS[:0]), DataError, r"some pixels are needed; got \(0, 3, 6, 5\)"),
    (lambda: Normalise.fit(np.ones((2, 1, 2, 2))), DataError, "not all equal; got mean"),
    (lambda: Normalise.fit(PIXELS[0]), ShapeError, r"Normalise.fit: .*; got \(3, 6, 5\)"),
    (
        lambda: PCAColourJitter.fit(np.full((1, 3, 2, 2), np.inf)),
        DataError,
        "PCAColourJitter.fit: pixels are finite",
    ),
    (lambda: Resize(0), OptionError, "Resize: size is a whole number from 1 up; got 0"),
    (lambda: Resize("big"), OptionError, "Resize: size is a whole number from 1 up; got 'big'"),
    (lambda: Resize(3)(np.zeros((3, 0, 4))), ShapeError, r"Resize: .*; got \(3, 0, 4\)"),
    (lambda: Resize(3)(np.zeros(3)), ShapeError, r"Resize: .*; got \(3,\)"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSALS)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_makes_no_sense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()

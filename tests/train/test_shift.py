import numpy as np
import pytest

from tinygrad_cnn.train import shifted


def test_without_a_shift_nothing_is_drawn(generator: np.random.Generator) -> None:
    images = generator.normal(size=(3, 1, 5, 4)).astype(np.float32)
    before = generator.bit_generator.state
    assert shifted(images, 0, generator) is images
    assert generator.bit_generator.state == before


@pytest.mark.parametrize("shape", [(1, 1, 5, 4), (7, 3, 6, 6), (4, 2, 1, 9)])
def test_each_image_is_a_window_of_itself_with_repeated_edges(
    shape: tuple[int, ...], generator: np.random.Generator
) -> None:
    images = generator.normal(size=shape).astype(np.float32)
    kept = images.copy()
    moved = shifted(images, 2, generator)
    assert moved.shape == shape
    assert moved.dtype == np.float32
    assert moved.flags.c_contiguous
    np.testing.assert_array_equal(images, kept)
    padded = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
    for before, after in zip(padded, moved, strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(before, shape[2:], axis=(1, 2))
        equal = [
            np.array_equal(windows[:, row, column], after)
            for row in range(5)
            for column in range(5)
        ]
        assert any(equal)


def test_all_shifts_are_drawn_about_equally_often(generator: np.random.Generator) -> None:
    images = np.zeros((4000, 1, 5, 5), np.float32)
    images[:, :, 2, 2] = 1.0
    share = shifted(images, 1, generator).mean(axis=(0, 1))
    np.testing.assert_allclose(share[1:4, 1:4], 1 / 9, atol=0.02)
    assert share.sum() == pytest.approx(1.0, abs=1e-5)

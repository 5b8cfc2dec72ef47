"""The unrolled matrix of a convolution, and its picture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import ShapeError
from tinygrad_cnn.explain import draw_weight_matrix, weight_matrix

IMAGE = (4, 5, 6)


@pytest.mark.parametrize(
    ("filters", "options"),
    [
        ((3, 4, 2, 3), {}),
        ((3, 4, 3, 3), {"stride": (2, 1), "padding": 1}),
        ((2, 4, 2, 2), {"padding": ((0, 2), (1, 0)), "dilation": (3, 2)}),
        ((6, 2, 2, 2), {"groups": 2, "flip": True}),
        ((4, 1, 3, 2), {"groups": 4, "padding": "same"}),
    ],
    ids=str,
)
def test_the_matrix_does_what_the_convolution_does(
    filters: tuple[int, ...], options: dict[str, Any], generator: np.random.Generator
) -> None:
    weight, image = generator.normal(size=filters), generator.normal(size=IMAGE)
    matrix = weight_matrix(tg.Tensor(weight), IMAGE, **options)
    answer = F.conv2d(tg.Tensor(image[None]), tg.Tensor(weight), **options).numpy()
    assert matrix.shape == (answer.size, image.size)
    assert matrix.dtype == np.float64
    np.testing.assert_allclose(matrix @ image.ravel(), answer.ravel(), rtol=1e-12, atol=1e-13)


def test_the_gradient_of_the_input_is_the_transposed_matrix(generator: np.random.Generator) -> None:
    weight, signal = generator.normal(size=(2, 1, 3, 3)), generator.normal(size=(1, 2, 3, 4))
    matrix = weight_matrix(weight, (1, 5, 6))
    x = tg.Tensor(np.zeros((1, 1, 5, 6)), requires_grad=True)
    F.conv2d(x, tg.Tensor(weight)).backward(tg.Tensor(signal))
    np.testing.assert_allclose(x.grad.numpy().ravel(), matrix.T @ signal.ravel(), rtol=1e-12)


def test_a_stride_takes_rows_out_of_the_matrix(generator: np.random.Generator) -> None:
    weight = generator.normal(size=(1, 1, 3, 3))
    dense, strided = weight_matrix(weight, (1, 5, 5)), weight_matrix(weight, (1, 5, 5), 2)
    np.testing.assert_array_equal(strided, dense.reshape(3, 3, 25)[::2, ::2].reshape(4, 25))


@pytest.mark.parametrize("shape", [(5, 5), (1, 0, 5), (1, 5, 2.5), "a.png", np.ones((1, 2, 2))])
def test_an_image_of_other_than_three_sizes_is_refused(shape: Any) -> None:
    with pytest.raises(ShapeError, match=r"weight_matrix: an image is \(C, H, W\), in pixels; got"):
        weight_matrix(np.ones((1, 1, 2, 2)), shape)


def test_the_picture_is_the_same_file_each_time(tmp_path: Path) -> None:
    weight = np.random.default_rng(0).normal(size=(2, 1, 3, 3))
    for name in ("one.png", "two.png"):
        draw_weight_matrix(weight, (1, 5, 5), tmp_path / name, padding=1)
    one, two = (tmp_path / name for name in ("one.png", "two.png"))
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes().startswith(b"\x89PNG")


def test_large_matrices_and_zero_weights_are_drawn_too(tmp_path: Path) -> None:
    draw_weight_matrix(tg.Tensor(np.zeros((3, 2, 2, 2))), (2, 7, 9), tmp_path / "zeros.png")
    draw_weight_matrix(np.ones((1, 1, 1, 1)), (1, 1, 1), tmp_path / "one.png")
    assert (tmp_path / "zeros.png").exists()

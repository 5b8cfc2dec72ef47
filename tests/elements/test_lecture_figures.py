"""Figures and formulas of the lectures, worked out again by the elements."""

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.elements.conv import Conv2dElement
from tinygrad_cnn.graph import Node
from tinygrad_cnn.kernels.geometry import Window

IMAGE = [[1, 2, 3, 4, 5], [2, 1, 0, 1, 2], [3, 0, 1, 1, 0], [1, 4, 1, 1, 2], [2, 1, 1, 0, 0]]
FILTER = [[1, 0, 1], [1, 0, 1], [0, 1, 0]]
SECOND_IMAGE = [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
SECOND_FILTER = [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


def tensor(values: Any, requires_grad: bool = False) -> tg.Tensor:
    return tg.Tensor(np.array(values, np.float64), requires_grad=requires_grad)


def shapes(*given: tuple[int, ...]) -> list[Node]:
    """Return stand-ins for values of these shapes: enough to count with."""
    return [Node(shape, np.dtype(np.float32), "cpu") for shape in given]


# -- convolution -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stride", "expected"),
    [(1, [[6, 9, 11], [10, 4, 4], [7, 7, 4]]), (2, [[6, 11], [7, 4]])],
)
def test_the_filter_slides_over_the_image(stride: int, expected: Any) -> None:
    assert F.conv2d(tensor([[IMAGE]]), tensor([[FILTER]]), stride=stride).tolist() == [[expected]]


def test_the_first_value_of_the_second_image_is_four() -> None:
    result = F.conv2d(tensor([[SECOND_IMAGE]]), tensor([[SECOND_FILTER]]))
    assert result[0, 0, 0, 0].item() == 4


@pytest.fixture
def worked_example() -> dict[str, Any]:
    """One row of five pixels, a filter of three, and what backward() makes of it."""
    x, w, delta = [2.0, -3.0, 5.0, 7.0, -11.0], [13.0, 17.0, -19.0], [23.0, -29.0, 31.0]
    row, bank = tensor([[[x]]], requires_grad=True), tensor([[[w]]], requires_grad=True)
    y = F.conv2d(row, bank)
    y.backward(tensor([[[delta]]]))
    return {
        "x": x,
        "w": w,
        "δ": delta,
        "y": y.tolist()[0][0][0],
        "to_x": row.grad.tolist()[0][0][0],
        "to_w": bank.grad.tolist()[0][0][0],
    }


# Lists of (index of δ, index of its factor), all counted from 1 as in the lecture.
FILTER_GRADIENT = {
    1: [(1, 1), (2, 2), (3, 3)],
    2: [(1, 2), (2, 3), (3, 4)],
    3: [(1, 3), (2, 4), (3, 5)],
}
INPUT_SIGNAL = {
    1: [(1, 1)],
    2: [(1, 2), (2, 1)],
    3: [(1, 3), (2, 2), (3, 1)],
    4: [(2, 3), (3, 2)],
    5: [(3, 3)],
}


@pytest.mark.parametrize("n", [1, 2, 3])
def test_each_output_is_the_filter_on_its_window(worked_example: Any, n: int) -> None:
    x, w = worked_example["x"], worked_example["w"]
    assert worked_example["y"][n - 1] == sum(w[i] * x[n - 1 + i] for i in range(3))


@pytest.mark.parametrize("i", FILTER_GRADIENT)
def test_the_gradient_of_a_filter_weight_is_a_valid_correlation(
    worked_example: Any, i: int
) -> None:
    x, delta = worked_example["x"], worked_example["δ"]
    expected = sum(delta[d - 1] * x[p - 1] for d, p in FILTER_GRADIENT[i])
    assert worked_example["to_w"][i - 1] == expected


@pytest.mark.parametrize("n", INPUT_SIGNAL)
def test_the_error_signal_of_a_pixel_is_a_full_convolution(worked_example: Any, n: int) -> None:
    w, delta = worked_example["w"], worked_example["δ"]
    expected = sum(delta[d - 1] * w[p - 1] for d, p in INPUT_SIGNAL[n])
    assert worked_example["to_x"][n - 1] == expected
    assert np.convolve(delta, w)[n - 1] == expected


def test_the_worked_example_is_the_one_dimensional_convolution(worked_example: Any) -> None:
    row = tensor([[worked_example["x"]]], requires_grad=True)
    bank = tensor([[worked_example["w"]]], requires_grad=True)
    y = F.conv1d(row, bank)
    y.backward(tensor([[worked_example["δ"]]]))
    assert y.tolist() == [[worked_example["y"]]]
    assert row.grad.tolist() == [[worked_example["to_x"]]]
    assert bank.grad.tolist() == [[worked_example["to_w"]]]


def test_the_true_convolution_flips_the_filter() -> None:
    x, w = [2.0, -3.0, 5.0, 7.0, -11.0], [13.0, 17.0, -19.0]
    result = F.conv1d(tensor([[x]]), tensor([[w]]), flip=True)
    assert result.tolist() == [[np.convolve(x, w, mode="valid").tolist()]]
    image, bank = tensor([[IMAGE]]), tensor([[FILTER]])
    turned = tensor([[np.array(FILTER)[::-1, ::-1]]])
    assert F.conv2d(image, bank, flip=True).tolist() == F.conv2d(image, turned).tolist()


# -- image filters as fixed convolutions -------------------------------------------------

DELTA = [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
BLUR = [[1 / 9] * 3] * 3
LAPLACE = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
HIGH_PASS = [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]
SHIFT = [[0, 0, 0], [1, 0, 0], [0, 0, 0]]  # each pixel takes the one to its left


def filtered(image: Any, taps: Any) -> Any:
    return F.conv2d(tensor([[image]]), tensor([[taps]]), padding="same").numpy()[0, 0]


def test_the_mean_filter_blurs() -> None:
    point = np.zeros((5, 5))
    point[2, 2] = 9
    expected = np.zeros((5, 5))
    expected[1:4, 1:4] = 1  # spread over its neighbours
    np.testing.assert_allclose(filtered(point, BLUR), expected, atol=1e-15)
    inner = filtered(IMAGE, BLUR)[1:-1, 1:-1]
    np.testing.assert_allclose(inner[0, 0], np.mean(np.array(IMAGE)[:3, :3]), rtol=1e-15)


@pytest.mark.parametrize("taps", [LAPLACE, HIGH_PASS], ids=["laplace", "high-pass"])
def test_filters_of_edges_answer_nothing_on_even_ground(taps: Any) -> None:
    step = np.repeat([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]], 5, axis=0)
    answer = filtered(step, taps)[1:-1, 1:-1]
    assert not filtered(np.ones((5, 5)), taps)[1:-1, 1:-1].any()
    assert not answer[:, [0, 3]].any()
    assert (answer[:, 1] == -answer[:, 2]).all()  # both sides of the edge, with two signs
    assert answer[:, 1].all()


def test_the_laplace_filter_is_the_second_difference() -> None:
    rows, columns = np.mgrid[:6, :7].astype(float)
    answer = filtered(rows**2 + 3 * columns**2, LAPLACE)[1:-1, 1:-1]
    assert (answer == 2 + 6).all()


def test_high_pass_and_nine_times_low_pass_add_up_to_nine_times_the_image() -> None:
    total = filtered(IMAGE, HIGH_PASS) + 9 * filtered(IMAGE, BLUR)
    np.testing.assert_allclose(total, 9 * filtered(IMAGE, DELTA), atol=1e-13)
    np.testing.assert_array_equal(filtered(IMAGE, DELTA), IMAGE)


def test_a_single_one_beside_the_centre_shifts_by_one_pixel() -> None:
    shifted = filtered(IMAGE, SHIFT)
    np.testing.assert_array_equal(shifted[:, 1:], np.array(IMAGE)[:, :-1])
    assert not shifted[:, 0].any()
    back = F.conv2d(tensor([[IMAGE]]), tensor([[SHIFT]]), padding="same", flip=True).numpy()[0, 0]
    np.testing.assert_array_equal(back[:, :-1], np.array(IMAGE)[:, 1:])


# -- pooling, residual, losses ---------------------------------------------------------


def test_max_pooling_keeps_the_winners_and_upsamples_to_them() -> None:
    image = tensor([[[[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]]], requires_grad=True)
    pooled = F.max_pool2d(image, 2, 2)
    assert pooled.tolist() == [[[[6, 8], [3, 4]]]]
    pooled.backward(tensor([[[[10, 20], [30, 40]]]]))
    assert image.grad.tolist() == [[[[0, 0, 0, 0], [0, 10, 0, 20], [30, 0, 0, 0], [0, 0, 0, 40]]]]


def test_mean_pooling_spreads_the_error_signal_evenly() -> None:
    image = tensor(np.arange(16).reshape(1, 1, 4, 4), requires_grad=True)
    F.avg_pool2d(image, 2).backward(tensor([[[[4, 8], [12, 16]]]]))
    assert image.grad.tolist()[0][0] == [[1, 1, 2, 2]] * 2 + [[3, 3, 4, 4]] * 2


def test_a_residual_block_adds_its_input_and_rectifies() -> None:
    x = tensor([[20, 3, 8], [41, 19, 21], [5, 52, 12]], requires_grad=True)
    branch = tensor([[32, -12, 22], [-10, -41, 1], [-30, 10, -2]], requires_grad=True)
    total = branch + x
    assert total.tolist() == [[52, -9, 30], [31, -22, 22], [-25, 62, 10]]
    result = total.relu()
    assert result.tolist() == [[52, 0, 30], [31, 0, 22], [0, 62, 10]]
    result.backward(tensor(np.ones((3, 3))))
    assert x.grad.tolist() == branch.grad.tolist() == [[1, 0, 1], [1, 0, 1], [0, 1, 1]]


def test_the_one_in_the_residual_derivative_keeps_the_signal_alive() -> None:
    x = tensor([2.0], requires_grad=True)
    (x + x * tensor([0.001])).backward()
    assert x.grad.item() == pytest.approx(1 + 0.001, rel=1e-15)


def test_affine_sends_back_the_transpose_and_outer_products() -> None:
    x, delta = tensor([[1.0, 2.0, 3.0]], requires_grad=True), tensor([[10.0, 100.0]])
    weight = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    bias = tensor([0.5, -0.5], requires_grad=True)
    F.affine(x, weight, bias).backward(delta)
    np.testing.assert_array_equal(x.grad.numpy()[0], weight.numpy().T @ [10.0, 100.0])
    np.testing.assert_array_equal(weight.grad.numpy(), np.outer([10.0, 100.0], [1.0, 2.0, 3.0]))
    assert bias.grad.tolist() == [10.0, 100.0]


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (F.sigmoid, lambda a: a * (1 - a)),
        (F.tanh, lambda a: 1 - a**2),
        (F.relu, lambda a: float(a > 0)),
    ],
)
@pytest.mark.parametrize("z", [-1.5, 0.25])
def test_activations_differentiate_as_the_table_says(function: Any, slope: Any, z: float) -> None:
    scalar = tg.Scalar(z, requires_grad=True)
    a = function(scalar)
    a.backward()
    assert scalar.grad.item() == pytest.approx(slope(a.item()), rel=1e-14)


def test_squared_error_starts_with_minus_the_difference() -> None:
    a = tensor([0.25, 0.5], requires_grad=True)
    loss = F.squared_error(a, tensor([1.0, 0.0]))
    loss.backward()
    assert loss.item() == 0.5 * (0.75**2 + 0.5**2)
    assert a.grad.tolist() == [-(1.0 - 0.25), -(0.0 - 0.5)]


def test_cross_entropy_starts_with_softmax_less_the_truth() -> None:
    scores = tensor([[1.0, 2.0, 0.5]], requires_grad=True)
    loss = F.cross_entropy(scores, np.array([1]))
    loss.backward()
    powers = np.exp([1.0, 2.0, 0.5])
    assert loss.item() == pytest.approx(-math.log(powers[1] / powers.sum()), rel=1e-14)
    np.testing.assert_allclose(scores.grad.numpy()[0], powers / powers.sum() - [0, 1, 0])


# -- sizes and counts ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "size", "stride", "padding", "expected"),
    [
        ((227, 227), 11, 4, 0, (55, 55)),
        ((64, 64), 7, 2, 0, (29, 29)),
        ((32, 32), 5, 1, 2, (32, 32)),
        ((32, 64), 5, 1, 0, (28, 60)),
        ((32, 32), 7, 1, 0, (26, 26)),
        ((64, 32), 3, 1, 1, (64, 32)),
        ((7, 7), 3, 1, 1, (7, 7)),
        ((7, 7), 3, 3, 0, (2, 2)),  # 2.33 floors
        ((55, 55), 3, 2, 0, (27, 27)),  # AlexNet's overlapping pools
        ((27, 27), 3, 2, 0, (13, 13)),
        ((13, 13), 3, 2, 0, (6, 6)),
    ],
)
def test_output_sizes(
    image: tuple[int, int], size: int, stride: int, padding: int, expected: tuple[int, int]
) -> None:
    window = Window(size, size, stride, stride, padding, padding)
    assert window.output_size(*image) == expected


@pytest.mark.parametrize("size", [1, 3, 5, 7, 11])
def test_same_padding_is_half_the_filter(size: int) -> None:
    padding = (size - 1) // 2
    assert Window(size, size, ph=padding, pw=padding).output_size(32, 20) == (32, 20)


def conv_work(image: tuple[int, ...], filters: tuple[int, ...], padding: int = 0) -> int:
    """Return the multiply-adds of a convolution with stride 1 of one image (C, H, W)."""
    window = Window(*filters[2:], ph=padding, pw=padding)
    out = (1, filters[0], *window.output_size(*image[1:]))
    element = Conv2dElement((1, 1), (padding, padding))
    return element.cost(shapes((1, *image), filters), shapes(out)).forward.multiply_adds


def test_weights_of_two_small_filters_are_fewer_than_of_a_large_one() -> None:
    count = math.prod
    assert count((3, 3, 5, 5)) == 225
    assert 2 * count((3, 3, 3, 3)) == 162
    for channels in (3, 64):
        assert 3 * count((channels, channels, 3, 3)) == 27 * channels**2
        assert count((channels, channels, 7, 7)) == 49 * channels**2


@pytest.mark.parametrize(("large", "times"), [(5, 2), (7, 3)])
def test_stacked_small_filters_see_as_far_as_a_large_one(large: int, times: int) -> None:
    x = tensor(np.zeros((1, 1, 9, 9)), requires_grad=True)
    result = x
    for _ in range(times):
        result = F.conv2d(result, tensor(np.ones((1, 1, 3, 3))), padding=1)
    result[0, 0, 4, 4].backward()
    rows, columns = np.nonzero(x.grad.numpy()[0, 0])
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == large


def test_a_fully_connected_net_has_its_counts() -> None:
    weights = [math.prod(shape) for shape in ((100, 256), (26, 100))]
    assert weights == [25_600, 2_600]
    out = F.affine(tensor(np.ones(256)), tensor(np.ones((100, 256))), tensor(np.zeros(100)))
    assert F.affine(out, tensor(np.ones((26, 100))), tensor(np.zeros(26))).shape == (26,)


def test_weights_of_vgg16_by_layer() -> None:
    blocks = [
        (64, 3),
        (64, 64),
        (128, 64),
        (128, 128),
        (256, 128),
        (256, 256),
        (512, 256),
        (512, 512),
    ]
    convs = [math.prod((out, channels, 3, 3)) for out, channels in blocks]
    assert convs == [1_728, 36_864, 73_728, 147_456, 294_912, 589_824, 1_179_648, 2_359_296]
    dense = [math.prod(shape) for shape in ((4096, 512 * 49), (4096, 4096), (1000, 4096))]
    assert dense == [102_760_448, 16_777_216, 4_096_000]


def test_the_naive_inception_module_takes_854_million_multiply_adds() -> None:
    image = (256, 28, 28)
    works = [
        conv_work(image, (128, 256, 1, 1)),
        conv_work(image, (192, 256, 3, 3), 1),
        conv_work(image, (96, 256, 5, 5), 2),
    ]
    assert works == [25_690_112, 346_816_512, 481_689_600]
    assert round(sum(works) / 1e6) == 854


def test_the_bottlenecked_inception_module_takes_271_million_not_358() -> None:
    image, narrow = (256, 28, 28), (64, 28, 28)
    works = [
        conv_work(image, (128, 256, 1, 1)),
        conv_work(image, (64, 256, 1, 1)),
        conv_work(narrow, (192, 64, 3, 3), 1),
        conv_work(image, (64, 256, 1, 1)),
        conv_work(narrow, (96, 64, 5, 5), 2),
        conv_work(image, (64, 256, 1, 1)),
    ]
    assert sum(works) == 271_351_808  # the lecture prints 358 million over these very rows


def test_two_filters_share_18_weights_where_a_dense_layer_has_450() -> None:
    filters = np.arange(1.0, 19.0).reshape(2, 1, 3, 3)
    matrix = tg.explain.weight_matrix(filters, (1, 5, 5))
    outputs = math.prod(Window(3, 3).output_size(5, 5))
    assert outputs == 9  # the lecture numbers 16, which makes 800 of the 450
    assert matrix.shape == (2 * outputs, 25)
    assert matrix.size == 450
    assert 2 * 16 * 25 == 800
    assert filters.size == len(set(matrix[matrix != 0])) == 18
    assert (np.count_nonzero(matrix, axis=1) == 9).all()


def test_a_convolution_is_a_sparse_matrix_with_repeated_weights() -> None:
    weights = tensor([[[[2.0, 3.0, 5.0]]]])
    columns = []
    for pixel in np.eye(5):
        columns.append(F.conv2d(tensor([[[pixel]]]), weights).tolist()[0][0][0])
    assert np.array(columns).T.tolist() == [[2, 3, 5, 0, 0], [0, 2, 3, 5, 0], [0, 0, 2, 3, 5]]

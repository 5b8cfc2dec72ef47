"""Xception: the counts of the paper and of Keras, shapes, separable convolutions, borders."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.models.xception import SeparableConv2d, XceptionBlock

from .at_full_size import built, count, state_shapes, summed_up


def test_the_paper_counts_what_is_trained_and_keras_the_running_statistics_too() -> None:
    assert count("xception") == 22_855_952
    running = sum(b.size for path, b in _running("xception"))
    assert running == 54_528
    assert count("xception") + running == 22_910_480


def _running(name: str) -> list[tuple[str, np.ndarray]]:
    return [
        (path, np.empty(shape))
        for path, shape in state_shapes(name)
        if path.endswith(("running_mean", "running_var"))
    ]


def test_parts_count_what_the_table_says() -> None:
    parts = {
        "conv1": 864, "norm1": 64, "conv2": 18_432, "norm2": 128, "entry.0": 35_264,
        "entry.1": 136_064, "entry.2": 915_944, "middle": 12_911_808, "exit": 2_039_584,
        "conv3": 1_582_080, "norm3": 3_072, "conv4": 3_159_552, "norm4": 4_096, "fc": 2_049_000,
    }  # fmt: skip
    assert {part: count("xception", f"{part}.") for part in parts} == parts
    assert sum(parts.values()) == 22_855_952


def test_work() -> None:
    assert summed_up("xception").multiply_adds == 8_357_403_496


def test_it_has_36_convolutions_beside_its_shortcuts() -> None:
    layers = {
        path.rpartition(".")[0].removesuffix(".depthwise").removesuffix(".pointwise")
        for path, parameter in built("xception").named_parameters()
        if len(parameter.shape) == 4 and "skip" not in path
    }
    assert len(layers) == 36  # the paper's "36 convolutional layers"


def test_a_separable_convolution_is_one_within_maps_and_one_across() -> None:
    layer = SeparableConv2d(4, 6)
    assert layer.count_parameters() == 4 * 9 + 4 * 6
    x = np.random.default_rng(0).normal(size=(1, 4, 5, 5)).astype(np.float32)
    within, across = layer.depthwise.weight.numpy(), layer.pointwise.weight.numpy()[:, :, 0, 0]
    padded = np.pad(x[0].astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    expected = np.einsum("oc,cijuv,cuv->oij", across, windows, within[:, 0])
    np.testing.assert_allclose(layer(tg.Tensor(x)).numpy()[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 5), (6, 6), (5, 6), (6, 5), (1, 1), (2, 3)])
def test_pools_begin_where_tensorflows_do(shape: tuple[int, int]) -> None:
    """A pool of the block's kind, against windows that start at -(border // 2)."""
    tg.manual_seed(0)
    block = XceptionBlock(2, (2,), rectify_first=False).eval()
    x = np.random.default_rng(0).normal(size=(1, 2, *shape)).astype(np.float32)
    before = block.norm1(block.conv1(tg.Tensor(x))).numpy()[0]
    beside = block.skip_norm(block.skip(tg.Tensor(x))).numpy()[0]
    pooled = block(tg.Tensor(x)).numpy()[0] - beside
    assert pooled.shape == (2, -(-shape[0] // 2), -(-shape[1] // 2))
    starts = [max(0, (-(-side // 2) - 1) * 2 + 3 - side) // 2 for side in shape]
    for i in range(pooled.shape[1]):
        for j in range(pooled.shape[2]):
            top, left = 2 * i - starts[0], 2 * j - starts[1]
            window = before[:, max(0, top) : top + 3, max(0, left) : left + 3]
            np.testing.assert_allclose(pooled[:, i, j], window.max((1, 2)), rtol=1e-4, atol=1e-5)


def test_a_network_without_a_middle_is_refused() -> None:
    with pytest.raises(OptionError, match="the middle flow has at least one block; got 0"):
        models.build("xception", middle=0)

"""The engine does what the lectures' reference code does, step for step."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import DTypeError, OptionError
from tinygrad_cnn.explain import record, toolbox_replay
from tinygrad_cnn.explain.toolbox_replay import FORMULAS, convn
from tinygrad_cnn.models.dlt import squared_error_of_classes

from .deep_learn_toolbox import Array, Layer, Network, convolve

STEPS, BATCH, RATE = 4, 5, 1.0
FEATURES = (12, 4, 4)  # maps of S4


def column_order() -> Array:
    """Return, for each feature of the toolbox, its place among those of flatten."""
    maps, rows, columns = FEATURES
    places = np.arange(maps * rows * columns).reshape(FEATURES)
    return places.transpose(0, 2, 1).reshape(maps, columns * rows).ravel()


def as_in_the_toolbox(model: Any) -> Network:
    """Copy the weights of our network into the toolbox's."""
    layers = [Layer("i")]
    for convolution in (model.C1, model.C3):
        weight = convolution.weight.numpy().astype(np.float64)
        outputs, inputs = weight.shape[:2]
        filters = [[weight[j, i].copy() for j in range(outputs)] for i in range(inputs)]
        layers += [Layer("c", filters, list(convolution.bias.numpy())), Layer("s")]
    output = model.output.weight.numpy()[:, column_order()]
    return Network(layers, output.copy(), model.output.bias.numpy().copy())


def maps(layer: list[Array]) -> Array:
    """Return maps (rows, columns, images) as images (N, C, H, W)."""
    return np.moveaxis(np.array(layer), -1, 0)


def close(ours: Any, theirs: Any, what: str) -> None:
    scale = float(np.abs(theirs).max())
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * scale, err_msg=what)


@pytest.fixture(scope="module")
def digits() -> tuple[Array, Any]:
    train = tg.data.load("digits", image_size=28).train
    return train.images[: STEPS * BATCH].astype(np.float64), train.labels[: STEPS * BATCH]


def test_every_value_signal_and_gradient_of_several_steps_agrees(digits: tuple[Array, Any]) -> None:
    tg.manual_seed(0)
    model = tg.models.build("dlt_cnn").double()
    theirs = as_in_the_toolbox(model)
    optimiser = tg.optim.SGD(model.parameters(), lr=RATE)
    images, labels = digits
    for step, begin in enumerate(range(0, STEPS * BATCH, BATCH)):
        batch, answers = images[begin : begin + BATCH], labels[begin : begin + BATCH]
        with record(keep="arrays") as recording:
            loss = squared_error_of_classes(model(tg.Tensor(batch)), answers)
            optimiser.zero_grad()
            loss.backward()
        theirs.forward(np.moveaxis(batch[:, 0], 0, -1))
        theirs.backward(np.eye(10)[answers].T)

        state = theirs.state
        steps = {s.scope: s for s in recording.steps}
        close(loss.item(), state["L"], f"{step} L")
        close(steps["squash5"].outputs[0].value, state["o"].T, f"{step} o")
        order = column_order()
        close(steps["flatten"].outputs[0].value[:, order], state["fv"].T, f"{step} fv")
        # Their d is N times δ: the mean over the batch stands in the gradients, not in the loss.
        close(steps["output"].outgoing[0].value * BATCH, state["od"].T, f"{step} od")
        signal = steps["flatten"].outgoing[0].value
        close(signal[:, order] * BATCH, state["fvd"].T, f"{step} fvd")
        for (c_name, squash, s_name), (c, s) in zip(
            (("C1", "squash1", "S2"), ("C3", "squash3", "S4")),
            list(pairwise(theirs.layers[1:]))[::2],
            strict=True,
        ):
            close(steps[squash].outputs[0].value, maps(c.a), f"{step} {c_name} a")
            close(steps[s_name].outputs[0].value, maps(s.a), f"{step} {s_name} a")
            close(steps[c_name].outgoing[0].value * BATCH, maps(c.d), f"{step} {c_name} d")
            close(steps[s_name].outgoing[0].value * BATCH, maps(s.d), f"{step} {s_name} d")
            convolution = getattr(model, c_name)
            close(convolution.weight.grad.numpy(), np.array(c.dk).swapaxes(0, 1), f"{step} dk")
            close(convolution.bias.grad.numpy(), np.array(c.db), f"{step} db")
        close(model.output.weight.grad.numpy()[:, order], state["d_weight"], f"{step} dffW")
        close(model.output.bias.grad.numpy(), state["d_bias"], f"{step} dffb")

        optimiser.step()
        theirs.step(RATE)
        again = as_in_the_toolbox(model)
        for mine, other in zip(again.layers, theirs.layers, strict=True):
            if mine.kind == "c":
                close(np.array(mine.k), np.array(other.k), f"{step} k")
                close(np.array(mine.b), np.array(other.b), f"{step} b")
        close(again.output_weight, theirs.output_weight, f"{step} ffW")


# -- the three columns -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_all_three_columns_give_the_same_numbers(seed: int) -> None:
    replay = toolbox_replay(np.random.default_rng(seed))
    assert [row.quantity for row in replay.rows] == list(FORMULAS)
    for row in replay.rows:
        assert row.apart < 1e-13, row.quantity
        assert len({value.shape for value in row.values}) == 1
        assert np.abs(row.values[0]).max() > 0


def test_what_the_last_column_writes_is_what_it_is(generator: np.random.Generator) -> None:
    state = generator.bit_generator.state
    rows = {row.quantity: row.values[2] for row in toolbox_replay(generator).rows}
    generator.bit_generator.state = state
    x, w = generator.normal(size=(4, 2, 6, 6)), generator.normal(size=(3, 2, 3, 3))
    signal = tg.Tensor(rows["δ(z)"])
    swapped = tg.Tensor(w.swapaxes(0, 1).copy())
    close(F.conv2d(signal, swapped, padding=2).numpy(), rows["δ(x)"], "δ(x)")
    # Images take the place of input channels, which are summed over; maps that of images.
    one, other = tg.Tensor(x.swapaxes(0, 1).copy()), tg.Tensor(rows["δ(z)"].swapaxes(0, 1).copy())
    turned = F.conv2d(one, other).numpy()[:, :, ::-1, ::-1]
    close(turned.swapaxes(0, 1), rows["∇w"], "∇w")


def test_each_slip_is_seen() -> None:
    slips = {slip.written: slip for slip in toolbox_replay().slips}
    assert slips["convn(d, rot180(k), 'valid')"].shape == (4, 2, 2, 2)
    assert slips["convn(flipall(a), d, 'full')"].shape == (3, 2, 9, 9)
    for written in ("convn(d, k, 'full')", "convn(rot180(a), d, 'valid')", "convn(a, d, 'valid')"):
        assert slips[written].shape == slips[written].right_shape
        assert (slips[written].apart or 0.0) > 0.3


def test_the_columns_are_told_with_their_reasons() -> None:
    text = str(toolbox_replay())
    for words in ("rot180: ", "'full': ", "flipall: ", "/batch: ", "wrong by", "not 4x2x6x6"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 150


@pytest.mark.parametrize("shape", ["full", "valid"])
@pytest.mark.parametrize("sizes", [((7,), (3,)), ((5, 4), (2, 4)), ((4, 5, 3), (3, 2, 3))])
def test_convn_is_the_product_of_spectra(
    sizes: Any, shape: str, generator: np.random.Generator
) -> None:
    a, b = (generator.normal(size=size) for size in sizes)
    np.testing.assert_allclose(convn(a, b, shape), convolve(a, b, shape), atol=1e-13)


def test_a_seed_is_no_generator() -> None:
    with pytest.raises(DTypeError, match=r"toolbox_replay: .*got int. Pass np.random.default_rng"):
        toolbox_replay(3)  # type: ignore[arg-type]


def test_another_word_for_a_shape_is_refused() -> None:
    with pytest.raises(OptionError, match="convn: shape is one of full, valid; got 'same'"):
        convn(np.ones(3), np.ones(2), "same")

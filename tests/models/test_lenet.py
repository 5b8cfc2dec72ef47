"""LeNet-5: the counts of the paper and of the lectures, shapes, options."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn.errors import OptionError, UnknownNameError
from tinygrad_cnn.models.lenet import C3_CONNECTIONS
from tinygrad_cnn.nn.rbf import digit_bitmaps


def layer_counts(model: tg.nn.Module) -> dict[str, int]:
    return {name: child.count_parameters() for name, child in model.named_children()}


def test_the_taught_form_has_61706_parameters() -> None:
    model = tg.models.build("lenet5")
    assert model.count_parameters() == 61_706
    assert layer_counts(model) == {
        "C1": 156, "S2": 0, "C3": 2_416, "S4": 0, "C5": 48_120, "F6": 10_164, "output": 850,
    }  # fmt: skip


def test_the_form_of_1998_has_60000_trainable_parameters_and_a_linear_output() -> None:
    model = tg.models.build("lenet5", variant="original")
    counts = layer_counts(model)
    assert counts == {
        "C1": 156, "S2": 12, "C3": 1_516, "S4": 32, "C5": 48_120, "F6": 10_164, "output": 850,
    }  # fmt: skip
    assert sum(counts.values()) - counts["output"] == 60_000
    assert model.count_parameters() == 60_850


def test_the_paper_trains_60000_parameters_and_compares_with_pictures() -> None:
    model = tg.models.build("lenet5_original")
    counts = layer_counts(model)
    assert counts == {
        "C1": 156, "S2": 12, "C3": 1_516, "S4": 32, "C5": 48_120, "F6": 10_164, "output": 0,
    }  # fmt: skip
    assert model.count_parameters() == 60_000
    assert np.array_equal(model.output.codes.reshape(10, 12, 7), digit_bitmaps())


def test_the_paper_counts_340908_connections() -> None:
    """Section II-B: those of each layer, its biases among them; 840 compare with the pictures."""
    model = tg.models.build("lenet5_original")
    connections = {
        "C1": 28 * 28 * 6 * (model.C1.fan_in + 1),
        "S2": 14 * 14 * 6 * (model.S2.fan_in + 1),
        "C3": 10 * 10 * int((model.C3.fan_in + 1).sum()),
        "S4": 5 * 5 * 16 * (model.S4.fan_in + 1),
        "C5": 120 * (model.C5.fan_in + 1),
        "F6": 84 * (model.F6.fan_in + 1),
        "output": model.output.codes.size,
    }
    assert connections == {
        "C1": 122_304, "S2": 5_880, "C3": 151_600, "S4": 2_000, "C5": 48_120, "F6": 10_164,
        "output": 840,
    }  # fmt: skip
    assert sum(connections.values()) == 340_908


def test_the_variant_of_lenet5_is_the_original_with_a_linear_output() -> None:
    states = []
    for name, options in (
        ("lenet5", {"variant": "original"}),
        ("lenet5_original", {"output": "linear"}),
    ):
        tg.manual_seed(0)
        states.append(tg.models.build(name, **options).state_dict())
    assert list(states[0]) == list(states[1])
    assert all(np.array_equal(a, b) for a, b in zip(*(s.values() for s in states), strict=True))


def test_scores_of_1998_are_penalties_turned_round() -> None:
    tg.manual_seed(0)
    model = tg.models.build("lenet5_original")
    x = np.random.default_rng(0).normal(size=(3, 1, 32, 32)).astype(np.float32)
    with tg.explain.record() as recording:
        scores = model(tg.Tensor(x))
    assert [step.name for step in recording.steps][-2:] == ["squared_distances", "negative"]
    assert (scores.numpy() < 0).all()


def test_other_classes_than_digits_get_drawn_codes() -> None:
    assert tg.models.build("lenet5_original", num_classes=26).output.codes.shape == (26, 84)


def test_table_one_connects_six_triples_nine_quadruples_and_all() -> None:
    sizes = [len(row) for row in C3_CONNECTIONS]
    assert sizes == [3] * 6 + [4] * 9 + [6]
    assert sum(sizes) == 60
    seen_by = [sum(c in row for row in C3_CONNECTIONS) for c in range(6)]
    assert seen_by == [10] * 6, "each map of S2 feeds ten maps of C3"


FORMS = [
    {},
    {"activation": "relu"},
    {"activation": "tanh"},
    {"pool": "max"},
    {"sigmoid_after": "conv"},
    {"variant": "taught"},
    {"variant": "original"},
]


@pytest.mark.parametrize("options", FORMS, ids=str)
def test_every_form_maps_images_to_scores_and_sends_gradients_everywhere(options) -> None:
    model = tg.models.build("lenet5", **options)
    x = np.random.default_rng(0).normal(size=(2, 1, 32, 32)).astype(np.float32)
    with tg.explain.record() as recording:
        scores = model(tg.Tensor(x))
        F.cross_entropy(scores, np.array([3, 7])).backward()
    assert scores.shape == (2, 10)
    made = {step.label: step.outputs[0].shape for step in recording.steps}
    assert made["C1.conv2d"] == (2, 6, 28, 28)
    assert made["S2.avg_pool2d" if options.get("pool") != "max" else "S2.max_pool2d"] == (
        2, 6, 14, 14,
    )  # fmt: skip
    assert made["C3.conv2d"] == (2, 16, 10, 10)
    assert made["C5.affine"] == (2, 120)
    assert made["F6.affine"] == (2, 84)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert np.abs(parameter.grad.numpy()).max() > 0, name


def test_the_weights_of_1998_start_within_2_4_over_their_fan_in() -> None:
    model = tg.models.build("lenet5", variant="original")
    counts = {"C1": 25, "S2": 4, "S4": 4, "C5": 400, "F6": 120, "output": 84}
    for name, fan_in in counts.items():
        for parameter in getattr(model, name).parameters():
            largest = np.abs(parameter.numpy()).max()
            assert 0.2 * 2.4 / fan_in < largest <= 2.4 / fan_in * (1 + 1e-6), name
    filters = iter(model.C3.weight.numpy())
    for row in C3_CONNECTIONS:
        largest = max(np.abs(next(filters)).max() for _ in row)
        assert 0.8 * 2.4 / (25 * len(row)) < largest <= 2.4 / (25 * len(row)) * (1 + 1e-6)


@pytest.mark.parametrize(
    ("options", "squashed"),
    [({}, 4), ({"sigmoid_after": "conv"}, 2), ({"activation": "tanh"}, 4)],
)
def test_activations_stand_where_they_are_asked_for(options, squashed) -> None:
    name = options.get("activation", "sigmoid")
    with tg.explain.record() as recording:
        tg.models.build("lenet5", **options)(tg.Tensor(np.zeros((1, 1, 32, 32), np.float32)))
    assert sum(step.name == name for step in recording.steps) == squashed


def test_three_affine_elements_in_a_row_are_one_linear_map_and_the_story_says_so() -> None:
    model = tg.models.build("lenet5", sigmoid_after="conv")
    with tg.explain.record():
        scores = model(tg.Tensor(np.zeros((1, 1, 32, 32), np.float32)))
    note = "C5.affine, F6.affine and output.affine have nothing non-linear between them"
    assert note in tg.explain.story(scores)
    # and they are: their product maps 400 values to 10
    W5, W6, W7 = (layer.weight.numpy() for layer in (model.C5, model.F6, model.output))
    x = np.random.default_rng(0).normal(size=(3, 400)).astype(np.float32)
    zero = model.output(model.F6(model.C5(tg.Tensor(x * 0)))).numpy()
    both = model.output(model.F6(model.C5(tg.Tensor(x)))).numpy() - zero
    np.testing.assert_allclose(both, x @ (W7 @ W6 @ W5).T, rtol=1e-3, atol=1e-4)


def test_the_taught_form_has_no_such_note() -> None:
    with tg.explain.record():
        scores = tg.models.build("lenet5")(tg.Tensor(np.zeros((1, 1, 32, 32), np.float32)))
    assert "note:" not in tg.explain.story(scores)


@pytest.mark.parametrize(
    ("name", "options", "error", "match"),
    [
        ("lenet6", {}, UnknownNameError, "those .* lists; got 'lenet6'. Did you mean 'lenet5'"),
        ("lenet5", {"depth": 3}, OptionError, "known options are .*; got 'depth'"),
        ("lenet5", {"activation": "cube"}, OptionError, "sigmoid, tanh, relu; got 'cube'"),
        ("lenet5", {"pool": "min"}, OptionError, "pool is one of average, max; got 'min'"),
        ("lenet5", {"sigmoid_after": "x"}, OptionError, "one of all, conv; got 'x'"),
        ("lenet5_original", {"output": "softmax"}, OptionError, "rbf, linear; got 'softmax'"),
        ("lenet5", {"variant": "2020"}, OptionError, "one of taught, original; got '2020'"),
        (
            "lenet5",
            {"variant": "original", "pool": "max"},
            OptionError,
            "'original' fixes activation, pooling and where they stand; got pool=max",
        ),
    ],
)
def test_unknown_names_and_options_are_refused(name, options, error, match) -> None:
    with pytest.raises(error, match=match):
        tg.models.build(name, **options)

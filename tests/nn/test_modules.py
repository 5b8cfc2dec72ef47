"""Modules: what is found inside, under which names, and how state goes in and out."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.errors import (
    CheckpointError,
    DTypeError,
    MissingNameError,
    OptionError,
    ShapeError,
)


def small() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))


def test_parameters_are_found_in_order_under_their_paths() -> None:
    names = [name for name, _ in small().named_parameters()]
    assert names == ["0.weight", "0.bias", "3.weight", "3.bias"]


def test_a_shared_parameter_is_counted_once_and_saved_under_both_names() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight  # type: ignore[attr-defined]
    assert model.count_parameters() == 4 + 2 + 2
    assert {"0.weight", "1.weight"} <= model.state_dict().keys()


def test_an_error_inside_a_network_says_in_which_layer() -> None:
    inner = nn.Sequential(nn.ReLU(), nn.Linear(5, 3))
    with pytest.raises(ShapeError, match="affine: weight is") as caught:
        nn.Sequential(nn.ReLU(), inner)(tg.zeros(2, 4))
    (note,) = caught.value.__notes__
    assert note.startswith("in the layer 1.1, Linear(5")


def test_parameters_get_their_paths_as_names_on_the_first_call() -> None:
    model = small()
    assert {parameter.name for parameter in model.parameters()} == {None}
    model(tg.Tensor(np.zeros((1, 1, 4, 4), np.float32)))
    assert [parameter.name for parameter in model.parameters()] == [
        "0.weight",
        "0.bias",
        "3.weight",
        "3.bias",
    ]


def image() -> tg.Tensor:
    return tg.Tensor(np.zeros((1, 1, 4, 4), np.float32))


def test_an_outer_module_replaces_the_names_that_an_inner_one_gave() -> None:
    inner = small()
    inner(image())
    outer = nn.Sequential(inner, nn.Linear(3, 2))
    outer(image())
    inner(image())  # a shorter path replaces nothing
    assert [p.name for p in outer.parameters()] == [path for path, _ in outer.named_parameters()]


def test_a_layer_that_is_put_in_later_is_named_too() -> None:
    model = small()
    model(image())
    setattr(model, "3", nn.Linear(8, 5))
    model(image())
    assert model[3].weight.name == "3.weight"  # type: ignore[attr-defined]


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy], ids=["itself", "a copy of it"])
def test_a_name_that_the_user_gave_stays_and_one_that_a_module_gave_does_not(twin) -> None:
    layer = nn.Linear(2, 2)
    tg.name(layer.weight, "W")
    layer(tg.Tensor([[1.0, 2.0]]))
    outer = nn.Sequential(twin(layer))
    outer(tg.Tensor([[1.0, 2.0]]))
    assert [p.name for p in outer.parameters()] == ["W", "0.bias"]


def test_a_shared_parameter_is_named_by_both_paths() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0](tg.Tensor([[1.0, 2.0]]))
    model[1].weight = model[0].weight  # type: ignore[attr-defined]
    model(tg.Tensor([[1.0, 2.0]]))
    assert model[0].weight.name == "0.weight = 1.weight"  # type: ignore[attr-defined]


def test_a_module_may_do_without_the_constructor_of_its_base() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(2, 3)

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return self.layer(x)

    model = nn.Sequential(Forgetful())
    assert model(tg.Tensor([[1.0, 2.0]])).shape == (1, 3)
    assert model.state_dict().keys() == {"0.layer.weight", "0.layer.bias"}
    assert not model.eval()[0].training


@pytest.mark.parametrize(
    ("modules", "match"),
    [
        ((nn.Linear(2, 2), F.relu), r"joins modules; got relu at position 1. Write nn.ReLU\(\)"),
        ((nn.ReLU,), "got ReLU at position 0"),
        (([nn.ReLU(), nn.Tanh()],), r"got list at position 0. Write .*Sequential\(\*layers\)"),
        ((nn.ReLU(), None), "got NoneType at position 1"),
    ],
)
def test_what_is_no_module_is_refused_by_sequential(modules, match) -> None:
    with pytest.raises(DTypeError, match=match):
        nn.Sequential(*modules)


def test_elements_are_recorded_under_the_path_of_their_module() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 2)

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return self.inner(x)

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = Block()

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return self.block(x)

    y = Outer()(tg.Tensor([[1.0, 2.0]]))
    assert y.creator.scope == "block.inner"


def test_state_dict_round_trip_changes_nothing() -> None:
    model, other = small(), small()
    other.load_state_dict(model.state_dict())
    x = tg.Tensor(np.random.default_rng(0).normal(size=(2, 1, 4, 4)), dtype=np.float32)
    np.testing.assert_array_equal(model(x).numpy(), other(x).numpy())


def test_a_state_dict_is_a_copy() -> None:
    model = small()
    state = model.state_dict()
    state["0.bias"][:] = 99.0
    assert not (model[0].bias.numpy() == 99.0).any()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda s: s.pop("0.bias"), CheckpointError, "missing 0.bias and none unknown"),
        (lambda s: s.update(extra=np.zeros(1)), CheckpointError, "unknown extra"),
        (lambda s: s.update({"3.bias": np.zeros(4)}), ShapeError, r"\(4,\) for 3.bias of shape"),
        (lambda s: s.update({"3.bias": ["a", "b", "c"]}), DTypeError, "holds numbers; got .* 3.b"),
        (lambda s: s.update({"3.bias": [1.0, None, 2.0]}), DTypeError, "numbers; got .* for 3.b"),
        (lambda s: s.update({"3.bias": [[1.0], 2.0, 3.0]}), DTypeError, "numbers; got .* for 3.b"),
        (lambda s: s.update({"3.bias": np.ones(3) * 1j}), DTypeError, "numbers; got .* for 3.b"),
        (lambda s: s.update({"3.bias": None}), DTypeError, "holds numbers; got None for 3.bias"),
        (lambda s: s.update({"3.bias": np.full(3, 1e300)}), DTypeError, "too large for 3.bias of"),
    ],
)
def test_a_wrong_state_is_refused_and_nothing_is_written(change, error, match) -> None:
    model = small()
    before = model.state_dict()
    wrong = {name: value + 1.0 for name, value in before.items()}
    change(wrong)
    with pytest.raises(error, match=match):
        model.load_state_dict(wrong)
    after = model.state_dict()
    assert all((before[name] == after[name]).all() for name in before)


@pytest.mark.parametrize(
    "convert",
    [np.float64, np.int32, tg.Tensor, lambda value: value.tolist()],
    ids=["float64", "int32", "tensor", "list"],
)
def test_a_state_of_other_numbers_is_converted(convert) -> None:
    model = small()
    model.load_state_dict(
        {path: convert(value * 0 + 2) for path, value in small().state_dict().items()}
    )
    assert all((value == 2).all() for value in model.state_dict().values())
    assert {value.dtype for value in model.state_dict().values()} == {np.dtype(np.float32)}


def test_without_strict_only_the_paths_of_both_are_written() -> None:
    model = small()
    before = model.state_dict()
    model.load_state_dict({"3.bias": [1, 2, 3], "extra": "not looked at"}, strict=False)
    assert model.state_dict()["3.bias"].tolist() == [1.0, 2.0, 3.0]
    assert (model.state_dict()["0.bias"] == before["0.bias"]).all()


def test_train_and_eval_reach_every_module_below() -> None:
    model = small()
    assert all(not module.training for module in model.eval().modules())
    assert all(module.training for module in model.train().modules())


def test_copies_and_pickles_have_their_own_parameters() -> None:
    model = small()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin.state_dict().keys() == model.state_dict().keys()
        twin[0].bias.data = np.ones(2)
        assert not (model[0].bias.numpy() == 1.0).all()  # type: ignore[attr-defined]
        assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in twin.parameters())


def test_a_copied_shared_parameter_stays_shared() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight  # type: ignore[attr-defined]
    twin = copy.deepcopy(model)
    assert twin[0].weight is twin[1].weight  # type: ignore[attr-defined]


def test_a_module_prints_its_layers_and_their_options() -> None:
    text = repr(small())
    assert "0: Conv2d(1, 2, kernel 3x3, stride (1, 1), padding (0, 0))" in text
    assert "3: Linear(8, 3)" in text


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: nn.Linear(0, 3), "Linear: in_features is a positive integer; got 0"),
        (lambda: nn.Conv2d(1, -1, 3), "Conv2d: out_channels is a positive integer; got -1"),
        (lambda: nn.Conv2d(1, 1, 0), "Conv2d: kernel_size is an integer of at least 1"),
        (lambda: nn.Conv2d(1, 1, 3, padding=-1), "Conv2d: padding is an integer of at least 0"),
        (lambda: nn.Subsampling2d(0, 2), "Subsampling2d: channels is a positive integer"),
        (lambda: nn.TableConv2d([[0, 0]], 2, 3), "at least one input map, once, out of 0..1"),
        (lambda: nn.TableConv2d([[2]], 2, 3), "out of 0..1; got"),
        (lambda: nn.TableConv2d([[0.0]], 2, 3), r"out of 0..1; got \[0.0\]"),
        (lambda: nn.TableConv2d([0, 1], 2, 3), "out of 0..1; got 0"),
        (lambda: nn.TableConv2d([], 2, 3), "TableConv2d: output_maps is a positive integer; got 0"),
    ],
)
def test_layers_refuse_sizes_that_make_no_sense(make, match) -> None:
    with pytest.raises(OptionError, match=match):
        make()


@pytest.mark.parametrize(
    ("layer", "sizes"),
    [
        (nn.Linear(3, 2), {"in_features": 3, "out_features": 2}),
        (nn.Conv2d(4, 6, (3, 5), groups=2), {"in_channels": 4, "out_channels": 6}),
        (nn.Conv2d(4, 6, (3, 5), groups=2), {"kernel_size": (3, 5)}),
        (nn.Conv1d(4, 6, 3), {"in_channels": 4, "out_channels": 6, "kernel_size": (3,)}),
        (nn.ConvTranspose2d(4, 6, 2, groups=2), {"in_channels": 4, "out_channels": 6}),
    ],
)
def test_a_layer_tells_its_sizes(layer: Any, sizes: dict[str, Any]) -> None:
    assert {name: getattr(layer, name) for name in sizes} == sizes
    assert layer.state_dict().keys() == {"weight", "bias"}


def test_an_attribute_that_is_not_there_is_answered_with_the_nearest() -> None:
    layer = nn.Linear(3, 2)
    for name, match in (
        ("wieght", "Linear: the attribute exists; got 'wieght'. The nearest is 'weight'"),
        ("register_parameter", r"The nearest: an attribute that is a nn\.Parameter"),
        ("xyzzy", "The nearest: an attribute that its __init__ sets"),
    ):
        with pytest.raises(MissingNameError, match=match):
            getattr(layer, name)
        assert not hasattr(layer, name)


def test_sizes_may_be_integers_of_numpy() -> None:
    channels = np.int64(4)
    layer = nn.Conv2d(channels, channels, 3, groups=channels)
    assert layer(tg.zeros(1, 4, 3, 3)).shape == (1, 4, 1, 1)
    assert nn.Linear(channels, 2).weight.shape == (2, 4)


def test_a_table_convolution_equals_a_dense_one_with_zeros() -> None:
    table = ((0, 1), (2,), (0, 2))
    layer = nn.TableConv2d(table, 3, 3)
    dense = np.zeros((3, 3, 3, 3), np.float32)
    filters = iter(layer.weight.numpy())
    for o, row in enumerate(table):
        for c in row:
            dense[o, c] = next(filters)
    x = tg.Tensor(np.random.default_rng(0).normal(size=(2, 3, 5, 5)), dtype=np.float32)
    expected = tg.functional.conv2d(x, tg.Tensor(dense), layer.bias)
    np.testing.assert_array_equal(layer(x).numpy(), expected.numpy())


def test_subsampling_is_coefficient_times_sum_plus_bias() -> None:
    layer = nn.Subsampling2d(2, 2)
    x = np.random.default_rng(0).normal(size=(3, 2, 4, 6)).astype(np.float32)
    sums = x.reshape(3, 2, 2, 2, 3, 2).sum((3, 5))
    expected = layer.weight.numpy() * sums + layer.bias.numpy()
    np.testing.assert_allclose(layer(tg.Tensor(x)).numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("fill", "bound", "std"),
    [
        (nn.init.lecun_uniform_, 2.4 / 200, None),
        (nn.init.xavier_uniform_, (6 / 300) ** 0.5, None),
        (nn.init.kaiming_normal_, None, (2 / 200) ** 0.5),
    ],
)
def test_initial_weights_are_distributed_as_their_paper_says(fill, bound, std) -> None:
    weight = nn.Parameter(np.zeros((100, 200), np.float32))
    fill(weight, generator=np.random.default_rng(0))
    values = weight.numpy()
    if bound is not None:
        assert np.abs(values).max() <= bound
        assert values.std() == pytest.approx(bound / 3**0.5, rel=0.02)
    else:
        assert values.std() == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize(
    ("fan_in", "bounds"),
    [(24, [0.1, 0.1, 0.1]), (np.array([24, 12, 240]), [0.1, 0.2, 0.01])],
    ids=["one for all", "one for each row"],
)
def test_a_fan_in_that_the_shape_does_not_tell_is_stated(fan_in, bounds) -> None:
    drawn = nn.init.lecun_uniform_(
        tg.Tensor(np.zeros((1000, 3))), fan_in, np.random.default_rng(0)
    ).numpy()
    largest = np.abs(drawn).max(0)
    assert (largest <= bounds).all()
    assert largest == pytest.approx(bounds, rel=0.02)


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (nn.Linear(7, 2), 7),
        (nn.Conv2d(3, 2, (5, 2)), 30),
        (nn.Subsampling2d(3, 2), 4),
        (nn.TableConv2d([[0, 1], [2]], 3, 2), [8, 4]),
    ],
)
def test_layers_state_how_many_values_an_output_adds_up(layer, fan_in) -> None:
    np.testing.assert_array_equal(layer.fan_in, fan_in)


@pytest.mark.parametrize(
    ("shape", "options", "error", "match"),
    [
        ((3,), {}, ShapeError, r"at least two axes \(out, in, ...\); got \(3,\)"),
        ((3,), {"fan_in": 0}, OptionError, "init: a fan-in is at least 1; got 0"),
        ((2, 0), {}, OptionError, "init: a fan-in is at least 1; got 0"),
    ],
)
def test_a_fan_in_that_makes_no_sense_is_refused(shape, options, error, match) -> None:
    with pytest.raises(error, match=match):
        nn.init.lecun_uniform_(tg.Tensor(np.zeros(shape)), **options)


def test_the_same_seed_draws_the_same_weights() -> None:
    tg.manual_seed(3)
    first = small().state_dict()
    tg.manual_seed(3)
    second = small().state_dict()
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("kind", [lambda layers: nn.Sequential(*layers), nn.ModuleList])
def test_a_part_of_a_container_shares_its_modules(kind: Any) -> None:
    whole = kind([nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)])
    part = whole[1:]
    assert type(part) is type(whole)
    assert list(part) == list(whole)[1:]
    assert whole[-1] is whole[2]
    assert [path for path, _ in part.named_parameters()] == ["1.weight", "1.bias"]
    with pytest.raises(IndexError, match="it holds 3 modules; got position 3"):
        whole[3]

"""A fused network computes what the network did, with fewer elements."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import models, nn
from tinygrad_cnn.errors import DTypeError


def drawn(*shape: int) -> tg.Tensor:
    return tg.Tensor(np.random.default_rng(5).normal(size=shape), dtype=np.float32)


@tg.no_grad()
def worn(model: nn.Module) -> nn.Module:
    """Give running statistics and affine parameters values as training would."""
    rng = np.random.default_rng(6)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.weight, module.bias):
                if values is not None:
                    values[...] = rng.uniform(0.5, 1.5, len(values)).astype(np.float32)
            if module.running_var is not None:
                module.running_var[...] = rng.uniform(0.5, 2.0, len(module.running_var))
    return model


def kinds(model: nn.Module) -> list[str]:
    found = (type(module).__name__ for module in model.modules())
    return [kind for kind in found if kind in ("Conv2d", "BatchNorm2d", "ReLU", "Add", "Linear")]


def elements_of(value: Any) -> list[str]:
    return [element.name for element in tg.graph.elements_behind(value.node)]


def small(bias: bool = True) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=bias), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 3, 1), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5), nn.ReLU(),
    )  # fmt: skip


def test_rectifiers_become_part_of_the_layer_before_them() -> None:
    model = small()
    fused = nn.fuse(model)
    assert kinds(fused) == ["Conv2d", "BatchNorm2d", "Conv2d", "Linear"]
    x = drawn(3, 2, 6, 6)
    assert elements_of(fused(x)) == [
        "conv2d", "batch_norm_relu", "conv2d_relu", "reshape", "affine_relu",
    ]  # fmt: skip
    assert list(fused.state_dict()) == list(model.state_dict())


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
def test_a_function_behind_several_layers_becomes_the_activation_of_all(activation: str) -> None:
    model = models.build("lenet5", activation=activation)
    fused = nn.fuse(model)
    x = drawn(2, 1, 32, 32)
    assert elements_of(fused(x)) == [
        f"conv2d_{activation}", "avg_pool2d", f"conv2d_{activation}", "avg_pool2d", "reshape",
        f"affine_{activation}", f"affine_{activation}", "affine",
    ]  # fmt: skip
    assert list(fused.state_dict()) == list(model.state_dict())
    for network in (model, fused):
        (network(x) * drawn(2, 10)).sum().backward()
    np.testing.assert_array_equal(fused(x).numpy(), model(x).numpy())
    for wanted, got in zip(model.parameters(), fused.parameters(), strict=True):
        np.testing.assert_array_equal(got.grad.numpy(), wanted.grad.numpy())


def test_a_function_stays_where_one_of_the_layers_before_it_cannot_have_it() -> None:
    model = models.build("lenet5")
    model.C3.register_forward_hook(lambda module, inputs, output: None)
    assert repr(nn.fuse(model)) == repr(model)
    x = drawn(1, 1, 32, 32)
    np.testing.assert_array_equal(nn.fuse(model)(x).numpy(), model(x).numpy())


@pytest.mark.parametrize("bias", [True, False])
def test_in_evaluation_normalisation_is_folded_into_the_convolution(bias: bool) -> None:
    model = worn(small(bias)).eval()
    fused = nn.fuse(model)
    assert kinds(fused) == ["Conv2d", "Conv2d", "Linear"]
    x = drawn(3, 2, 6, 6)
    np.testing.assert_allclose(fused(x).numpy(), model(x).numpy(), rtol=1e-5, atol=1e-5)


def test_a_normalisation_without_parameters_or_statistics() -> None:
    conv = nn.Conv2d(2, 3, 1)
    plain = worn(nn.Sequential(conv, nn.BatchNorm2d(3, affine=False))).eval()
    x = drawn(2, 2, 3, 3)
    np.testing.assert_allclose(nn.fuse(plain)(x).numpy(), plain(x).numpy(), rtol=1e-5, atol=1e-6)
    of_the_batch = nn.Sequential(conv, nn.BatchNorm2d(3, track_running_stats=False)).eval()
    assert kinds(nn.fuse(of_the_batch)) == ["Conv2d", "BatchNorm2d"]


def test_a_fused_network_has_the_gradients_of_the_network() -> None:
    model = worn(small())
    fused = nn.fuse(model)
    x = drawn(3, 2, 6, 6)
    for network in (model, fused):
        (network(x) * drawn(3, 5)).sum().backward()
    for (name, wanted), got in zip(model.named_parameters(), fused.parameters(), strict=True):
        np.testing.assert_allclose(
            got.grad.numpy(), wanted.grad.numpy(), rtol=1e-4, atol=1e-5, err_msg=name
        )
    for wanted, got in zip(model.buffers(), fused.buffers(), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


def test_the_network_itself_stays_as_it_was() -> None:
    model = worn(small()).eval()
    before, printed = model.state_dict(), repr(model)
    nn.fuse(model)
    assert repr(model) == printed
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_what_is_used_twice_or_watched_or_chosen_stays() -> None:
    twice = nn.ReLU()
    assert kinds(nn.fuse(nn.Sequential(nn.Linear(2, 2), twice, nn.Linear(2, 2), twice))) == [
        "Linear", "ReLU", "Linear", "ReLU",
    ]  # fmt: skip
    watched = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    watched[0].register_forward_hook(lambda module, inputs, output: None)
    assert kinds(nn.fuse(watched)) == ["Linear", "ReLU"]
    chosen = nn.Sequential(nn.Linear(2, 2), nn.ReLU(at_zero=0.5))
    assert kinds(nn.fuse(chosen)) == ["Linear", "ReLU"]
    other = nn.Sequential(nn.Linear(2, 2), nn.ELU(), nn.ReLU(), nn.ReLU())
    assert kinds(nn.fuse(other)) == ["Linear", "ReLU", "ReLU"]
    squashed = nn.Sequential(nn.BatchNorm2d(2), nn.Tanh(), nn.Linear(2, 2), nn.Tanh(), nn.ReLU())
    assert repr(nn.fuse(squashed)).count("Tanh()") == 1
    assert kinds(nn.fuse(squashed)) == ["BatchNorm2d", "Linear", "ReLU"]


class Leaky(nn.ReLU):
    def forward(self, z: tg.Tensor) -> Any:
        return F.leaky_relu(z)


class Doubling(nn.Conv2d):
    def forward(self, x: tg.Tensor) -> Any:
        return super().forward(x) * 2.0 - 1.0


class Between(nn.Sequential):
    def forward(self, x: tg.Tensor) -> Any:
        return self[1](self[0](x) - 1.0)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv2d(2, 3, 1), Leaky()),
        nn.Sequential(Doubling(2, 3, 1), nn.ReLU()),
        Between(nn.Conv2d(2, 3, 1), nn.ReLU()),
    ],
    ids=["rectifier", "convolution", "container"],
)
def test_what_somebody_derived_is_left_alone(model: nn.Module) -> None:
    x = drawn(2, 2, 3, 3)
    assert repr(nn.fuse(model)) == repr(model)
    np.testing.assert_array_equal(nn.fuse(model)(x).numpy(), model(x).numpy())


def test_a_frozen_convolution_keeps_a_shift_that_is_trained() -> None:
    model = worn(nn.Sequential(nn.Conv2d(2, 3, 1, bias=False), nn.BatchNorm2d(3))).eval()
    model[0].weight.requires_grad = False
    fused = nn.fuse(model)
    assert not fused[0].weight.requires_grad
    assert fused[0].bias.requires_grad


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(DTypeError, match="fuse: it takes a network, a Module; got int"):
        nn.fuse(3)  # type: ignore[arg-type]


def test_a_fused_network_can_be_fused_again() -> None:
    fused = nn.fuse(worn(small()))
    assert repr(nn.fuse(fused)) == repr(fused)
    assert kinds(nn.fuse(fused.eval())) == ["Conv2d", "Conv2d", "Linear"]


def scores(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result


class Separate(nn.Module):
    def __init__(self, first: nn.Module) -> None:
        super().__init__()
        self.first, self.norm = first, nn.BatchNorm2d(3)

    chains = (("first.1", "norm"),)

    def forward(self, x: tg.Tensor) -> Any:
        return self.norm(self.first(x))


def test_a_layer_of_a_part_is_merged_where_the_part_says_that_it_runs_it() -> None:
    first = nn.Sequential(nn.ReLU(), nn.Conv2d(2, 3, 1))
    model = worn(Separate(first)).eval()
    x = drawn(2, 2, 3, 3)
    assert kinds(nn.fuse(model)) == ["ReLU", "Conv2d"]
    np.testing.assert_allclose(nn.fuse(model)(x).numpy(), model(x).numpy(), rtol=1e-5, atol=1e-5)
    for other in (Between(nn.Conv2d(2, 3, 1), nn.ReLU()), nn.Conv2d(2, 3, 1)):
        model.first = other.eval()
        assert kinds(nn.fuse(model)).count("BatchNorm2d") == 1
    model.first = first
    first.register_forward_hook(lambda module, inputs, output: None)
    assert kinds(nn.fuse(model)) == ["ReLU", "Conv2d", "BatchNorm2d"]


#: Networks, and the layers that could be merged but stand elsewhere: normalisation before a
#: rectifier, two behind one another, rectifiers behind sums, joins and gates.
NETWORKS = {
    "resnet20": (), "resnet50": (), "plain18": (), "allcnn_c": (), "googlenet": (),
    "inception_naive": (), "se_googlenet": (), "se_resnet50": (),
    "xception": ("ReLU",), "googlenet_torchvision": (), "se_vgg16": (),
    "densenet121": ("BatchNorm2d",),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("training", [True, False])
def test_networks_of_the_papers(name: str, training: bool) -> None:
    network = models.find(name)
    model = worn(models.build_twin(name)).train(training)
    fused = nn.fuse(model)
    if not training:
        assert {"BatchNorm2d", "ReLU"} & set(kinds(fused)) == set(NETWORKS[name])
    tg.manual_seed(0)
    x = drawn(4, *network.twin_input)
    wanted = scores(model(x))
    tg.manual_seed(0)
    got = scores(fused(x))
    assert len(elements_of(got)) < len(elements_of(wanted))
    scale = np.abs(wanted.numpy()).max()
    np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=0, atol=1e-4 * scale)


def test_the_sum_of_a_block_prints_as_what_it_is() -> None:
    x, y = tg.Tensor([1.0, -2.0], requires_grad=True), tg.Tensor([1.0, 1.0])
    story = tg.explain.story(F.add_relu(x, y).sum())
    assert "max(0, x + y)" in story

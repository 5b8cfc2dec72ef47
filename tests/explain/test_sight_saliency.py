"""Saliency and Grad-CAM: against difference quotients, NumPy and PyTorch; the network stays."""

import re
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models, nn
from tinygrad_cnn.errors import DTypeError, OptionError, ShapeError, UnknownNameError
from tinygrad_cnn.explain import grad_cam, saliency

IMAGE = np.random.default_rng(7).normal(size=(2, 9, 8))


def network(pool: bool = True) -> nn.Sequential:
    """Two convolutions, 12 maps of 2x2 pixels or 4x3, five classes; in double precision."""
    tg.manual_seed(3)
    layers: list[nn.Module] = [nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()]
    layers += [nn.Conv2d(6, 12, 3, stride=2), nn.ReLU()]
    layers += [nn.MaxPool2d(2, 1)] if pool else []
    features = 12 * (3 * 2 if pool else 4 * 3)
    built = nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, 5)).double()
    generator = np.random.default_rng(1)
    with tg.no_grad():  # statistics that are not those of a new network
        built(tg.Tensor(generator.normal(0.5, 2.0, (8, 2, 9, 8))))
    return built


def score(model: nn.Module, image: Any, label: int) -> float:
    model.eval()
    with tg.no_grad():
        return float(model(tg.Tensor(image[None])).numpy()[0, label])


@pytest.mark.parametrize("label", [0, 3])
def test_the_gradient_is_the_slope_of_the_score(label: int) -> None:
    model = network()
    found = saliency(model, IMAGE, label)
    assert found.score == score(model, IMAGE, label)
    slopes = np.zeros_like(IMAGE)
    for place in np.ndindex(IMAGE.shape):
        step = np.zeros_like(IMAGE)
        step[place] = 1e-6
        ends = (score(model, IMAGE + step, label), score(model, IMAGE - step, label))
        slopes[place] = (ends[0] - ends[1]) / 2e-6
    np.testing.assert_allclose(found.gradient, slopes, atol=1e-8)
    np.testing.assert_allclose(found.magnitude, np.abs(slopes).max(0), atol=1e-8)
    np.testing.assert_allclose(found.signed, slopes.sum(0), atol=1e-8)
    np.testing.assert_allclose(found.times_input, (IMAGE * slopes).sum(0), atol=1e-8)


def test_without_biases_gradient_times_input_adds_up_to_the_score() -> None:
    tg.manual_seed(0)  # a net of ReLUs is linear along each ray
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(168, 3, bias=False)
    ).double()
    found = saliency(model, IMAGE, 1)
    assert found.times_input.sum() == pytest.approx(found.score, rel=1e-12)


def test_grad_cam_equals_its_equations_in_numpy() -> None:
    model = network(pool=False)
    with tg.no_grad():
        maps = nn.Sequential(*list(model)[:5]).eval()(tg.Tensor(IMAGE[None])).numpy()[0]
    cut_off = 0
    for label in range(5):
        found = grad_cam(model, IMAGE, label, "4")
        slopes = model[6].weight.numpy()[label].reshape(maps.shape)  # the head is affine
        weights = slopes.mean((1, 2))
        summed = sum(weights[k] * maps[k] for k in range(len(maps)))
        above = np.where(summed > 0, summed, 0)
        np.testing.assert_allclose(found.weights, weights, rtol=1e-12)
        np.testing.assert_allclose(found.summed, summed, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(found.map, above, rtol=1e-12, atol=1e-15)
        assert found.over_image().shape == (9, 8)
        assert found.over_image().max() <= above.max() * (1 + 1e-12)
        cut_off += int((summed < 0).any())
    assert cut_off > 1


def test_the_last_layer_with_maps_and_the_answer_are_what_is_asked_by_default() -> None:
    model = network()
    found = grad_cam(model, IMAGE)
    assert found.layer == "5"
    assert found.label == found.predicted == saliency(model, tg.Tensor(IMAGE[None])).label
    assert "(the network's answer)" in found.text()
    other = (found.label + 1) % 5
    assert f"(the network answers {found.label})" in saliency(model, IMAGE, other).text()


def guided_by_hand(model: nn.Sequential, label: int) -> Any:
    """Walk back layer by layer, dropping at each ReLU what is below 0 on either side."""
    import tinygrad_cnn.functional as F

    layers = list(model.eval())
    values = [tg.Tensor(IMAGE[None])]
    with tg.no_grad():
        for layer in layers:
            values.append(layer(values[-1]))
    signal = np.zeros((1, 5))
    signal[0, label] = 1.0
    for layer, before in zip(reversed(layers), reversed(values[:-1]), strict=True):
        if isinstance(layer, nn.ReLU):
            signal = signal * (signal > 0) * (before.numpy() > 0)
            continue
        leaf = tg.Tensor(before.numpy(), requires_grad=True)
        F.sum(layer(leaf) * tg.Tensor(signal)).backward()
        signal = leaf.grad.numpy()
    return signal[0]


def test_guided_backpropagation_drops_what_is_below_0_at_each_relu() -> None:
    model = network()
    found = saliency(model, IMAGE, 2, guided=True)
    expected = guided_by_hand(model, 2)
    np.testing.assert_allclose(found.gradient, expected, rtol=1e-10, atol=1e-14)
    assert np.abs(found.gradient - saliency(model, IMAGE, 2).gradient).max() > 1e-3
    assert "guided backpropagation: at most" in found.text()


class Fused(nn.Module):
    """A convolution with its ReLU in one element, or in two; what comes of it is read twice."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        tg.manual_seed(5)
        self.fused = fused
        self.first, self.second = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4 * 7 * 6, 3)

    def forward(self, x: Any) -> Any:
        weights = self.first.weight, self.first.bias
        if self.fused:
            a = tg.functional.conv2d(x, *weights, activation="relu")
        else:
            a = tg.functional.relu(tg.functional.conv2d(x, *weights))
        return self.head((a + self.second(a)).reshape(1, -1))


def test_guided_backpropagation_sees_a_relu_in_another_element() -> None:
    together, apart = (
        saliency(Fused(fused).double(), IMAGE, 0, guided=True) for fused in (True, False)
    )
    plain = saliency(Fused(False).double(), IMAGE, 0)
    np.testing.assert_allclose(together.gradient, apart.gradient, rtol=1e-10, atol=1e-14)
    assert np.abs(together.gradient - plain.gradient).max() > 1e-3


def test_the_network_stays_as_it_is() -> None:
    model = network()
    model.train()
    model[0].eval()  # a mixture
    state = {name: value.numpy().copy() for name, value in model.named_parameters()}
    buffers = {id(m): m.running_mean.copy() for m in model if isinstance(m, nn.BatchNorm2d)}
    modes = [module.training for module in model.modules()]
    with tg.no_grad():
        saliency(model, IMAGE, 1)
        saliency(model, IMAGE, 1, guided=True)
        grad_cam(model, IMAGE, 1)
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())
    for name, value in model.named_parameters():
        assert np.array_equal(value.numpy(), state[name])
    for module in model:
        if isinstance(module, nn.BatchNorm2d):
            assert np.array_equal(module.running_mean, buffers[id(module)])


@pytest.mark.parity
def test_pytorch_finds_the_same() -> None:
    torch = pytest.importorskip("torch")
    model = network().eval()
    twin = torch.nn.Sequential(
        torch.nn.Conv2d(2, 6, 3, padding=1), torch.nn.BatchNorm2d(6), torch.nn.ReLU(),
        torch.nn.Conv2d(6, 12, 3, stride=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2, 1),
        torch.nn.Flatten(), torch.nn.Linear(72, 5),
    ).double().eval()  # fmt: skip
    state = {name: torch.from_numpy(np.array(v)) for name, v in model.state_dict().items()}
    twin.load_state_dict(state, strict=False)
    x = torch.from_numpy(IMAGE[None]).requires_grad_()
    maps = twin[:5](x)
    maps.retain_grad()
    twin[5:](maps)[0, 4].backward()
    found, region = saliency(model, IMAGE, 4), grad_cam(model, IMAGE, 4, "4")
    np.testing.assert_allclose(found.gradient, x.grad[0].numpy(), rtol=1e-9, atol=1e-12)
    weights = maps.grad.mean((2, 3), keepdim=True)
    expected = torch.relu((weights * maps).sum(1))[0].detach().numpy()
    np.testing.assert_allclose(region.map, expected, rtol=1e-9, atol=1e-12)

    kept = []  # guided backpropagation, by hooks on its ReLUs
    for layer in (twin[2], twin[4]):
        kept.append(
            layer.register_full_backward_hook(lambda m, inside, out: (inside[0] * (out[0] > 0),))
        )
    x.grad = None
    twin(x)[0, 4].backward()
    guided = saliency(model, IMAGE, 4, guided=True)
    np.testing.assert_allclose(guided.gradient, x.grad[0].numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["vgg11_bn", "resnet18", "densenet121", "googlenet", "lenet5"])
def test_networks_of_the_table_can_be_asked(name: str) -> None:
    row = models.find(name)
    tg.manual_seed(0)
    model = row.build_twin()
    image = np.random.default_rng(0).normal(size=row.twin_input)
    found = saliency(model, image)
    assert found.magnitude.max() > 0
    region = grad_cam(model, image)
    assert min(region.summed.shape) >= 1
    for sheet in (found.sheet(), region.sheet()):
        assert sheet.svg().count("<image") >= 6


def flat() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(144, 5))


def no_scores() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(2, 3, 3))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: saliency(print, IMAGE), DTypeError, "saliency: .*; got builtin_function"),
        (lambda: saliency(network(), IMAGE[0]), ShapeError, r"got float64 of \(9, 8\). Of a batch"),
        (lambda: saliency(network(), IMAGE[None].repeat(2, 0)), ShapeError, r"got .* \(2, 2, 9"),
        (lambda: saliency(network(), np.array([[["a"]]])), ShapeError, r"got <U1 of \(1, 1, 1\)"),
        (lambda: saliency(network(), IMAGE, 5), OptionError, "this network are 0 to 4; got 5"),
        (lambda: saliency(network(), IMAGE, -1), OptionError, "this network are 0 to 4; got -1"),
        (lambda: saliency(network(), IMAGE, True), OptionError, "whole number; got True"),
        (lambda: saliency(network(), IMAGE, 1.5), OptionError, "whole number; got 1.5"),
        (lambda: saliency(no_scores(), IMAGE), ShapeError, r"each class, .*; got \(1, 3, 7, 6\)"),
        (lambda: saliency(flat(), IMAGE, guided=True), OptionError, "network of reshape, aff"),
        (lambda: grad_cam(network(), IMAGE, 0, "conv"), UnknownNameError, "known names are 0, 1,"),
        (lambda: grad_cam(network(), IMAGE, 0, "6"), OptionError,
         re.escape("layers with maps are 0, 1, 2, 3, 4, 5; got 6, of shape (1, 72)")),
        (lambda: grad_cam(flat(), IMAGE), OptionError, "got a network without any"),
        (lambda: grad_cam(network(), IMAGE, 7), OptionError, "grad_cam: the classes of this"),
    ],
)  # fmt: skip
def test_refusals(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()

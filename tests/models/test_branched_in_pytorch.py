"""Networks with branches: outputs, error signals and running averages equal PyTorch's."""

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models, nn

pytestmark = pytest.mark.parity

BLOCKS = {
    "18": ("basic", (2, 2, 2, 2)), "34": ("basic", (3, 4, 6, 3)),
    "50": ("bottleneck", (3, 4, 6, 3)), "101": ("bottleneck", (3, 4, 23, 3)),
    "152": ("bottleneck", (3, 8, 36, 3)),
}  # fmt: skip
DENSE = {
    "densenet121": (32, 64, (6, 12, 24, 16)), "densenet161": (48, 96, (6, 12, 36, 24)),
    "densenet169": (32, 64, (6, 12, 32, 32)), "densenet201": (32, 64, (6, 12, 48, 32)),
}  # fmt: skip
OWN = ("resnet", "cifar_resnet", "googlenet", "googlenet_torchvision", "inception", "densenet",
       "xception", "senet")  # fmt: skip
NAMES = [
    name
    for name in models.names()
    if models.find(name).builder.__module__.rpartition(".")[2] in OWN
]
WHOLE = [name for name in NAMES if name != "resnet1202"]  # full-size, in what --full may take


def in_pytorch(name: str, classes: int, **given: Any) -> Any:
    """Return a network in PyTorch, from the options of ours: those of a twin, or none."""
    from .pytorch_nets import branched

    width = given.get("width", 1.0)
    if name in ("plain18", "plain34", "se_resnet50", *(f"resnet{depth}" for depth in BLOCKS)):
        block, layers = BLOCKS["".join(filter(str.isdigit, name))]
        return branched.resnet(
            classes,
            block,
            given.get("layers", layers),
            given.get("shortcut", "none" if "plain" in name else "B"),
            given.get("stride_in", "3x3"),
            round(64 * width),
            given.get("reduction", 16) if "se_" in name else None,
        )
    if name.startswith(("resnet", "plain")):
        depth = int(name.removeprefix("resnet").removeprefix("plain"))
        option = given.get("shortcut", "none" if "plain" in name else "A")
        return branched.cifar_resnet(
            classes, given.get("depth", depth), option, given.get("preactivation", False),
            round(16 * width),
        )  # fmt: skip
    if "googlenet" in name:
        reduction = given.get("reduction", 16) if "se_" in name else None
        plain = name != "googlenet_torchvision"
        return branched.GoogLeNet(classes, plain, width, given.get("aux", False), reduction)
    if name == "inception_naive":
        channels = [round(c * width) for c in (128, 192, 96, 64)]
        return branched.InceptionNetwork(classes, 256, channels, given.get("reduced", False))
    if name in DENSE:
        growth, first, layers = DENSE[name]
        growth, first = given.get("growth", growth), given.get("first", first)
        return branched.densenet(classes, given.get("layers", layers), growth, first)
    if name.startswith("densenet_bc"):
        depth, growth = map(int, name.removeprefix("densenet_bc").split("_"))
        layers = given.get("layers", ((depth - 4) // 6,) * 3)
        growth, first = given.get("growth", growth), given.get("first", 2 * growth)
        return branched.densenet(classes, layers, growth, first, imagenet=False)
    if name == "xception":
        return branched.xception(classes, given.get("middle", 8), width)
    return branched.se_vgg16(classes, width, given.get("pooled", 7), given.get("reduction", 16))


def close(mine: Any, theirs: Any, within: float, what: str) -> None:
    """Compare with differences measured against the largest value.

    Some gradients are zero but for rounding, as those of a bias in front of a normalisation.
    """
    scale = max(np.abs(theirs).max(), 1e-4)
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=within * scale, err_msg=what)


def give(ours: Any, theirs: Any, generator: Any) -> None:
    """Give PyTorch's network running averages as after training, and ours all it has."""
    import torch

    own = ours.state_dict()
    theirs.load_state_dict({path: torch.from_numpy(np.array(v)) for path, v in own.items()})
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            size = module.num_features
            for vector, low, high in (
                (module.weight, 0.5, 1.5), (module.bias, -0.3, 0.3),
                (module.running_mean, -0.3, 0.3), (module.running_var, 0.5, 1.5),
            ):  # fmt: skip
                vector.data = torch.from_numpy(generator.uniform(low, high, size).astype("f4"))
    ours.load_state_dict({path: value.numpy() for path, value in theirs.state_dict().items()})


def compare(ours: Any, theirs: Any, shape: tuple[int, ...], trained: bool = True) -> None:
    """Compare scores in both modes; in training also gradients and what the run leaves behind."""
    import torch

    generator = np.random.default_rng(7)
    x = generator.normal(size=shape).astype(np.float32)
    give(ours, theirs, generator)
    for layer in ours.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    with torch.no_grad(), tg.no_grad():
        expected = theirs.eval()(torch.from_numpy(x))
        expected = expected[0] if isinstance(expected, tuple) else expected
        close(ours.eval()(tg.Tensor(x)).numpy(), expected.numpy(), 1e-5, "scores")
    if not trained:
        return
    # In double precision: batch statistics of few pixels magnify what rounding leaves.
    ours64, theirs64 = in_double(ours.train()), theirs.train().double()
    image = tg.Tensor(x.astype(np.float64), requires_grad=True)
    mirrored = torch.from_numpy(x).double().requires_grad_()
    mine, other = ours64(image), theirs64(mirrored)
    for one, two in zip(listed(mine), listed(other), strict=True):
        close(one.numpy(), two.detach().numpy(), 1e-10, "scores in training")
    weights = generator.normal(size=listed(mine)[0].shape)
    total = sum(((one * tg.Tensor(weights)).sum() for one in listed(mine)), start=tg.Tensor(0.0))
    sum((two * torch.from_numpy(weights)).sum() for two in listed(other)).backward()
    total.backward()
    close(image.grad.numpy(), mirrored.grad.numpy(), 1e-7, "error signal of the image")
    grads = {path: parameter.grad for path, parameter in theirs64.named_parameters()}
    for path, parameter in ours64.named_parameters():
        close(parameter.grad.numpy(), grads[path].numpy(), 1e-7, path)
    after = theirs64.state_dict()
    for path, value in ours64.state_dict().items():
        close(value, after[path].numpy(), 1e-6, path)


def listed(output: Any) -> list[Any]:
    return list(output) if isinstance(output, tuple) else [output]


def in_double(model: nn.Module) -> nn.Module:
    for module in model.modules():
        for attribute, value in list(vars(module).items()):
            if isinstance(value, nn.Parameter):
                setattr(module, attribute, nn.Parameter(value.numpy().astype(np.float64)))
    return model


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_equals_pytorchs(name: str) -> None:
    tg.manual_seed(0)
    network = models.find(name)
    theirs = in_pytorch(name, 7, **network.twin)
    compare(network.build_twin(7), theirs, (3, *network.twin_input))


FORMS = [
    *(("resnet18", {"shortcut": option}) for option in "AC"),
    ("resnet50", {"stride_in": "1x1"}),
    *(("resnet20", {"shortcut": option}) for option in "BC"),
    *(("resnet20", {"shortcut": option, "preactivation": True}) for option in "ABC"),
    ("plain20", {"preactivation": True}),
    ("googlenet", {"aux": True}),
    ("googlenet_torchvision", {"aux": True}),
    ("se_googlenet", {"aux": True}),
    ("inception_naive", {"reduced": True}),
]


@pytest.mark.parametrize(("name", "options"), FORMS, ids=str)
def test_other_forms_equal_pytorchs(name: str, options: dict[str, Any]) -> None:
    tg.manual_seed(0)
    network = models.find(name)
    ours = network.builder(num_classes=7, **{**network.options, **network.twin, **options})
    theirs = in_pytorch(name, 7, **{**network.twin, **options})
    compare(ours, theirs, (3, *network.twin_input))


@pytest.mark.full
@pytest.mark.parametrize("name", WHOLE)
def test_at_full_size_a_network_equals_pytorchs(name: str) -> None:
    tg.manual_seed(0)
    network = models.find(name)
    theirs = in_pytorch(name, network.num_classes)
    compare(network.build(), theirs, (1, *network.input_shape), trained=False)

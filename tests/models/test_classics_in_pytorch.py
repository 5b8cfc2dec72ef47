"""Outputs and gradients equal PyTorch's on the same weights, in tiny and at full size."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models

pytestmark = pytest.mark.parity

ALEXNET = (96, 256, 384, 384, 256)
ALEXNET_2014 = (64, 192, 384, 256, 256)
VGG = (64, 128, 256, 512)
COLUMNS = ("vgg11", "vgg11_lrn", "vgg13", "vgg16_1x1", "vgg16", "vgg19")
NORMED = ("vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn")
STUDY = tuple(f"{k}_{b}" for k in ("base", "strided", "convpool", "allcnn") for b in "abc")


def narrow(channels: tuple[int, ...], by: int) -> tuple[int, ...]:
    return tuple(c // by for c in channels)


def twins_in_pytorch() -> dict[str, Callable[[], Any]]:
    """Return how the twin of each network is written in PyTorch."""
    from .pytorch_nets import classics

    alexnet = narrow(ALEXNET, 16)
    return {
        "lenet5": classics.LeNet5,
        "lenet5_original": classics.LeNet5Original,
        "lab11_cnn2": lambda: classics.lab11_cnn2(8, 16),
        "lab11_cnn3": lambda: classics.lab11_cnn3(8, 16, 32, 156),
        "dlt_cnn": classics.dlt_cnn,
        "alexnet": lambda: classics.alexnet(alexnet, 256, 1, 1000, 1, "before_pool"),
        "alexnet_original": lambda: classics.alexnet(alexnet, 256, 1, 1000, 2, "before_pool"),
        "alexnet_torchvision": lambda: classics.alexnet_torchvision(
            narrow(ALEXNET_2014, 16), 256, 1, 1000
        ),
        "zfnet": lambda: classics.zfnet(alexnet, 256, 1, 1000),
        "nin": lambda: classics.nin(16, 13, 8, 16),
        **{
            name: (lambda name=name: classics.vgg(name, narrow(VGG, 16), 256, 1, 1000))
            for name in COLUMNS + NORMED
        },
        **{name: (lambda name=name: classics.all_cnn(name, 12, 24)) for name in STUDY},
    }


def in_pytorch() -> dict[str, Callable[[], Any]]:
    """Return how each network is written in PyTorch at its full size."""
    from .pytorch_nets import classics

    return {
        "lab11_cnn2": lambda: classics.lab11_cnn2(32, 64),
        "lab11_cnn3": lambda: classics.lab11_cnn3(32, 64, 128, 625),
        "alexnet": lambda: classics.alexnet(ALEXNET, 4096, 6, 1000, 1, "before_pool"),
        "alexnet_original": lambda: classics.alexnet(ALEXNET, 4096, 6, 1000, 2, "before_pool"),
        "alexnet_torchvision": lambda: classics.alexnet_torchvision(ALEXNET_2014, 4096, 6, 1000),
        "zfnet": lambda: classics.zfnet(ALEXNET, 4096, 6, 1000),
        "nin": lambda: classics.nin(192, 160, 96, 192),
        **{
            name: (lambda name=name: classics.vgg(name, VGG, 4096, 7, 1000))
            for name in COLUMNS + NORMED
        },
        **{name: (lambda name=name: classics.all_cnn(name, 96, 192)) for name in STUDY},
    }


def close(mine: Any, theirs: Any, within: float, what: str) -> None:
    """Compare with differences measured against the largest value."""
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=within * scale, err_msg=what)


def compare(ours: Any, theirs: Any, shape: tuple[int, ...], gradients: bool = True) -> None:
    """Give both the same weights and images, and compare what comes out and what goes back."""
    import torch

    generator = np.random.default_rng(4)
    x = generator.normal(size=shape).astype(np.float32)
    state = ours.state_dict()
    theirs.load_state_dict({path: torch.from_numpy(np.array(v)) for path, v in state.items()})
    ours.eval()
    theirs.eval()
    image = tg.Tensor(x, requires_grad=gradients)
    mirrored = torch.from_numpy(x).requires_grad_(gradients)
    mine, other = ours(image), theirs(mirrored)
    close(mine.numpy(), other.detach().numpy(), 1e-5, "outputs")
    if not gradients:
        return
    cotangent = generator.normal(size=mine.shape).astype(np.float32)
    mine.backward(tg.Tensor(cotangent))
    other.backward(torch.from_numpy(cotangent))
    close(image.grad.numpy(), mirrored.grad.numpy(), 1e-4, "error signal of the image")
    grads = {path: parameter.grad for path, parameter in theirs.named_parameters()}
    for path, parameter in ours.named_parameters():
        close(parameter.grad.numpy(), grads[path].numpy(), 1e-4, path)


TWINS = (
    "lenet5", "lenet5_original", "lab11_cnn2", "lab11_cnn3", "dlt_cnn", "alexnet",
    "alexnet_original", "alexnet_torchvision", "zfnet", "nin", *COLUMNS, *NORMED, *STUDY,
)  # fmt: skip


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_equals_pytorchs(name: str) -> None:
    tg.manual_seed(0)
    network = models.find(name)
    compare(network.build_twin(), twins_in_pytorch()[name](), (2, *network.twin_input))


@pytest.mark.parametrize("norm", ["after_pool", "none"])
def test_alexnets_other_orders_equal_pytorchs(norm: str) -> None:
    from .pytorch_nets import classics

    tg.manual_seed(0)
    ours = models.build("alexnet", norm=norm, width=1 / 16, side=67)
    theirs = classics.alexnet(narrow(ALEXNET, 16), 256, 1, 1000, 1, norm)
    compare(ours, theirs, (2, 3, 67, 67))


def test_the_linear_output_of_1998_equals_pytorchs() -> None:
    from .pytorch_nets import classics

    tg.manual_seed(0)
    ours = models.build("lenet5", variant="original")
    compare(ours, classics.LeNet5Original(rbf=False), (2, 1, 32, 32))


@pytest.mark.full
@pytest.mark.parametrize("name", [n for n in TWINS if "lenet" not in n and "dlt" not in n])
def test_at_full_size_a_network_equals_pytorchs(name: str) -> None:
    tg.manual_seed(0)
    network = models.find(name)
    compare(network.build(), in_pytorch()[name](), (1, *network.input_shape), gradients=False)

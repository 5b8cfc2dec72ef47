"""ResNets for ImageNet: counts and work of the paper, shapes, torchvision's names, options."""

import pytest

from tinygrad_cnn import models
from tinygrad_cnn.errors import OptionError

from .at_full_size import (
    affine,
    batch_norm,
    built,
    count,
    filters,
    state_shapes,
    summed_up,
)

# name: parameters, multiply-adds (stride in the 3x3), the paper's "FLOPs" (stride in the 1x1)
TABLE = {
    "resnet18": (11_689_512, 1_814_073_344, 1.8e9),
    "resnet34": (21_797_672, 3_663_761_408, 3.6e9),
    "resnet50": (25_557_032, 4_089_184_256, 3.8e9),
    "resnet101": (44_549_160, 7_801_405_440, 7.6e9),
    "resnet152": (60_192_808, 11_513_626_624, 11.3e9),
    "plain18": (11_515_688, 1_794_805_760, 1.8e9),
    "plain34": (21_623_848, 3_644_493_824, 3.6e9),
}
BOTTLENECKS = ("resnet50", "resnet101", "resnet152")


@pytest.mark.parametrize("name", TABLE)
def test_counts_and_work_are_the_papers(name: str) -> None:
    parameters, multiply_adds, published = TABLE[name]
    assert count(name) == parameters
    assert summed_up(name).multiply_adds == multiply_adds
    options = {"stride_in": "1x1"} if name in BOTTLENECKS else {}
    assert summed_up(name, **options).multiply_adds == pytest.approx(published, rel=0.02)


def test_the_stride_of_a_bottleneck_changes_its_work_and_not_its_weights() -> None:
    work = {where: summed_up("resnet50", stride_in=where).multiply_adds for where in ("1x1", "3x3")}
    assert work == {"1x1": 3_857_973_248, "3x3": 4_089_184_256}
    assert count("resnet50", stride_in="1x1") == count("resnet50")


def torchvisions_names(kernels: tuple[int, ...], layers: tuple[int, ...]):
    """Return names and shapes of torchvision's ResNet with blocks of such kernels."""
    factor = 4 if len(kernels) == 3 else 1
    state = filters("conv1", 64, 3, 7) | batch_norm("bn1", 64)
    channels = 64
    for stage, blocks in enumerate(layers):
        inner, out = 64 * 2**stage, 64 * 2**stage * factor
        for number in range(blocks):
            path = f"layer{stage + 1}.{number}"
            widths = (channels, *[inner] * (len(kernels) - 1), out)
            for k, kernel in enumerate(kernels, start=1):
                state |= filters(f"{path}.conv{k}", widths[k], widths[k - 1], kernel)
                state |= batch_norm(f"{path}.bn{k}", widths[k])
            if channels != out:
                state |= filters(f"{path}.downsample.0", out, channels, 1)
                state |= batch_norm(f"{path}.downsample.1", out)
            channels = out
    return list((state | affine("fc", 1000, channels)).items())


@pytest.mark.parametrize(
    ("name", "kernels", "layers"),
    [
        ("resnet18", (3, 3), (2, 2, 2, 2)),
        ("resnet34", (3, 3), (3, 4, 6, 3)),
        ("resnet50", (1, 3, 1), (3, 4, 6, 3)),
        ("resnet101", (1, 3, 1), (3, 4, 23, 3)),
        ("resnet152", (1, 3, 1), (3, 8, 36, 3)),
    ],
)
def test_the_state_has_torchvisions_names(name, kernels, layers) -> None:
    assert sorted(state_shapes(name)) == sorted(torchvisions_names(kernels, layers))


def test_depth_counts_the_layers_with_weights() -> None:
    for name in TABLE:
        convolutions = [
            path
            for path, parameter in built(name).named_parameters()
            if len(parameter.shape) == 4 and "downsample" not in path
        ]
        depth = int(name.removeprefix("resnet").removeprefix("plain"))
        assert len(convolutions) + 1 == depth


def test_shortcuts_differ_in_their_parameters() -> None:
    counts = {option: count("resnet34", shortcut=option) for option in "ABC"}
    assert counts["A"] == count("plain34")
    projections = 64 * 128 + 128 * 256 + 256 * 512 + 2 * (128 + 256 + 512)
    assert counts["B"] == counts["A"] + projections == 21_797_672
    everywhere = (3 * 64**2 + 3 * 128**2 + 5 * 256**2 + 2 * 512**2) + 2 * (
        3 * 64 + 3 * 128 + 5 * 256 + 2 * 512
    )
    assert counts["C"] == counts["B"] + everywhere


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("resnet18", {"shortcut": "D"}, "shortcut is one of A, B, C, none; got 'D'"),
        ("resnet50", {"stride_in": "2x2"}, "stride_in is one of 1x1, 3x3; got '2x2'"),
        *(
            (name, {"stride_in": place}, f"bottlenecks, .* got stride_in='{place}'. Leave it out")
            for name in ("resnet18", "resnet34", "plain18", "plain34")
            for place in ("1x1", "3x3")
        ),
        ("resnet34", {"stride_in": "2x2"}, "stride_in is one of 1x1, 3x3; got '2x2'"),
        ("resnet50", {"block": "basic"}, "known options are .*; got 'block'"),
        ("plain18", {"shortcut": "A"}, "known options are .*; got 'shortcut'"),
    ],
)
def test_options_that_make_no_sense_are_refused(name, options, match) -> None:
    with pytest.raises(OptionError, match=match):
        models.build(name, allocate=False, **options)


def test_blocks_and_layers_that_make_no_sense_are_refused() -> None:
    with pytest.raises(OptionError, match="block is one of basic, bottleneck; got 'neck'"):
        models.resnet.ResNet(block="neck")
    with pytest.raises(OptionError, match=r"at least one block for 4 stages; got \(1, 2\)"):
        models.resnet.ResNet(layers=(1, 2))
    with pytest.raises(OptionError, match="at least one block for 4 stages"):
        models.resnet.ResNet(layers=(1, 2, 0, 1))

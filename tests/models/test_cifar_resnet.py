"""ResNets for CIFAR-10: counts, shapes, options, recomputation, and the published weights."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import models
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.train.ensemble import viewed_probabilities
from tinygrad_cnn.train.paired import paired

from .at_full_size import affine, batch_norm, count, filters, state_shapes, summed_up

# name: parameters, and as table 6 of the paper prints them in millions
TABLE = {
    "resnet20": (269_722, "0.27"),
    "resnet32": (464_154, "0.46"),
    "resnet44": (658_586, "0.66"),
    "resnet56": (853_018, "0.85"),
    "resnet110": (1_727_962, "1.7"),
    "resnet1202": (19_421_274, "19.4"),
}


@pytest.mark.parametrize("name", TABLE)
def test_counts_are_those_of_table_6(name: str) -> None:
    parameters, printed = TABLE[name]
    assert count(name) == parameters
    decimals = len(printed.partition(".")[2])
    assert f"{parameters / 1e6:.{decimals}f}" == printed
    if name != "resnet1202":
        assert count(name.replace("res", "plain").replace("plainnet", "plain")) == parameters


@pytest.mark.parametrize("name", TABLE)
def test_depth_counts_the_layers_with_weights(name: str) -> None:
    weights = [path for path, shape in state_shapes(name) if len(shape) in (2, 4)]
    assert len(weights) == int(name.removeprefix("resnet"))


def test_work_of_the_shallowest_and_the_deepest() -> None:
    assert summed_up("resnet20").multiply_adds == 40_551_040
    assert summed_up("resnet1202").multiply_adds == 2_829_238_912


def test_shortcuts_differ_in_their_parameters() -> None:
    counts = {option: count("resnet20", shortcut=option) for option in "ABC"}
    assert counts == {"A": 269_722, "B": 272_474, "C": 283_962}
    assert count("resnet20", shortcut="A", preactivation=True) == 269_722


def published_names(depth: int, option: str) -> list[Any]:
    """Return names and shapes of Idelbayev's networks."""
    state = filters("conv1", 16, 3, 3) | batch_norm("bn1", 16)
    channels = 16
    for stage, out in enumerate((16, 32, 64), start=1):
        for number in range((depth - 2) // 6):
            path = f"layer{stage}.{number}"
            for k, before in ((1, channels), (2, out)):
                state |= filters(f"{path}.conv{k}", out, before, 3)
                state |= batch_norm(f"{path}.bn{k}", out)
            if option == "B" and channels != out:
                state |= filters(f"{path}.shortcut.0", out, channels, 1)
                state |= batch_norm(f"{path}.shortcut.1", out)
            channels = out
    return list((state | affine("linear", 10, 64)).items())


@pytest.mark.parametrize("option", ["A", "B"])
def test_the_state_has_the_published_names(option: str) -> None:
    assert sorted(state_shapes("resnet20", shortcut=option)) == sorted(published_names(20, option))
    assert sorted(state_shapes("resnet56", shortcut=option)) == sorted(published_names(56, option))


def test_option_a_passes_every_second_pixel_on_and_adds_zeros_on_both_sides() -> None:
    x = np.arange(2 * 3 * 5 * 4, dtype=np.float32).reshape(2, 3, 5, 4)
    passed = models.resnet.PaddedShortcut(3, 6, 2)(tg.Tensor(x)).numpy()
    assert passed.shape == (2, 6, 3, 2)
    np.testing.assert_array_equal(passed[:, 1:4], x[:, :, ::2, ::2])
    assert not passed[:, 0].any()
    assert not passed[:, 4:].any()


def test_a_preactivated_block_ends_with_the_sum_and_a_plain_one_has_none() -> None:
    x = tg.Tensor(np.zeros((2, 3, 8, 8), np.float32))
    for options, sums, last in (
        ({}, 3, "relu"),
        ({"preactivation": True}, 3, "relu"),  # that of the appendix, behind all blocks
        ({"shortcut": "none"}, 0, "relu"),
        ({"shortcut": "none", "preactivation": True}, 0, "relu"),
    ):
        model = models.cifar_resnet.CifarResNet(depth=8, width=1 / 4, **options)
        with tg.explain.record() as recording:
            model(x)
        names = [step.name for step in recording.steps]
        assert names.count("add") == sums
        assert names.count("relu") == 7
        assert [name for name in names if name in ("add", "relu")][-1] == last


def step_of(model: tg.nn.Module, x: Any, labels: Any) -> tuple[float, dict[str, Any], int]:
    model.zero_grad()
    loss = F.cross_entropy(model(tg.Tensor(x)), labels)
    kept = tg.saved_bytes(loss).activations
    loss.backward()
    grads = {path: parameter.grad.numpy().copy() for path, parameter in model.named_parameters()}
    return loss.item(), grads, kept


@pytest.mark.parametrize("options", [{}, {"preactivation": True, "shortcut": "B"}], ids=str)
def test_recomputation_keeps_less_and_changes_no_bit(options: dict[str, Any]) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(4, 3, 16, 16)).astype(np.float32)
    tg.manual_seed(0)
    plain = models.cifar_resnet.CifarResNet(depth=56, width=1 / 4, **options)
    thrifty = models.cifar_resnet.CifarResNet(depth=56, width=1 / 4, recompute=2, **options)
    thrifty.load_state_dict(plain.state_dict())
    labels = np.array([1, 2, 3, 4])
    loss, grads, kept = step_of(plain, x, labels)
    again, same, less = step_of(thrifty, x, labels)
    assert again == loss
    assert less < 0.6 * kept
    for path, value in grads.items():
        np.testing.assert_array_equal(same[path], value, err_msg=path)
    for path, value in plain.state_dict().items():  # running averages counted once
        np.testing.assert_array_equal(thrifty.state_dict()[path], value, err_msg=path)
    np.testing.assert_array_equal(
        thrifty.eval()(tg.Tensor(x)).numpy(), plain.eval()(tg.Tensor(x)).numpy()
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"depth": 21}, r"6n \+ 2 with n at least 1; got 21"),
        ({"depth": 2}, r"6n \+ 2 with n at least 1; got 2"),
        ({"shortcut": "E"}, "one of A, B, C, none; got 'E'"),
        ({"recompute": -1}, "recompute is a number of blocks; got -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, match) -> None:
    with pytest.raises(OptionError, match=match):
        models.cifar_resnet.CifarResNet(**options)


# -- the published weights -----------------------------------------------------------------


class _Batch(pickle.Unpickler):
    """Reads CIFAR's published batches: lists, dictionaries and one array."""

    def find_class(self, module: str, name: str) -> Any:
        known = {"_reconstruct": np._core.multiarray._reconstruct, "ndarray": np.ndarray}
        return {**known, "dtype": np.dtype}[name]


Images = Callable[[int], tuple[Any, Any]]


@pytest.fixture(scope="module")
def cifar_test_images(published_file) -> Images:
    """Return what gives the first test images, standardised for the weights, and labels."""
    with published_file("cifar-10-batches-py/test_batch").open("rb") as stream:
        batch = _Batch(stream, encoding="latin1").load()
    mean = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
    deviation = np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)

    def first(count: int) -> tuple[Any, Any]:
        images = batch["data"][:count].reshape(-1, 3, 32, 32).astype(np.float32) / 255
        return (images - mean) / deviation, np.array(batch["labels"][:count])

    return first


# Images, views of each, right answers with one view and with these. Its author trained with crops
# out of four pixels of padding and with mirror images.
VIEWED = [(10_000, 2, 9_173, 9_276), (2_000, 10, 1_833, 1_862)]


@pytest.fixture(scope="module")
def published(published_file) -> dict[str, Any]:
    return models.read_weights(published_file("weights/resnet20-12fca82f.th"))


@pytest.fixture(scope="module")
def resnet20(published) -> tg.nn.Module:
    model = models.build("resnet20")
    model.load_state_dict(published)
    return model.eval()


def classified(model: tg.nn.Module, images: Any) -> Any:
    with tg.no_grad():
        parts = [model(tg.Tensor(images[k : k + 250])).numpy() for k in range(0, len(images), 250)]
    return np.concatenate(parts)


def classified_rightly(model: tg.nn.Module, images: Any, labels: Any) -> int:
    return int((classified(model, images).argmax(1) == labels).sum())


@pytest.mark.data
def test_the_published_resnet20_classifies_the_first_thousand(resnet20, cifar_test_images) -> None:
    rightly = classified_rightly(resnet20, *cifar_test_images(1_000))
    assert abs(rightly - 915) <= 1  # PyTorch: 915


@pytest.mark.data
@pytest.mark.full
def test_the_published_resnet20_classifies_what_its_authors_report(
    resnet20, cifar_test_images
) -> None:
    assert abs(classified_rightly(resnet20, *cifar_test_images(10_000)) - 9_173) <= 3


@pytest.mark.data
@pytest.mark.full
@pytest.mark.parametrize(("count", "crops", "plain", "viewed"), VIEWED)
def test_the_published_resnet20_gains_by_views(
    count: int, crops: int, plain: int, viewed: int, resnet20, cifar_test_images
) -> None:
    images, labels = cifar_test_images(count)
    right = [
        viewed_probabilities(resnet20, images, views).argmax(1) == labels for views in (1, crops)
    ]
    change = paired(*right)
    for own, told in zip(right, (plain, viewed), strict=True):
        assert abs(int(own.sum()) - told) <= 3
    assert change.gain > 0.01
    assert change.p_value < 0.01


@pytest.mark.data
@pytest.mark.parity
def test_the_published_resnet20_gives_pytorchs_logits(
    resnet20, published, cifar_test_images
) -> None:
    import torch

    from .pytorch_nets import branched

    theirs = branched.cifar_resnet(10, 20).eval()
    state = theirs.state_dict()
    state |= {name: torch.from_numpy(value.copy()) for name, value in published.items()}
    theirs.load_state_dict(state)
    images, _ = cifar_test_images(500)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(classified(resnet20, images), expected, rtol=0, atol=1e-4)

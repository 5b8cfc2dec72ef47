"""Data sets, loaders and transforms of pictures as scripts use them."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tinygrad_cnn as tg
from tinygrad_cnn.compat import torch
from tinygrad_cnn.compat.torch.utils.data import DataLoader, Dataset, Subset, TensorDataset
from tinygrad_cnn.compat.torchvision import datasets, transforms
from tinygrad_cnn.errors import DTypeError, MissingDataError, OptionError, ShapeError


class Squares(Dataset):
    """Numbers and their squares, in tensors of one element."""

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        return torch.FloatTensor([index]), torch.FloatTensor([index**2])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_set_of_ones_own_comes_in_batches_of_tensors(workers: int) -> None:
    batches = list(DataLoader(Squares(), 2, num_workers=workers, pin_memory=True))
    assert [type(part) for part in batches[0]] == [tg.Tensor, tg.Tensor]
    assert [y.tolist() for x, y in batches] == [[[0.0], [1.0]], [[4.0], [9.0]], [[16.0]]]
    loader = DataLoader(dataset=Squares(), batch_size=2, drop_last=True)
    assert len(loader) == len(list(loader)) == 2
    assert len(loader.dataset) == 5


def test_shuffling_goes_by_the_seed() -> None:
    loader = DataLoader(Squares(), batch_size=5, shuffle=True)
    orders = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        orders.append([x.view(-1).tolist() for x, _ in loader])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[2][0]) == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_examples_may_have_any_form() -> None:
    class Forms(Squares):
        def __getitem__(self, index: int) -> Any:
            return {"image": np.full((1, 2), index, np.float32), "name": str(index)}

    batch = next(iter(DataLoader(Forms(), batch_size=2)))
    assert (batch["image"].shape, batch["name"]) == ((2, 1, 2), ["0", "1"])
    own = DataLoader(Squares(), batch_size=3, collate_fn=len)
    assert list(own) == [3, 2]


def test_tensors_make_a_data_set() -> None:
    dataset = TensorDataset(torch.randn(6, 2), torch.arange(6))
    x, y = next(iter(DataLoader(Subset(dataset, [5, 1]), batch_size=2)))
    assert (x.shape, y.tolist(), y.dtype) == ((2, 2), [5, 1], np.int64)
    assert [len(part) for part in torch.utils.data.random_split(dataset, [4, 2])] == [4, 2]
    with pytest.raises(ShapeError, match=r"TensorDataset: .*got lengths \[2, 3\]"):
        TensorDataset(torch.zeros(2), torch.zeros(3))


@pytest.mark.parametrize(
    ("make", "kind", "match"),
    [
        (lambda: DataLoader(Squares(), 0), OptionError, "batch_size is a whole number from 1"),
        (lambda: DataLoader(Squares(), sampler=[1]), OptionError, "sampler is None.*shuffle="),
        (lambda: DataLoader([1], batch_sampler=[[0]]), OptionError, "batch_sampler is None"),
        (lambda: next(iter(DataLoader([Image.new("L", (2, 2))]))), DTypeError, "got Image"),
        (lambda: transforms.ToTensor()("a"), DTypeError, "ToTensor: .*pictures.*got str"),
        (lambda: transforms.ToTensor()(np.zeros(3)), ShapeError, r"\(H, W\).*got \(3,\)"),
        (lambda: transforms.Resize(2)(torch.ones(1, 4, 4)), DTypeError, "before ToTensor"),
        (lambda: transforms.Resize((2, 3, 4)), OptionError, "Resize: size is .*height, width"),
        (lambda: transforms.Resize(0), OptionError, "Resize: size is a number of pixels"),
        (lambda: transforms.CenterCrop(5)(Image.new("L", (4, 6))), ShapeError, "got 5x5 of 6x4"),
        (lambda: transforms.Normalize(0.5, 0), OptionError, "deviations are not 0"),
        (lambda: transforms.Normalize(0.5, 1)(np.ones(3)), DTypeError, r"Put ToTensor\(\) before"),
        (lambda: transforms.Normalize((0, 0), (1, 1))(torch.ones(3, 2, 2)), ShapeError, "2 and 2"),
        (lambda: transforms.Compose([3]), DTypeError, "Compose: a transform is called"),
        (lambda: transforms.Grayscale(2), OptionError, "num_output_channels is 1 or 3; got 2"),
        (lambda: transforms.ToPILImage()(torch.ones(2, 2)), ShapeError, r"ToPILImage: .*\(2, 2\)"),
    ],
)
def test_what_is_refused(make, kind: type, match: str) -> None:
    with pytest.raises(Exception, match=match) as caught:  # a loader wraps what an example raises
        make()
    assert isinstance(caught.value, kind)


# -- pictures ------------------------------------------------------------------------------


def test_a_picture_becomes_a_tensor() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10
    x = transforms.ToTensor()(Image.fromarray(pixels))
    assert (x.shape, x.dtype) == ((3, 2, 4), np.float32)
    np.testing.assert_array_equal(x.numpy(), (pixels / 255).astype(np.float32).transpose(2, 0, 1))
    assert transforms.ToTensor()(pixels).tolist() == x.tolist()
    assert transforms.ToTensor()(Image.fromarray(pixels).convert("P")).shape == (3, 2, 4)
    assert transforms.ToTensor()(np.ones((2, 2), np.float32) * 7).max().item() == 7
    back = transforms.ToPILImage()(x)
    np.testing.assert_array_equal(np.asarray(back), pixels)


def test_sizes_follow_torchvision() -> None:
    wide = Image.new("RGB", (40, 20))
    assert transforms.Resize((8, 6))(wide).size == (6, 8)
    assert transforms.Resize(10)(wide).size == (20, 10)
    assert transforms.Resize([10])(wide.rotate(90, expand=True)).size == (10, 20)
    assert transforms.CenterCrop((4, 6))(wide).size == (6, 4)
    assert transforms.Grayscale(3)(wide).mode == "RGB"
    chain = transforms.Compose([transforms.Lambda(lambda picture: picture), transforms.ToTensor()])
    assert chain(wide).shape == (3, 20, 40)
    assert repr(chain) == "Compose([Lambda(<lambda>), ToTensor()])"


def mnist(folder: Path) -> np.ndarray:
    """Write a few random images as MNIST's files, and return those to train with."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = np.random.default_rng(1).integers(0, 256, (7, 28, 28), dtype=np.uint8)
    for name, count in (("train", 7), ("t10k", 3)):
        for kind, array in (("images-idx3", pixels), ("labels-idx1", np.arange(7, dtype=np.uint8))):
            part = array[:count]
            head = struct.pack(f">BBBB{part.ndim}i", 0, 0, 8, part.ndim, *part.shape)
            (raw / f"{name}-{kind}-ubyte").write_bytes(head + part.tobytes())
    return pixels


def test_mnist_is_what_scripts_expect(tmp_path: Path) -> None:
    pixels = mnist(tmp_path)
    train = datasets.MNIST(root=str(tmp_path), train=True, transform=transforms.ToTensor())
    assert (len(train), len(datasets.MNIST(tmp_path, train=False))) == (7, 3)
    x, label = train[2]
    assert (x.shape, label) == ((1, 28, 28), 2)
    np.testing.assert_array_equal(x.numpy()[0], (pixels[2] / 255).astype(np.float32))
    assert (train.data.shape, train.data.dtype) == ((7, 28, 28), np.uint8)
    assert train.data is train.train_data is train.test_data
    assert train.targets.tolist() == train.test_labels.tolist() == list(range(7))
    assert (train.classes[3], train.class_to_idx["3"]) == ("3", 3)
    picture, _ = datasets.MNIST(tmp_path)[0]
    assert (picture.size, picture.mode) == ((28, 28), "L")
    assert datasets.MNIST(tmp_path, target_transform=lambda label: -label)[2][1] == -2


@pytest.mark.parametrize(
    "transform",
    [
        transforms.ToTensor(),
        transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]),
        transforms.Compose([transforms.Resize(14), transforms.ToTensor()]),
        lambda picture: transforms.ToTensor()(picture.rotate(90)),
    ],
)
def test_a_batch_is_its_examples_to_the_bit(tmp_path: Path, transform: Any) -> None:
    mnist(tmp_path)
    train = datasets.MNIST(tmp_path, transform=transform)
    images, labels = next(iter(DataLoader(train, batch_size=7)))
    assert (images.dtype, labels.tolist()) == (np.float32, list(range(7)))
    for image, (x, _) in zip(images, train, strict=True):
        np.testing.assert_array_equal(image.numpy(), x.numpy())


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST", "CIFAR10", "CIFAR100"])
def test_data_that_is_nowhere_is_told(tmp_path: Path, name: str, monkeypatch) -> None:
    monkeypatch.delenv("TINYGRAD_CNN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(MissingDataError):
        getattr(datasets, name)(tmp_path / "empty")
    with pytest.raises(MissingDataError):
        datasets.EMNIST(tmp_path / "empty", split="letters", train=False)


@pytest.mark.data
def test_cifar_is_what_scripts_expect(published_file) -> None:
    root = published_file("cifar-10-batches-py/test_batch").parents[1]
    test = datasets.CIFAR10(root, train=False, transform=transforms.ToTensor())
    assert (test.data.shape, test.targets[:3], len(test.classes)) == (
        (10000, 32, 32, 3), [3, 8, 8], 10,
    )  # fmt: skip
    images, _ = next(iter(DataLoader(test, batch_size=4)))
    np.testing.assert_array_equal(images[1].numpy(), test[1][0].numpy())


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    for name in ("dog", "cat"):
        (tmp_path / name).mkdir()
        Image.new("L", (6, 4), 100).save(tmp_path / name / "1.png")
    plain = datasets.ImageFolder(root=str(tmp_path), target_transform=lambda label: label + 1)
    picture, label = plain[1]
    assert (picture.mode, picture.size, label) == ("RGB", (6, 4), 2)
    assert plain.class_to_idx == {"cat": 0, "dog": 1}
    assert [path.parent.name for path, _ in plain.imgs] == ["cat", "dog"]
    trans = transforms.Compose([transforms.Resize((8, 8)), transforms.ToTensor()])
    loader = DataLoader(datasets.ImageFolder(tmp_path, trans), batch_size=2, num_workers=2)
    ((images, labels),) = loader
    assert (images.shape, labels.tolist()) == ((2, 3, 8, 8), [0, 1])

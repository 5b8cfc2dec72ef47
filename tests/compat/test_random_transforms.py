"""Crops and mirror images of single pictures: the same for seed, epoch and example."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tinygrad_cnn as tg
from tinygrad_cnn import data
from tinygrad_cnn.compat import torch
from tinygrad_cnn.compat.torch.utils.data import DataLoader, Dataset, Subset
from tinygrad_cnn.compat.torchvision import datasets, transforms
from tinygrad_cnn.errors import DataError, DTypeError, OptionError

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 8, 6, 3), np.uint8)
BOTH = transforms.Compose(
    [transforms.RandomCrop((8, 6), padding=3), transforms.RandomHorizontalFlip(), np.asarray]
)


class Pictures(Dataset):
    """Seven pictures in colours, and their positions."""

    def __len__(self) -> int:
        return len(PIXELS)

    def __getitem__(self, index: int) -> Any:
        return BOTH(Image.fromarray(PIXELS[index])), index


def epoch(loader: DataLoader) -> dict[int, bytes]:
    """Return what became of each picture."""
    return {
        int(position): np.asarray(picture).tobytes()
        for pictures, positions in loader
        for picture, position in zip(pictures, positions, strict=True)
    }


@pytest.mark.parametrize("batch", [1, 3, 7])
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("shuffle", [False, True])
def test_neither_batch_nor_order_nor_workers_change_a_picture(
    batch: int, workers: int, shuffle: bool
) -> None:
    torch.manual_seed(5)
    expected = DataLoader(Pictures(), 2)
    loader = DataLoader(Pictures(), batch, shuffle, num_workers=workers)
    first, second = epoch(loader), epoch(loader)
    assert first == epoch(expected)
    assert second == epoch(expected)
    assert all(first[position] != second[position] for position in range(len(PIXELS)))


def test_a_picture_is_drawn_as_in_a_batch() -> None:
    torch.manual_seed(5)
    images = np.moveaxis(PIXELS, -1, 1)
    draws = data.Draws(5, 0, np.arange(7), (1 << 16,))
    cropped = data.RandomCrop(padding=3)(images, draws)
    flipped = np.moveaxis(data.RandomFlip()(cropped, draws), 1, -1).astype(np.float32)
    assert epoch(DataLoader(Pictures(), 4)) == {k: x.tobytes() for k, x in enumerate(flipped)}


def test_a_part_of_a_data_set_counts_for_itself() -> None:
    torch.manual_seed(5)
    first, second = (epoch(DataLoader(Subset(Pictures(), [6, 2, 4]), batch)) for batch in (3, 2))
    assert first == second
    assert first.keys() == {2, 4, 6}


def test_without_a_loader_the_seed_of_the_package_counts() -> None:
    shown = Image.fromarray(PIXELS[0])
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append([BOTH(shown).tobytes() for _ in range(8)])
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) > 4


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_every_kind_of_picture_stays_one(mode: str) -> None:
    shown = Image.fromarray(PIXELS[0]).convert(mode)
    flipped = transforms.RandomHorizontalFlip(1.0)(shown)
    expected = shown.convert("RGB") if mode == "P" else shown
    np.testing.assert_array_equal(np.asarray(flipped), np.asarray(expected)[:, ::-1])
    assert flipped.mode == expected.mode
    assert transforms.RandomCrop(4)(shown).size == (4, 4)


def test_a_tensor_stays_a_tensor() -> None:
    x = tg.Tensor(PIXELS[0].transpose(2, 0, 1).astype(np.float32))
    assert transforms.RandomHorizontalFlip(1)(x).tolist() == x.numpy()[..., ::-1].tolist()
    edge = transforms.RandomCrop(8, padding=9, padding_mode="edge")(x)
    assert edge.shape == (3, 8, 8)
    assert set(edge.numpy().ravel()) <= set(x.numpy().ravel())


def test_folders_and_published_data_are_drawn_alike(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    for number, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(tmp_path / "cat" / f"{number}.png")
    torch.manual_seed(5)
    own = epoch(DataLoader(Pictures(), 7))
    folder = datasets.ImageFolder(tmp_path, BOTH, target_transform=lambda label: 0)
    ((pictures, _),) = DataLoader(folder, 7, num_workers=2)
    assert [np.asarray(each).tobytes() for each in pictures] == [own[k] for k in range(7)]

    published = datasets.CIFAR10.__new__(datasets.CIFAR10)
    published.examples = data.ArrayDataset(np.moveaxis(PIXELS, -1, 1), np.arange(7))
    published.transform, published.target_transform = BOTH, None
    assert epoch(DataLoader(published, 3)) == own
    published.transform = transforms.RandomCrop(20)
    with pytest.raises(DataError) as caught:
        list(DataLoader(published, 3))
    assert str(caught.value).count("example") == 2  # its rule, and which
    assert "RandomCrop: the window is no larger than the image" in str(caught.value)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: transforms.RandomCrop(4, fill=1), OptionError, "RandomCrop: .*got False, 1 and"),
        (lambda: transforms.RandomCrop(4, padding_mode="reflect"), OptionError, "'reflect'"),
        (lambda: transforms.RandomCrop(4, pad_if_needed=True), OptionError, "got True"),
        (lambda: transforms.RandomCrop(4, padding=-1), OptionError, "padding is a whole number"),
        (lambda: transforms.RandomHorizontalFlip(2), OptionError, r"lies in \[0, 1\]; got 2"),
        (lambda: transforms.RandomHorizontalFlip()("cat"), DTypeError, "pictures.*got str"),
    ],
)
def test_what_is_refused(make: Any, error: type, match: str) -> None:
    with pytest.raises(error, match=match):
        make()

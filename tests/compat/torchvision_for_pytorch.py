"""What the scripts take from torchvision, for PyTorch: their data, and nothing of ours but files.

torchvision itself is made for one version of PyTorch and cannot be had for every one.
"""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image


def modules() -> dict[str, ModuleType]:
    """Return stand-ins for torchvision and its two modules, by name."""
    import torch
    from torch.utils.data import Dataset

    class Compose:
        def __init__(self, transforms: Any) -> None:
            self.transforms = transforms

        def __call__(self, picture: Any) -> Any:
            for transform in self.transforms:
                picture = transform(picture)
            return picture

    class ToTensor:
        def __call__(self, picture: Any) -> Any:
            pixels = np.array(picture)
            pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
            return torch.from_numpy(pixels.transpose(2, 0, 1).copy()).float() / 255

    class Normalize:
        def __init__(self, mean: Any, std: Any) -> None:
            self.mean, self.std = (torch.tensor(v).view(-1, 1, 1) for v in (mean, std))

        def __call__(self, x: Any) -> Any:
            return (x - self.mean) / self.std

    class Resize:
        def __init__(self, size: tuple[int, int]) -> None:
            self.size = size

        def __call__(self, picture: Any) -> Any:
            return picture.resize(self.size[::-1], Image.Resampling.BILINEAR)

    class MNIST(Dataset):
        def __init__(
            self, root: Any, train: bool = True, transform: Any = None, download: bool = False
        ) -> None:
            name = "train" if train else "t10k"
            images, labels = (
                Path(root, "MNIST", "raw", f"{name}-{kind}-ubyte").read_bytes()
                for kind in ("images-idx3", "labels-idx1")
            )
            self.data = torch.frombuffer(bytearray(images[16:]), dtype=torch.uint8).view(-1, 28, 28)
            self.targets = torch.frombuffer(bytearray(labels[8:]), dtype=torch.uint8).long()
            self.transform = transform

        def __len__(self) -> int:
            return len(self.data)

        def __getitem__(self, index: int) -> Any:
            picture = Image.fromarray(self.data[index].numpy())
            return self.transform(picture), int(self.targets[index])

    class ImageFolder(Dataset):
        def __init__(self, root: Any, transform: Any = None) -> None:
            self.classes = sorted(folder.name for folder in Path(root).iterdir())
            self.samples = [
                (path, label)
                for label, name in enumerate(self.classes)
                for path in sorted(Path(root, name).iterdir())
            ]
            self.transform = transform

        def __len__(self) -> int:
            return len(self.samples)

        def __getitem__(self, index: int) -> Any:
            path, label = self.samples[index]
            return self.transform(Image.open(path).convert("RGB")), label

    def module(name: str, **content: Any) -> ModuleType:
        made = ModuleType(name)
        vars(made).update(content)
        return made

    datasets = module("torchvision.datasets", MNIST=MNIST, ImageFolder=ImageFolder)
    transforms = module(
        "torchvision.transforms",
        **{kind.__name__: kind for kind in (Compose, Normalize, Resize, ToTensor)},
    )
    whole = module("torchvision", datasets=datasets, transforms=transforms)
    return {each.__name__: each for each in (whole, datasets, transforms)}

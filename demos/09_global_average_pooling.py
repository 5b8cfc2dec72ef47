"""Global average pooling in place of fully connected layers, as in Network in Network.

The last convolution makes one map for each class, and a class's score is the mean of its map
(M. Lin, Q. Chen, S. Yan, "Network in network", ICLR 2014, section 3.2). So the map can be looked
at, and an image may have any size.

Run it: python demos/09_global_average_pooling.py
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn
from tinygrad_cnn.errors import ShapeError

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--pictures", type=Path, default=Path("demo_pictures"), help="their folder")
pictures = parser.parse_args().pictures

EPOCHS, BATCH_SIZE, LEARNING_RATE = 8, 32, 0.003
train, test = tg.data.load("digits", image_size=16)  # 1,438 and 359 images, standardised
black = train.images.min()
for part in (train, test):
    part.images[...] -= black  # so that black is 0, as the padding of a convolution is


def features() -> list[nn.Module]:
    """Return three small networks in the network: a convolution, then 1x1 convolutions."""
    return [
        *(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, 16, 1), nn.ReLU()),
        nn.MaxPool2d(2),  # (N, 16, 8, 8)
        *(nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 24, 1), nn.ReLU()),
        *(nn.Conv2d(24, 32, 3, padding=1), nn.ReLU()),  # (N, 32, 8, 8)
    ]


class Pooled(nn.Module):
    """One map for each class by a 1x1 convolution; the score is the mean of the map."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*features())
        self.head = nn.Conv2d(32, 10, 1)

    def maps(self, x: tg.Tensor) -> tg.Tensor:
        """Map images (N, 1, H, W) to a map of scores for each class, (N, 10, H / 2, W / 2)."""
        return self.head(self.features(x))

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """Map images (N, 1, H, W) to scores (N, 10)."""
        return F.global_avg_pool2d(self.maps(x))


class FullyConnected(nn.Module):
    """The same features; every value of every map has a weight for every class."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*features())
        self.head = nn.Linear(32 * 8 * 8, 10)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """Map images (N, 1, 16, 16) to scores (N, 10)."""
        return self.head(F.flatten(self.features(x), 1))


def predicted(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """Return the class of the largest score for each image."""
    with tg.no_grad():
        return model(tg.Tensor(images)).argmax(1).numpy()


def trained(kind: type[nn.Module]) -> nn.Module:
    """Return a network of a kind, trained on digits."""
    tg.manual_seed(0)
    model = kind()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    optimiser = tg.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for _ in range(EPOCHS):
        for images, labels in tg.data.DataLoader(train, BATCH_SIZE, shuffle=True):
            loss = F.cross_entropy(model(tg.Tensor(images)), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model


# -- parameters, and how well they classify ---------------------------------------------------
print(f"{EPOCHS} epochs on digits, Adam {LEARNING_RATE}, batches of {BATCH_SIZE}, seed 0\n")
print("head                        features     head    test accuracy   at 20x20 pixels")
larger = np.pad(test.images, ((0, 0), (0, 0), (2, 2), (2, 2)))  # a border of black
networks, accuracies, refusal = {}, {}, ""
for kind in (Pooled, FullyConnected):
    networks[kind] = model = trained(kind)
    accuracies[kind] = float(np.mean(predicted(model, test.images) == test.labels))
    try:
        elsewhere = f"{np.mean(predicted(model, larger) == test.labels):.1%}"
    except ShapeError as error:
        elsewhere, refusal = "refused", str(error)
    counts = [part.count_parameters() for part in (model.features, model.head)]
    figures = f"{counts[0]:11,d} {counts[1]:8,d} {accuracies[kind]:15.1%}"
    print(f"  {kind.__name__:22s} {figures} {elsewhere:>16s}")
print(f"refused: {refusal}")
if accuracies[Pooled] < 0.85 or not refusal:
    raise SystemExit("the pooled network did not learn, or the other one took another size")

# -- two digits in one image: where is each? ----------------------------------------------------
# Trained on single digits of 16x16 pixels, it is shown pairs of 16x32.
pairs = tg.manual_seed(1).permutation(len(test.labels))[:200].reshape(100, 2)
images = np.concatenate([test.images[pairs[:, 0]], test.images[pairs[:, 1]]], axis=3)
with tg.no_grad():
    maps = networks[Pooled].maps(tg.Tensor(images)).numpy()  # (100, 10, 8, 16)
halves = np.stack([maps[..., :8].mean((2, 3)), maps[..., 8:].mean((2, 3))], axis=1)
found = float(np.mean(halves.argmax(2) == test.labels[pairs]))
print("\n100 pairs of digits in images of 16x32 pixels: the class whose map has the largest")
print(f"mean in a half of the image is the digit that stands there in {found:.1%} of the halves")
if found < 0.6:
    raise SystemExit("the maps do not show where the digits are")

# -- picture ---------------------------------------------------------------------------------
figure = Figure(figsize=(11, 6), layout="constrained")
figure.suptitle("Score maps of a network trained on single digits, shown two at once", fontsize=14)
grid = figure.subplots(3, 3)
reach = np.abs(maps[:3]).max()
for line, image, scores, both in zip(grid, images, maps, test.labels[pairs], strict=False):
    line[0].imshow(image[0], cmap="gray")
    line[0].set(title=f"image: {both[0]} and {both[1]}", ylabel="row (pixels)")
    for axes, digit in zip(line[1:], both, strict=True):
        drawn = axes.imshow(scores[digit], cmap="RdBu_r", vmin=-reach, vmax=reach)
        axes.set(title=f"map of class {digit}, mean {scores[digit].mean():+.1f}", ylabel="row")
for axes in grid[-1]:
    axes.set_xlabel("column (pixels)" if axes is grid[-1, 0] else "column of the map")
figure.colorbar(drawn, ax=grid, shrink=0.7, label="score")
pictures.mkdir(parents=True, exist_ok=True)
path = pictures / "09_global_average_pooling.png"
figure.savefig(path, dpi=100)
print(f"\npicture: {path}")

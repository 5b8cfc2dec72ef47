"""Augmentation: one digit and one picture under every transform, the same in every run.

What is drawn for an image depends on seed, epoch and the image's number alone: not on its batch
and not on how many threads load it.
Run it: python demos/22_augmentation.py
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from tinygrad_cnn import data
from tinygrad_cnn.data import Compose, Draws

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--pictures", type=Path, default=Path("demo_pictures"), help="their folder")
pictures = parser.parse_args().pictures
SEED, EPOCHS = 1, 5


# -- the images: a handwritten digit, and a picture with a left and a right ------------------
def painted(count: int) -> np.ndarray:
    """Paint meadows under skies in which a sun stands somewhere, (N, 3, 32, 32) bytes."""
    rng = np.random.default_rng(0)
    images = np.zeros((count, 3, 32, 32), np.float32)
    down, across = np.mgrid[:32, :32]
    for image in images:
        hill = 20 + 4 * np.sin(across / rng.uniform(4, 7) + rng.uniform(0, 6))
        light = rng.uniform(0.6, 1.0)
        sky = np.array([110, 170, 240])[:, None, None] + 3 * (down - 10)
        grass = np.array([60, 140, 50])[:, None, None] - 2 * (down - 20)
        image[:] = np.where(down > hill, grass, sky) * light
        row, column = rng.uniform(5, 11), rng.uniform(5, 27)
        sun = (down - row) ** 2 + (across - column) ** 2 < 12
        image[:, sun] = np.array([250, 230, 90])[:, None]
    return images.clip(0, 255).astype(np.uint8)


digits = data.load_digits().train
digit = (data.upsample(data.to_float(digits.images[3:4], 16)) * 255).astype(np.uint8)
train = painted(64)
picture = train[5:6]

# -- what can be done to them ---------------------------------------------------------------
mean_colour = data.Normalise.fit(train)
jitter = data.PCAColourJitter.fit(train, strength=0.5)
print("PCA of the training pixels: eigenvalues", jitter.eigenvalues.round(4).tolist())
print("the colour that varies most:", jitter.eigenvectors[:, 0].round(2).tolist())
larger = data.Resize(40)(picture)
rows = [
    ("shift, edge repeated\nRandomCrop(padding=4, repeat=True)", digit,
     data.RandomCrop(padding=4, repeat=True)),
    ("elastic distortion\nElasticDistortion(34, 4)", digit, data.ElasticDistortion(34.0, 4.0)),
    ("crop of the padded image\nRandomCrop(padding=4)", picture, data.RandomCrop(padding=4)),
    ("mirror image\nRandomFlip()", picture, data.RandomFlip()),
    ("AlexNet's crop of a larger image\nRandomCrop(32), RandomFlip()", larger,
     Compose([data.RandomCrop(32), data.RandomFlip()])),
    ("colours along their principal\ncomponents, 5 times the paper's", picture, jitter),
    ("normalised, then a hole\nNormalise.fit(train), Cutout(16)", picture,
     Compose([mean_colour, data.Cutout(16)])),
    ("all of it", picture,
     Compose([data.RandomCrop(padding=4), data.RandomFlip(), jitter, mean_colour,
              data.Cutout(12)])),
]  # fmt: skip


def shown(image: np.ndarray) -> np.ndarray:
    """Bring an image (C, H, W) to what matplotlib draws: pixels from 0 to 1, channels last."""
    values = image.astype(np.float32)
    values = mean_colour.undo(values[None])[0] if values.min() < -0.5 else values
    return (values / 255).clip(0, 1).transpose(1, 2, 0)


figure = Figure(figsize=(2.6 + 1.15 * (EPOCHS + 1), 1.25 * len(rows)), layout="constrained")
axes = figure.subplots(len(rows), EPOCHS + 1)
for line, (title, image, transform) in zip(axes, rows, strict=True):
    drawn = [transform(image, Draws(SEED, epoch, [0])) for epoch in range(EPOCHS)]
    again = transform(np.repeat(image, 3, 0), Draws(SEED, EPOCHS - 1, [8, 0, 3]))
    if not (again[1] == drawn[-1][0]).all():
        raise SystemExit("in another batch it is another picture")
    for place, one in zip(line, [image, *drawn], strict=True):
        place.imshow(shown(one[0]), cmap="gray", vmin=0, vmax=1)
        place.set_xticks([])
        place.set_yticks([])
    line[0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=8)
for place, title in zip(axes[0], ["as it is", *(f"epoch {e}" for e in range(EPOCHS))], strict=True):
    place.set_title(title, fontsize=9)
print("in another batch, beside other images: the same pictures, bit for bit")

# -- at test time: nothing is drawn, the answers to ten crops are averaged --------------------
ten = data.ten_crops(larger, 32)
print("ten crops at test time:", ten.shape, "of images", larger.shape[1:])

pictures.mkdir(parents=True, exist_ok=True)
figure.savefig(pictures / "22_augmentation.png", dpi=110)
print(f"drawn: {pictures / '22_augmentation.png'}")

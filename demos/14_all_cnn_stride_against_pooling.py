"""All-CNN: can a stride stand in for pooling? Four narrow networks, trained side by side.

J. T. Springenberg et al., "Striving for simplicity: the all convolutional net", ICLR 2015.
Run it: python demos/14_all_cnn_stride_against_pooling.py
With --long it trains with three seeds, or, where the variable TINYGRAD_CNN_DATA names a folder
that holds cifar-10-batches-py, for some minutes on a part of CIFAR-10.
"""

import argparse
import os
import pickle
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--pictures", type=Path, default=Path("demo_pictures"), help="their folder")
parser.add_argument("--long", action="store_true", help="three seeds, or CIFAR-10")
arguments = parser.parse_args()
pictures = arguments.pictures
cifar = Path(os.environ.get("TINYGRAD_CNN_DATA", "."), "cifar-10-batches-py")
ON_CIFAR = arguments.long and cifar.is_dir()
EPOCHS, BATCH_SIZE, LEARNING_RATE = 5 if arguments.long else 4, 64, 0.002 if ON_CIFAR else 0.005
SEEDS = (0, 1, 2) if arguments.long and not ON_CIFAR else (0,)
WIDTH = 1 / 4 if ON_CIFAR else 1 / 8  # of the paper's channels

# -- parameters: the figures of the paper against the sums of its layers -----------------------
TABLE = {  # exact sums; what the paper prints in millions; its error on CIFAR-10 in %
    "base_a": (839_242, 0.9, 12.47), "strided_a": (839_242, 0.9, 13.46),
    "convpool_a": (1_254_250, 1.28, 10.21), "allcnn_a": (1_254_250, 1.28, 10.30),
    "base_b": (885_610, 1.0, 10.20), "strided_b": (885_610, 1.0, 10.98),
    "convpool_b": (1_300_618, 1.35, 9.33), "allcnn_b": (1_300_618, 1.35, 9.10),
    "base_c": (954_730, 1.3, 9.74), "strided_c": (954_730, 1.3, 10.19),
    "convpool_c": (1_369_738, 1.4, 9.31), "allcnn_c": (1_369_738, 1.4, 9.08),
}  # fmt: skip
print("network      parameters   the paper prints   multiply-adds   its error on CIFAR-10")
for name, (exact, printed, error) in TABLE.items():
    found = tg.summary(tg.models.build(name, allocate=False), (3, 32, 32))
    counts = f"{found.parameters:10,d} {f'≈ {printed}M':>15s} {found.multiply_adds:17,d}"
    print(f"  {name:10s} {counts} {error:15.2f} %")
    if found.parameters != exact:
        raise SystemExit(f"{name}: expected {exact:,} parameters")
print("The layers of the paper's tables, with biases, add up to the figures on the left; what it")
print("prints is more. A stride does less work than pooling after a convolution at full size.")


# -- narrow twins of the four C networks ---------------------------------------------------------
def cifar_part(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images, with about mean 0 and deviation 1, and labels of a file of CIFAR-10."""
    part = pickle.loads((cifar / name).read_bytes(), encoding="bytes")  # as its authors say
    pixels = part[b"data"].reshape(-1, 3, 32, 32)
    return ((pixels - 120.7) / 64.2).astype(np.float32), np.array(part[b"labels"])


if ON_CIFAR:
    train = tg.data.ArrayDataset(*cifar_part("data_batch_1"))
    test = tg.data.ArrayDataset(*cifar_part("test_batch"))
else:
    train, test = (
        tg.data.ArrayDataset(np.repeat(part.images, 3, axis=1), part.labels)  # grey in 3 colours
        for part in tg.data.load("digits", image_size=16)
    )


def accuracy(model: nn.Module) -> float:
    """Return the share of test images that are classified right."""
    model.eval()
    with tg.no_grad():
        right = [
            model(tg.Tensor(images)).argmax(1).numpy() == labels
            for images, labels in tg.data.DataLoader(test, 500)
        ]
    model.train()
    return float(np.concatenate(right).mean())


def trained(name: str, seed: int) -> tuple[list[float], list[float]]:
    """Return the mean loss and the test accuracy after each epoch."""
    tg.manual_seed(seed)
    model = tg.models.build(name, width=WIDTH, input_dropout=0.0, dropout=0.0)
    optimiser = tg.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    losses, accuracies = [], []
    for _ in range(EPOCHS):
        of_epoch = []
        for images, labels in tg.data.DataLoader(train, BATCH_SIZE, shuffle=True):
            loss = F.cross_entropy(model(tg.Tensor(images)), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            of_epoch.append(loss.item())
        losses.append(float(np.mean(of_epoch)))
        accuracies.append(accuracy(model))
    return losses, accuracies


on = "CIFAR-10 (10,000 training images)" if ON_CIFAR else "digits of 16x16 pixels"
print(f"\n{WIDTH:g} of the channels, {on}, {EPOCHS} epochs, Adam {LEARNING_RATE}")
print("             parameters   last loss   test accuracy by seed " + ", ".join(map(str, SEEDS)))
WAYS = {
    "base_c": "pooling",
    "strided_c": "stride",
    "convpool_c": "convolution and pooling",
    "allcnn_c": "convolution with a stride",
}
curves = {}
for name, way in WAYS.items():
    curves[name] = [trained(name, seed) for seed in SEEDS]
    count = tg.models.build(name, width=WIDTH, allocate=False).count_parameters()
    last = np.mean([losses[-1] for losses, _ in curves[name]])
    found = ", ".join(f"{accuracies[-1]:.1%}" for _, accuracies in curves[name])
    print(f"  {name:10s} {count:10,d} {last:11.3f}   {found}   down by {way}")
    if min(accuracies[-1] for _, accuracies in curves[name]) < (0.35 if ON_CIFAR else 0.6):
        raise SystemExit(f"{name} did not learn")

# -- picture ---------------------------------------------------------------------------------
figure = Figure(figsize=(12, 5), layout="constrained")
figure.suptitle(f"How a network goes down in resolution: {on}, seed {SEEDS[0]}", fontsize=14)
left, right = figure.subplots(1, 2)
# Okabe and Ito's colours, and a marker each, told apart by all kinds of colour vision.
LOOKS = (("#000000", "o"), ("#e69f00", "s"), ("#56b4e9", "^"), ("#0072b2", "v"))
for (name, way), (color, marker) in zip(WAYS.items(), LOOKS, strict=True):
    losses, accuracies = curves[name][0]
    epochs, look = range(1, EPOCHS + 1), {"color": color, "marker": marker}
    left.plot(epochs, losses, label=f"{name}: {way}", **look)
    right.plot(epochs, [100 * share for share in accuracies], label=f"{name}: {way}", **look)
left.set(xlabel="epoch", ylabel="training loss (nats)", xticks=epochs)
right.set(xlabel="epoch", ylabel="test accuracy (%)", xticks=epochs)
left.grid(alpha=0.3)
right.grid(alpha=0.3)
right.legend(frameon=False, loc="lower right")
pictures.mkdir(parents=True, exist_ok=True)
path = pictures / "14_all_cnn_stride_against_pooling.png"
figure.savefig(path, dpi=100)
print(f"\npicture: {path}")

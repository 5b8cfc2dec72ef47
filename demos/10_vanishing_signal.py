"""The vanishing error signal: sigmoid, tanh and ReLU in the same deep network.

Run it: python demos/10_vanishing_signal.py
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--pictures", type=Path, default=Path("demo_pictures"), help="their folder")
pictures = parser.parse_args().pictures

DEPTH, WIDTH = 15, 64  # hidden layers, and units in each: as many as an 8x8 digit has pixels
EPOCHS, BATCH_SIZE, LEARNING_RATE = 10, 64, 0.02
SEED = 0

train, test = tg.data.load("digits", image_size=8)  # 1,438 and 359 images, standardised
SLOPES = {"sigmoid": 0.25, "tanh": 1.0, "ReLU": 1.0}  # the largest derivative of each


class Deep(nn.Module):
    """Fifteen affine layers, each squashed the same way, and an affine layer of ten outputs."""

    def __init__(self, squash: Callable[[tg.Tensor], tg.Tensor], gain: float) -> None:
        super().__init__()
        self.squash = squash
        self.hidden = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(DEPTH))
        self.output = nn.Linear(WIDTH, 10)
        for layer in (*self.hidden, self.output):
            nn.init.normal_(layer.weight, 0.0, np.sqrt(gain / WIDTH))
            nn.init.zeros_(layer.bias)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """Map images (N, 1, 8, 8) to scores (N, 10)."""
        x = F.flatten(x, 1)
        for layer in self.hidden:
            x = self.squash(layer(x))
        return self.output(x)


def error_signals(model: Deep) -> tuple[np.ndarray, np.ndarray]:
    """Return ‖δ(z)‖ by layer, and by what factor each squashing element shrank its signal."""
    with tg.explain.record() as recording:
        loss = F.cross_entropy(model(tg.Tensor(test.images[:128])), test.labels[:128])
        loss.backward()
    squashed = [step for step in recording.steps if step.name == model.squash.__name__]
    into = np.array([step.outgoing[0].statistics.norm for step in squashed])  # ‖δ(a)‖
    out = np.array([step.incoming[0].statistics.norm for step in squashed])  # ‖δ(z)‖
    return out, np.divide(out, into, out=np.zeros(DEPTH), where=into > 0)


def train_it(model: Deep) -> float:
    """Train by gradient descent with momentum and return the share of test images right."""
    optimiser = tg.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9)
    for _ in range(EPOCHS):
        for images, labels in tg.data.DataLoader(train, BATCH_SIZE, shuffle=True):
            loss = F.cross_entropy(model(tg.Tensor(images)), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with tg.no_grad():
        right = model(tg.Tensor(test.images)).argmax(1).numpy() == test.labels
    return float(right.mean())


# -- the same network three times, and once with He's weights ---------------------------------
# δ(z) of a layer is Wᵀ δ(z) of the next one, times the derivative of the squashing element:
# σ' = a (1 - a) is at most 1/4, tanh' = 1 - a² at most 1, ReLU' is 0 or 1.
NETWORKS = {
    "sigmoid": (F.sigmoid, 1.0),
    "tanh": (F.tanh, 1.0),
    "ReLU": (F.relu, 1.0),
    "ReLU, He": (F.relu, 2.0),  # twice the variance makes up for the half that is cut off
}
before, after, accuracies = {}, {}, {}
print(f"{DEPTH} layers of {WIDTH} units, weights from N(0, 1/{WIDTH}), He's from N(0, 2/{WIDTH});")
print(f"{EPOCHS} epochs on digits, learning rate {LEARNING_RATE}, momentum 0.9, seed {SEED}\n")
print("           ‖δ(z)‖ first/last layer   ‖δ(z)‖/‖δ(a)‖ of one element   test")
print("           untrained       trained   mean   largest    limit        accuracy")
for title, (squash, gain) in NETWORKS.items():
    tg.manual_seed(SEED)
    model = Deep(squash, gain)
    before[title], factors = error_signals(model)
    accuracies[title] = train_it(model)
    after[title], factors_after = error_signals(model)
    limit = SLOPES[title.split(",")[0]]
    if max(factors.max(), factors_after.max()) > limit * (1 + 1e-6):
        raise SystemExit(f"{title}: an element lets more of its signal pass than its slope allows")
    ratios = [norms[0] / norms[-1] for norms in (before[title], after[title])]
    print(
        f"  {title:9s} {ratios[0]:8.0e} {ratios[1]:13.0e} {factors.mean():8.3f} "
        f"{factors.max():8.3f} {limit:8g} {accuracies[title]:14.1%}"
    )
if before["sigmoid"][0] > 1e-8 * before["sigmoid"][-1]:
    raise SystemExit("the sigmoid kept more of the signal than 14 factors of 1/4 leave")
if not accuracies["sigmoid"] < 0.3 < 0.7 < accuracies["ReLU, He"]:
    raise SystemExit("the sigmoid network learned, or the ReLU network did not")
print("\nThe sigmoid leaves a quarter at each layer, at best: its first layers never hear of the")
print("error. ReLU passes half of the units unchanged; He's weights make up for the other half.")

# -- picture ---------------------------------------------------------------------------------
figure = Figure(figsize=(11, 5), layout="constrained")
figure.suptitle(f"Error signal by depth, {DEPTH} layers of {WIDTH} units", fontsize=14)
# Okabe and Ito's colours, and a marker each, told apart by all kinds of colour vision.
LOOKS = (("#000000", "o"), ("#e69f00", "s"), ("#56b4e9", "^"), ("#0072b2", "v"))
panels = {"at initialisation": before, f"after {EPOCHS} epochs": after}
for axes, (when, norms) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
    for (title, values), (color, marker) in zip(norms.items(), LOOKS, strict=True):
        label = title if norms is before else f"{title}: {accuracies[title]:.1%} right"
        axes.semilogy(range(1, DEPTH + 1), values, color=color, marker=marker, label=label)
    axes.set(title=when, xlabel="layer, from the input", xticks=range(1, DEPTH + 1, 2))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
figure.axes[0].set_ylabel("‖δ(z)‖ over 128 images")
pictures.mkdir(parents=True, exist_ok=True)
path = pictures / "10_vanishing_signal.png"
figure.savefig(path, dpi=100)
print(f"\npicture: {path}")

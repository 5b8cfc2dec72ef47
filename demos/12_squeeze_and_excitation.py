"""Squeeze and excitation: a gate for each channel, computed from the means of all channels.

J. Hu, L. Shen, G. Sun, "Squeeze-and-excitation networks", CVPR 2018.
Run it: python demos/12_squeeze_and_excitation.py
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--pictures", type=Path, default=Path("demo_pictures"), help="their folder")
pictures = parser.parse_args().pictures

EPOCHS, BATCH_SIZE, LEARNING_RATE = 8, 32, 0.003
CHANNELS, REDUCTION = 32, 4
generator = tg.manual_seed(0)

# -- the gate, forward and backward, on a small example -----------------------------------------
gate = nn.SqueezeExcitation(4, 2)
x = tg.Tensor(generator.normal(size=(1, 4, 3, 3)), True, np.float32, name="x")
with tg.explain.record():
    s = gate.gate(x).retain_grad()  # squeeze: means; excitation: σ(W2 relu(W1 z + b1) + b2)
    y = x * s  # each channel by its gate
    delta = tg.Tensor(generator.normal(size=y.shape), dtype=np.float32)
    y.backward(gradient=delta)
print(tg.explain.story(y))

# Backward, a gate hears from all pixels of its channel: δ(s) = Σ δ(y) x.
by_hand = (delta.numpy() * x.numpy()).sum((2, 3))
print("\nδ(s) = Σ δ(y) x   by hand " + " ".join(f"{value:8.4f}" for value in by_hand[0]))
print("                 recorded " + " ".join(f"{value:8.4f}" for value in s.grad.numpy().flat))
if not np.allclose(by_hand, s.grad.numpy()[..., 0, 0], rtol=1e-4, atol=1e-6):
    raise SystemExit("the error signal of the gates differs from the one by hand")

# -- parameters: 2 C² / r weights ---------------------------------------------------------------
print("\nchannels C   2 C² / r weights, r = 16   with biases   a 3x3 convolution")
for channels in (64, 256, 512, 2048):
    with nn.without_memory():
        gate = nn.SqueezeExcitation(channels, channels // 16)
        convolution = nn.Conv2d(channels, channels, 3)
    weights = gate.fc1.weight.numel() + gate.fc2.weight.numel()
    counts = gate.count_parameters(), convolution.count_parameters()
    print(f"{channels:10d} {weights:26,d} {counts[0]:13,d} {counts[1]:19,d}")
    if weights != 2 * channels**2 // 16:
        raise SystemExit("the weights are not 2 C² / r")
resnet = tg.models.build("se_resnet50", allocate=False)
gates_of_it = [part for part in resnet.modules() if isinstance(part, nn.SqueezeExcitation)]
weights = sum(gate.fc1.weight.numel() + gate.fc2.weight.numel() for gate in gates_of_it)
print(
    f"se_resnet50: {len(gates_of_it)} gates of {weights:,} weights, the paper's 2.5 million; with"
)
print(f"everything else {resnet.count_parameters():,} parameters")
if (weights, resnet.count_parameters()) != (2_514_944, 28_088_024):
    raise SystemExit("se_resnet50 does not have the parameters of its paper")


# -- trained on digits ----------------------------------------------------------------------------
class Gated(nn.Module):
    """Three convolutions, gates, the mean of each map, and an affine layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, padding=2)
        self.conv2 = nn.Conv2d(16, CHANNELS, 3, padding=1)
        self.conv3 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.se = nn.SqueezeExcitation(CHANNELS, CHANNELS // REDUCTION)
        self.output = nn.Linear(CHANNELS, 10)
        for layer in (self.conv1, self.conv2, self.conv3, self.se.fc1, self.se.fc2):
            nn.init.kaiming_normal_(layer.weight)

    def features(self, x: tg.Tensor) -> tg.Tensor:
        """Map images (N, 1, 16, 16) to the maps that are gated, (N, C, 4, 4)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return F.relu(self.conv3(x))

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """Map images to scores (N, 10)."""
        return self.output(F.global_avg_pool2d(self.se(self.features(x))))


train, test = tg.data.load("digits", image_size=16)
model = Gated()
optimiser = tg.optim.Adam(model.parameters(), lr=LEARNING_RATE)


def gates() -> np.ndarray:
    """Return the gates of all test images, (N, C)."""
    with tg.no_grad():
        return model.se.gate(model.features(tg.Tensor(test.images))).numpy()[..., 0, 0]


def accuracy(factors: np.ndarray) -> float:
    """Return the share of test images that are right if these are the gates."""
    with tg.no_grad():
        means = F.global_avg_pool2d(model.features(tg.Tensor(test.images))) * tg.Tensor(factors)
        return float(np.mean(model.output(means).argmax(1).numpy() == test.labels))


before = gates()
for _ in range(EPOCHS):
    for images, labels in tg.data.DataLoader(train, BATCH_SIZE, shuffle=True):
        loss = F.cross_entropy(model(tg.Tensor(images)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
after = gates()

print(f"\n{CHANNELS} gates, digits, {EPOCHS} epochs, Adam {LEARNING_RATE}, seed 0")
print("                 least   mean   largest   spread between images of one channel")
for when, values in (("untrained", before), ("trained", after)):
    figures = f"{values.min():6.3f} {values.mean():6.3f} {values.max():9.3f}"
    print(f"  {when:12s} {figures} {values.std(0).mean():9.4f}")
choices = {
    "of the image itself": after,
    "of another image": after[generator.permutation(len(after))],
    "of the mean image": np.tile(after.mean(0), (len(after), 1)),
}
print("\ntest accuracy with the gates")
for whose, factors in choices.items():
    print(f"  {whose:20s} {accuracy(factors):.1%}")
if after.std(0).mean() < 1.5 * before.std(0).mean() or accuracy(after) < 0.8:
    raise SystemExit("the gates, or the network, did not learn")

# -- picture ---------------------------------------------------------------------------------
figure = Figure(figsize=(12, 6.5), layout="constrained")
figure.suptitle(
    "Gates of squeeze and excitation, mean over the test images of a class", fontsize=14
)
panels = {"untrained": before, f"after {EPOCHS} epochs": after}
for axes, (when, values) in zip(figure.subplots(2, 1), panels.items(), strict=True):
    by_class = np.stack([values[test.labels == digit].mean(0) for digit in range(10)])
    drawn = axes.imshow(by_class, cmap="RdBu_r", vmin=0, vmax=1, aspect="auto")
    axes.set(title=when, xlabel="channel", ylabel="class (digit)", yticks=range(10))
figure.colorbar(drawn, ax=figure.axes, shrink=0.7, label="gate s (0 shuts, 1 lets pass)")
pictures.mkdir(parents=True, exist_ok=True)
path = pictures / "12_squeeze_and_excitation.png"
figure.savefig(path, dpi=100)
print(f"\npicture: {path}")

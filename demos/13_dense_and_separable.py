"""Dense connectivity: every layer hears from all later ones. Separable convolution: its cost.

G. Huang et al., "Densely connected convolutional networks", CVPR 2017; F. Chollet, "Xception:
deep learning with depthwise separable convolutions", CVPR 2017.

Run it: python demos/13_dense_and_separable.py
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
generator = tg.manual_seed(0)

LAYERS, START, GROWTH = 8, 16, 12  # L layers; k0 channels before the first; k new ones by each


# -- a dense block ---------------------------------------------------------------------------
class DenseBlock(nn.Module):
    """Layer l sees the input and the outputs of all layers before it, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(START + GROWTH * before, GROWTH, 3, padding=1) for before in range(LAYERS)
        )
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """Map (N, k0, H, W) to (N, k0 + k L, H, W)."""
        features = [x]
        for layer in self.layers:
            features.append(F.relu(layer(tg.cat(features, 1))))
        return tg.cat(features, 1)


block = DenseBlock()
x = tg.Tensor(generator.normal(size=(4, START, 8, 8)), True, np.float32, name="x0")
with tg.explain.record(keep="arrays") as recording:
    y = block(x)
    y.backward(gradient=tg.Tensor(generator.normal(size=y.shape), dtype=np.float32))

# What the recording tells: which values each concatenation joined, and what came back to each.
joins = [step for step in recording.steps if step.name == "concatenate"]
outputs = [step.outputs[0].key for step in recording.steps if step.name == "relu"]
signals = np.full((LAYERS + 1, LAYERS + 1), np.nan)  # rows: who hears; columns: from whom
for reader, join in enumerate(joins, start=1):
    for value, signal in zip(join.inputs, join.incoming, strict=True):
        heard_by = outputs.index(value.key) + 1 if value.key in outputs else 0
        signals[heard_by, reader - 1] = signal.statistics.norm

print(f"a dense block of {LAYERS} layers, k0 = {START}, growth rate k = {GROWTH}")
print("layer   channels in = k0 + k (l - 1)   error signal arrives from")
for layer, join in enumerate(joins[:-1], start=1):
    channels, paths = join.outputs[0].shape[1], int(np.isfinite(signals[layer]).sum())
    print(f"{layer:5d} {channels:10d} {'':20s} {paths - 1} later layers, and the output")
    if channels != START + GROWTH * (layer - 1) or paths != LAYERS - layer + 1:
        raise SystemExit("the block is not densely connected")
print(f"  out {y.shape[1]:10d}")

# The signals of all paths add up: δ(x0) is what all eight layers and the output send.
arriving = sum(join.incoming[0].value for join in joins)
print("norms of what arrives at the input: " + ", ".join(f"{norm:.1f}" for norm in signals[0]))
print(f"norm of their sum {np.linalg.norm(arriving):.1f}, of δ(x0) {np.linalg.norm(x.grad):.1f}")
if not np.allclose(arriving, x.grad.numpy(), rtol=1e-4, atol=1e-4):
    raise SystemExit("the error signal of the input is not the sum over all paths")


# -- a separable convolution ---------------------------------------------------------------------
def multiply_adds(*layers: nn.Module) -> int:
    """Return what the elements of a few layers declare for one image of 16x16 pixels."""
    x = tg.Tensor(np.zeros((1, layers[0].weight.shape[1] * layers[0].groups, 16, 16), np.float32))
    with tg.no_grad(), tg.explain.record() as recording:
        nn.Sequential(*layers)(x)
    return sum(step.cost.forward.multiply_adds for step in recording.steps)


print("\na k x k convolution, C → C channels, against depthwise k x k and then 1x1")
print("  k     C   multiply-adds   separable    ratio   1/C + 1/k²")
CHANNELS = (8, 16, 32, 64, 128)
ratios: dict[int, list[float]] = {3: [], 5: [], 7: []}
for kernel, found in ratios.items():
    for channels in CHANNELS:
        same = {"padding": kernel // 2, "bias": False}
        full = multiply_adds(nn.Conv2d(channels, channels, kernel, **same))
        separable = multiply_adds(
            nn.Conv2d(channels, channels, kernel, groups=channels, **same),
            nn.Conv2d(channels, channels, 1, bias=False),
        )
        found.append(separable / full)
        formula = 1 / channels + 1 / kernel**2
        shares = f"{found[-1]:8.4f} {formula:12.4f}"
        print(f"{kernel:3d} {channels:5d} {full:15,d} {separable:11,d} {shares}")
        if not np.isclose(found[-1], formula):
            raise SystemExit("the declared costs do not follow 1/C + 1/k²")

# -- picture ---------------------------------------------------------------------------------
figure = Figure(figsize=(12, 5.2), layout="constrained")
left, right = figure.subplots(1, 2)
drawn = left.imshow(signals, cmap="cividis", vmin=0)
for row, column in np.argwhere(np.isfinite(signals)):
    shade = "black" if signals[row, column] > 0.6 * np.nanmax(signals) else "white"
    left.text(
        column,
        row,
        f"{signals[row, column]:.0f}",
        ha="center",
        va="center",
        color=shade,
        fontsize=9,
    )
senders = [*range(1, LAYERS + 1), "out"]
left.set(
    title="dense block: ‖part of δ‖ by path",
    xlabel="sent back by layer",
    ylabel="heard by layer (0: input)",
    xticks=range(LAYERS + 1),
    xticklabels=[*range(1, LAYERS + 1), "out"],
    yticks=range(LAYERS + 1),
)
figure.colorbar(drawn, ax=left, shrink=0.8, label="norm of the error signal")
looks = zip(ratios.items(), ("#0072b2", "#d55e00", "#009e73"), "osv", strict=True)
for (kernel, found), color, marker in looks:
    right.loglog(CHANNELS, found, color=color, marker=marker, label=f"{kernel}x{kernel}", base=2)
    right.axhline(1 / kernel**2, color=color, linestyle=":", linewidth=1)
right.set(
    title="separable convolution: cost relative to a full one",
    xlabel="channels C, in and out",
    ylabel="multiply-adds, separable / full",
)
right.xaxis.set_major_formatter("{x:g}")
right.yaxis.set_major_formatter("{x:.1%}")
right.grid(alpha=0.3)
right.legend(frameon=False, title="kernel; dotted: 1/k²")
pictures.mkdir(parents=True, exist_ok=True)
path = pictures / "13_dense_and_separable.png"
figure.savefig(path, dpi=100)
print(f"\npicture: {path}")

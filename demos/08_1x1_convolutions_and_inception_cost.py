"""1x1 convolutions: an affine map at every pixel, and what they save in an inception module.

Run it: python demos/08_1x1_convolutions_and_inception_cost.py
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

import tinygrad_cnn as tg
from tinygrad_cnn import functional as F
from tinygrad_cnn import nn

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--pictures", type=Path, default=Path("demo_pictures"), help="their folder")
pictures = parser.parse_args().pictures
generator = tg.manual_seed(0)

# -- a 1x1 convolution mixes the channels of each pixel, and nothing else ---------------------
# Six channels become two: z = W x + b, with the same W and b at each of the 3x4 pixels.
x = tg.Tensor(generator.normal(size=(1, 6, 3, 4)), dtype=np.float32)
W = tg.Tensor(generator.normal(size=(2, 6)), True, np.float32)
b = tg.Tensor(generator.normal(size=2), True, np.float32)
delta = tg.Tensor(generator.normal(size=(1, 2, 3, 4)), dtype=np.float32)

as_convolution = F.conv2d(x, W.reshape(2, 6, 1, 1), b)
as_convolution.backward(gradient=delta)
of_convolution = W.grad.numpy().copy(), b.grad.numpy().copy()
for parameter in (W, b):
    parameter.zero_grad()
as_affine = F.linear(F.permute(x, (0, 2, 3, 1)), W, b)  # channels last: one row for each pixel
as_affine.backward(gradient=F.permute(delta, (0, 2, 3, 1)))

print("six channels in, two out        1x1 convolution         affine W x + b")


def show(title: str, convolved: np.ndarray, affine: np.ndarray) -> None:
    """Print two numbers made by the convolution, and the same two by the affine map."""
    columns = (f"{values[0]:9.4f} {values[1]:9.4f}" for values in (convolved, affine))
    print(f"  {title:24s}" + "     ".join(columns))


for row, column in ((0, 0), (1, 2), (2, 3)):
    z = as_convolution.numpy()[0, :, row, column], as_affine.numpy()[0, row, column]
    show(f"z at row {row}, column {column}", *z)
show("∇W of the first channel", of_convolution[0][:, 0], W.grad.numpy()[:, 0])
show("∇b", of_convolution[1], b.grad.numpy())
for convolved, affine in (
    (as_convolution.numpy().transpose(0, 2, 3, 1), as_affine.numpy()),
    (of_convolution[0], W.grad.numpy()),
    (of_convolution[1], b.grad.numpy()),
):
    if not np.allclose(convolved, affine, rtol=1e-4, atol=1e-5):
        raise SystemExit("a 1x1 convolution is not the affine map at every pixel")


# -- an inception module on 28x28x256, without and with 1x1 bottlenecks -----------------------
class Inception(nn.Module):
    """Branches that see the same input; their channels are joined."""

    def __init__(self, branches: dict[str, nn.Module]) -> None:
        super().__init__()
        self.names = tuple(branches)
        for name, branch in branches.items():
            setattr(self, name, branch)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        """Map (N, C, H, W) to (N, sum of the branches' channels, H, W)."""
        return tg.cat([getattr(self, name)(x) for name in self.names], 1)


def conv(channels: int, out: int, kernel: int) -> nn.Module:
    """Return a convolution that keeps the image size."""
    return nn.Conv2d(channels, out, kernel, padding=kernel // 2)


pool = nn.MaxPool2d(3, 1, 1)
naive = {"1x1": conv(256, 128, 1), "3x3": conv(256, 192, 3), "5x5": conv(256, 96, 5), "pool": pool}
bottlenecks = {
    "1x1": conv(256, 128, 1),
    "3x3": nn.Sequential(conv(256, 64, 1), conv(64, 192, 3)),
    "5x5": nn.Sequential(conv(256, 64, 1), conv(64, 96, 5)),
    "pool": nn.Sequential(pool, conv(256, 64, 1)),
}
MODULES = {"naive": Inception(naive), "with bottlenecks": Inception(bottlenecks)}
TRUE = {"naive": 854_196_224, "with bottlenecks": 271_351_808}

x = tg.Tensor(generator.normal(size=(1, 256, 28, 28)), dtype=np.float32)
costs: dict[str, list[tuple[str, str, int]]] = {}
for title, module in MODULES.items():
    with tg.no_grad(), tg.explain.record() as recording:
        y = module(x)
    # Each element declares what it costs; the recording keeps it beside the layer's path.
    costs[title] = []
    print(f"\n{title}: 28x28x256 → {y.shape[2]}x{y.shape[3]}x{y.shape[1]}")
    for step in recording.steps:
        if step.name != "conv2d":
            continue
        kernel, channels = step.options["kernel"], step.outputs[0].shape[1]
        multiply_adds = step.cost.forward.multiply_adds
        costs[title].append((step.scope.split(".")[0], f"{kernel}, {channels}", multiply_adds))
        print(f"  branch {costs[title][-1][0]:5s} {kernel} {channels:4d} {multiply_adds:14,d}")
    total = sum(cost for _, _, cost in costs[title])
    print(f"  multiply-adds         {total:14,d}")
    if total != TRUE[title]:
        raise SystemExit(f"{title}: expected {TRUE[title]:,} multiply-adds")

total, naive_total = TRUE["with bottlenecks"], TRUE["naive"]
print(f"\nThe bottlenecks take the cost down to {total / naive_total:.1%} of the naive module.")
three_by_three = next(c for _, label, c in costs["with bottlenecks"] if label == "3x3, 192")
print("The lectures print 854M and 358M. Their own rows for the second add up to")
print(f"{total:,}; with the 3x3 row counted twice they give {total + three_by_three:,}.")
if round((total + three_by_three) / 1e6) != 358:
    raise SystemExit("the 3x3 row counted twice does not explain 358M")

# -- picture ---------------------------------------------------------------------------------
figure = Figure(figsize=(11, 5), layout="constrained")
figure.suptitle("Multiply-adds of an inception module on 28x28x256, by branch", fontsize=14)
COLORS = {"1x1": "#56b4e9", "3x3": "#e69f00", "5x5": "#0072b2"}  # Okabe and Ito's
panels = figure.subplots(1, 2, sharex=True, sharey=True)
for axes, (title, rows) in zip(panels, costs.items(), strict=True):
    left = dict.fromkeys(MODULES[title].names, 0.0)
    for branch, label, cost in rows:
        millions = cost / 1e6
        axes.barh(branch, millions, left=left[branch], color=COLORS[label[:3]], edgecolor="white")
        left[branch] += millions
    for branch, millions in left.items():
        axes.text(millions + 8, branch, f"{millions:.1f}" if millions else "none", va="center")
    axes.set(title=f"{title}: {TRUE[title] / 1e6:.1f} million", xlabel="multiply-adds (millions)")
    axes.set_xlim(0, 560)
    axes.spines[["top", "right"]].set_visible(False)
figure.axes[0].set_ylabel("branch")
figure.axes[0].invert_yaxis()  # shared by both panels
keys = [Patch(color=color, label=f"{kernel} convolution") for kernel, color in COLORS.items()]
figure.axes[1].legend(handles=keys, frameon=False, loc="upper right")
pictures.mkdir(parents=True, exist_ok=True)
path = pictures / "08_1x1_convolutions_and_inception_cost.png"
figure.savefig(path, dpi=100)
print(f"\npicture: {path}")

"""AlexNet layer by layer: shapes, parameters and multiply-adds, without a byte for its weights.

A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep convolutional neural
networks", NIPS 2012. Run it: python demos/06_alexnet_shapes.py
"""

import argparse
import math
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Patch

import tinygrad_cnn as tg

parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
parser.add_argument("--pictures", type=Path, default=Path("demo_pictures"), help="their folder")
pictures = parser.parse_args().pictures

SIDE = 227  # pixels of the image, down and across
KINDS = {"Conv2d": "convolution", "MaxPool2d": "pooling", "Linear": "fully connected"}
EXPECTED = {  # the shapes that the lectures draw: channels, rows, columns
    "conv1": (96, 55, 55), "pool1": (96, 27, 27), "conv2": (256, 27, 27), "pool2": (256, 13, 13),
    "conv3": (384, 13, 13), "conv4": (384, 13, 13), "conv5": (256, 13, 13), "pool5": (256, 6, 6),
    "fc6": (4096,), "fc7": (4096,), "fc8": (1000,),
}  # fmt: skip

# -- output size = floor((N + 2P - F) / S) + 1 -----------------------------------------------
print("output size of conv1 = floor((N + 2P - F) / S) + 1, with F = 11, S = 4, P = 0")
for side in (SIDE, 224):
    print(
        f"  N = {side}: ({side} - 11) / 4 + 1 = {(side - 11) / 4 + 1:g}, so {(side - 11) // 4 + 1}"
    )
print("The paper, and one of the decks, say 224; the 55 they both draw need 227.")

# -- layer by layer ----------------------------------------------------------------------------
# The network is built without memory, and run on a shape.
model = tg.models.build("alexnet", allocate=False)
found = tg.summary(model, (3, SIDE, SIDE))
rows = [row for row in found.rows if row.kind in KINDS]
print("\nlayer    output         values   parameters   multiply-adds   one pixel sees")
for row in rows:
    shape = row.output_shape[1:]  # of one image
    values = math.prod(shape)
    size = "x".join(map(str, (*shape[1:], shape[0])))
    sees = "x".join(map(str, row.receptive_field or ()))
    print(
        f"  {row.path:6s} {size:10s} {values:10,d} {row.parameters:12,d} {row.multiply_adds:15,d}"
        f"   {sees}"
    )
    if EXPECTED[row.path] != shape:
        raise SystemExit(f"{row.path}: expected {EXPECTED[row.path]}, got {shape}")
print(f"  total  {'':21s} {found.parameters:12,d} {found.multiply_adds:15,d}")
if len(rows) != len(EXPECTED) or found.parameters != 62_378_344:
    raise SystemExit("AlexNet has other layers or parameters than the lectures draw")

# -- convolutions against fully connected layers --------------------------------------------------
print("\n                        parameters            multiply-adds")
shares = {}
for kind in ("Conv2d", "Linear"):
    parameters = sum(row.parameters for row in rows if row.kind == kind)
    work = sum(row.multiply_adds for row in rows if row.kind == kind)
    shares[kind] = parameters
    print(
        f"  {KINDS[kind]:16s} {parameters:13,d} {parameters / found.parameters:6.1%}"
        f" {work:17,d} {work / found.multiply_adds:6.1%}"
    )
ratio = shares["Linear"] / shares["Conv2d"]
print(f"Fully connected layers hold {ratio:.1f} times the parameters of the convolutions. One deck")
print("says 2M and 65M, 30 times; its own layers add up to the figures above.")
if (shares["Conv2d"], shares["Linear"]) != (3_747_200, 58_631_144):
    raise SystemExit("the shares are not those of the ungrouped network")

# -- the original: two GPUs, each with half of the maps -------------------------------------
original = tg.summary(tg.models.build("alexnet_original", allocate=False), (3, SIDE, SIDE))
print("\nconv2, conv4 and conv5 in two groups, as on the two GPUs of 2012: parameters")
for row in original.rows:
    if row.kind == "Conv2d":
        print(f"  {row.path:6s} {found[row.path].parameters:10,d} → {row.parameters:9,d}")
convolutions = sum(row.parameters for row in original.rows if row.kind == "Conv2d")
print(f"  convolutions {convolutions:,}, with the fully connected layers {original.parameters:,}")
times = (original.parameters - convolutions) / convolutions
print(f"  which hold {times:.1f} times as many: the deck's 2M is right here, and its 30 nearer.")
if (convolutions, original.parameters) != (2_334_080, 60_965_224):
    raise SystemExit("the grouped network has other parameters than the paper's")

# -- picture ---------------------------------------------------------------------------------
COLORS = {"Conv2d": "#0072b2", "MaxPool2d": "#999999", "Linear": "#e69f00"}  # Okabe and Ito's
figure = Figure(figsize=(13, 5.5), layout="constrained")
title = f"AlexNet: {found.parameters:,} parameters; one image takes"
figure.suptitle(f"{title} {found.multiply_adds:,} multiply-adds", fontsize=14)
panels = {
    "activations (thousand values)": [math.prod(row.output_shape) / 1e3 for row in rows],
    "parameters (millions)": [row.parameters / 1e6 for row in rows],
    "multiply-adds (millions)": [row.multiply_adds / 1e6 for row in rows],
}
names = [
    f"{row.path}\n{'x'.join(map(str, (*row.output_shape[2:], row.output_shape[1])))}"
    for row in rows
]
for axes, (title, lengths) in zip(figure.subplots(1, 3, sharey=True), panels.items(), strict=True):
    bars = axes.barh(names, lengths, color=[COLORS[row.kind] for row in rows])
    axes.bar_label(bars, fmt="{:.3g}", padding=3)
    axes.set(xlabel=title, xlim=(0, 1.18 * max(lengths)))
    axes.spines[["top", "right"]].set_visible(False)
figure.axes[0].invert_yaxis()  # shared by all panels: the input is at the top
figure.axes[0].set_ylabel("layer and its output")
keys = [Patch(color=COLORS[kind], label=name) for kind, name in KINDS.items()]
figure.axes[2].legend(handles=keys, frameon=False, loc="lower right")
pictures.mkdir(parents=True, exist_ok=True)
path = pictures / "06_alexnet_shapes.png"
figure.savefig(path, dpi=100)
print(f"\npicture: {path}")
